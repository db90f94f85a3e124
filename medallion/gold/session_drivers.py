"""Summaries of the drivers of sessions, computed by the pure functions from silver and gold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pyspark.sql import Row

from analysis.drivers.fleet import SessionConditions
from analysis.drivers.head_to_head import DPTAD
from analysis.drivers.summary import DriverSummary, ExternalFigures, summarise_driver
from analysis.pace.driver_laps import DriverLaps, build_driver_laps, null_if_nan
from analysis.timing.crews import usual_drivers
from analysis.timing.session_laps import datetime_to_us
from conf.tables import (
    GOLD_DPTAD_SCORES,
    GOLD_KARMA_SCORES,
    GOLD_STYLE_PREDICTIONS,
    SILVER_ENTRIES,
    SILVER_LAPS,
    SILVER_RESULTS,
)
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import Part, sessions_part
from medallion.per_vehicle import VEHICLE
from medallion.reading import read_rows
from medallion.silver.environment import SessionWeather, read_weather

_COLUMNS: Final = (
    *("lap_number", "lap_time_ms", "sector_1_time", "sector_2_time", "sector_3_time"),
    *("fit_for", "flag_at_finish", "pit_in", "top_speed_kmh"),
)
_CATEGORIES: Final = (*DPTAD, "overall")
_SCORES: Final = tuple(f"{category}_score" for category in _CATEGORIES)


@dataclass(frozen=True)
class SessionDrivers:
    """A session's field.

    Attributes:
        session_id: Session.
        drivers: Everyone with a lap, by vehicle.
        scores: Mean anomaly score by vehicle and category (``brake``, ``throttle``, ``steering``, ``speed``,
            ``overall``), 0-100, where there is one.
        conditions: Weather while laps were driven.
    """

    session_id: str
    drivers: tuple[DriverSummary, ...]
    scores: Mapping[str, Mapping[str, float]]
    conditions: SessionConditions


def load_session_drivers(lake: Lake, sessions: Sequence[str]) -> dict[str, SessionDrivers]:
    """Read sessions and sum up their drivers, by session."""
    part = sessions_part(sessions)
    laps, weather = _laps(lake, part), read_weather(lake, sessions)
    scores = mean_scores(read_rows(lake, GOLD_DPTAD_SCORES, part, (*VEHICLE, "lap_number", *_SCORES)))
    elsewhere = _external_figures(lake, part, laps, scores)
    found = {}
    for session in sessions:
        own = laps[session]
        drivers = (
            summarise_driver(known, elsewhere.get((session, vehicle), ExternalFigures()))
            for vehicle, known in laps_by_vehicle(session, own).items()
        )
        of_session = {vehicle: mean for (name, vehicle), mean in scores.items() if name == session}
        found[session] = SessionDrivers(session, tuple(drivers), of_session, session_conditions(weather[session], own))
    return found


def laps_by_vehicle(session_id: str, rows: Iterable[Any]) -> dict[str, DriverLaps]:
    """Rows of ``silver.laps`` of one session as each driver's laps, by vehicle."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["vehicle_id"]].append(row)
    return {
        vehicle: build_driver_laps(session_id, vehicle, {name: [lap[name] for lap in laps] for name in _COLUMNS})
        for vehicle, laps in sorted(found.items())
    }


def mean_scores(rows: Iterable[Any]) -> dict[Vehicle, dict[str, float]]:
    """Mean anomaly scores by session and vehicle, and category, from rows of ``gold.dptad_scores``."""
    found: defaultdict[Vehicle, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda r: r["lap_number"]):
        for category in _CATEGORIES:
            if row[f"{category}_score"] is not None:
                found[row["session_id"], row["vehicle_id"]][category].append(row[f"{category}_score"])
    return {v: {name: float(np.mean(values)) for name, values in scores.items()} for v, scores in found.items()}


def session_conditions(weather: SessionWeather, laps: Sequence[Any]) -> SessionConditions:
    """Weather from the first start to the last end of a session's laps; unknown where no lap has a time of day."""
    starts = [lap["start_us"] for lap in laps if lap["start_us"] is not None]
    ends = [lap["end_us"] for lap in laps if lap["end_us"] is not None]
    if not (starts and ends):
        return SessionConditions()
    span = (min(starts), max(ends))
    rain = weather.during("rain", *span)
    return SessionConditions(
        null_if_nan(weather.mean("air_temp_c", *span)),
        null_if_nan(weather.mean("track_temp_c", *span)),
        ("wet" if rain.any() else "dry") if rain.size else None,
    )


def _laps(lake: Lake, part: Part) -> defaultdict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(lake, SILVER_LAPS, part, (*VEHICLE, *_COLUMNS, "driver_id", "lap_start_ts", "lap_end_ts")):
        times = {f"{end}_us": datetime_to_us(row[f"lap_{end}_ts"]) for end in ("start", "end")}
        found[row.session_id].append(row.asDict() | times)
    return found


def _external_figures(
    lake: Lake, part: Part, laps: Mapping[str, Sequence[Any]], scores: Mapping[Vehicle, Mapping[str, float]]
) -> dict[Vehicle, ExternalFigures]:
    entries, results = (_by_vehicle(lake, table, part) for table in (SILVER_ENTRIES, SILVER_RESULTS))
    drivers = usual_drivers(lap for found in laps.values() for lap in found)
    styles, karma = aggressive_shares(lake, part), last_karma(lake, part)
    return {
        vehicle: ExternalFigures(
            driver_id=drivers.get(vehicle),
            vehicle_number=_rows_of_vehicle(entries, vehicle, "vehicle_number"),
            car_number=_rows_of_vehicle(entries, vehicle, "car_number"),
            vehicle_class=_rows_of_vehicle(results, vehicle, "vehicle_class"),
            position=_rows_of_vehicle(results, vehicle, "position"),
            gap_first_s=_rows_of_vehicle(results, vehicle, "gap_first_s"),
            dptad_overall_avg=scores.get(vehicle, {}).get("overall"),
            karma_overall_last=karma.get(vehicle),
            style_aggressive_share=styles.get(vehicle),
        )
        for vehicle in entries
    }


def _by_vehicle(lake: Lake, table: str, part: Part) -> dict[Vehicle, Row]:
    return {(row.session_id, row.vehicle_id): row for row in read_rows(lake, table, part) if row.vehicle_id is not None}


def _rows_of_vehicle(rows: Mapping[Vehicle, Row], vehicle: Vehicle, column: str) -> Any:
    return rows[vehicle][column] if vehicle in rows else None


def aggressive_shares(lake: Lake, part: Part) -> dict[Vehicle, float]:
    """Share of each car's style windows that are called aggressive."""
    labels: defaultdict[Vehicle, list[bool]] = defaultdict(list)
    for row in read_rows(lake, GOLD_STYLE_PREDICTIONS, part, (*VEHICLE, "label")):
        if row.label is not None:
            labels[row.session_id, row.vehicle_id].append(row.label == "AGGRESSIVE")
    return {vehicle: sum(found) / len(found) for vehicle, found in labels.items()}


def last_karma(lake: Lake, part: Part) -> dict[Vehicle, float]:
    """Overall karma of each car's last lap that has a score."""
    columns = (*VEHICLE, "lap_number", "component", "karma_score")
    rows = read_rows(lake, GOLD_KARMA_SCORES, part, columns)
    scored = (r for r in rows if r.component == "overall" and r.karma_score is not None)
    return {(r.session_id, r.vehicle_id): r.karma_score for r in sorted(scored, key=lambda r: r.lap_number)}
