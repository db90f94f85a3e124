"""``gold.lap_features``: one row per lap: telemetry from line to line, timing and weather beside it (B32, K5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.laps.features import LAP_CHANNELS, REACH_US, compute_lap_features
from analysis.laps.load_integrals import explain_missing_integrals
from analysis.timing.session_laps import datetime_to_us
from conf.tables import GOLD_LAP_FEATURES
from medallion.gold.timed_laps import TimedLap, read_timed_laps
from medallion.io import Lake
from medallion.keys import LapKey, Vehicle, distinct_sessions
from medallion.part import Clause, Part, Span, laps_part
from medallion.per_vehicle import OfVehicle, channel_arrays, last_known_value, sync_by_vehicle
from medallion.reading import read_rows
from medallion.silver.environment import SessionWeather, read_weather

_KEY: Final = ("session_id", "vehicle_id", "lap_number")


def update_lap_features(lake: Lake, laps: Sequence[LapKey], run_id: str) -> None:
    """Recompute laps and write what differs; rows of laps without samples are deleted."""
    if not laps:
        return
    wanted = _wanted_laps(laps, read_timed_laps(lake, laps_part(laps)))
    of_vehicle = vehicle_features(wanted, read_weather(lake, distinct_sessions(laps)))
    sync_by_vehicle(lake, GOLD_LAP_FEATURES, feature_samples(wanted), laps_part(laps), of_vehicle, run_id)


def laps_with_new_times(lake: Lake, laps: Sequence[LapKey], timed: Mapping[Vehicle, Sequence[TimedLap]]) -> set[LapKey]:
    """Find laps whose row is missing or has other times than ``silver.laps``.

    Rows whose samples alone have changed are not among them: those changes are followed sample by sample.

    Args:
        lake: Where the tables are.
        laps: Laps to look at.
        timed: What ``silver.laps`` says of them, by session and vehicle.
    """
    ends, sectors = ("lap_start_ts", "lap_end_ts"), [f"sector_{i}_time" for i in (1, 2, 3)]
    columns = (*_KEY, *ends, "lap_time_ms", *sectors, "is_valid")
    there = {}
    for row in read_rows(lake, GOLD_LAP_FEATURES, laps_part(laps), columns):
        times = tuple(datetime_to_us(row[end]) for end in ends)
        there[LapKey(*row[:3])] = (times, tuple(row[5:]))
    wanted = (lap for found in _wanted_laps(laps, timed).values() for lap in found)
    return {lap.key for lap in wanted if _differs(lap, *there.get(lap.key, (None, None)))}


def feature_samples(wanted: Mapping[Vehicle, Sequence[TimedLap]]) -> Part:
    """The samples that laps depend on, and some between them."""
    return Part(tuple(clause for vehicle, laps in sorted(wanted.items()) for clause in _sample_clauses(vehicle, laps)))


def vehicle_features(wanted: Mapping[Vehicle, Sequence[TimedLap]], weather: Mapping[str, SessionWeather]) -> OfVehicle:
    """The features of the laps of a vehicle, from its samples.

    A lap with an interval has all samples within it, whatever lap number they carry; one without has the samples that
    carry its number, from the first to the last. A lap without samples has no row.

    Args:
        wanted: Laps by session and vehicle.
        weather: By session.

    Returns:
        A function of all samples of :func:`feature_samples` of one vehicle, in order of time.
    """

    def of_vehicle(frame: pd.DataFrame) -> dict[str, Any]:
        session, vehicle = str(frame["session_id"].iloc[0]), str(frame["vehicle_id"].iloc[0])
        rows = [_lap_feature_columns(lap, frame, weather[session]) for lap in wanted[session, vehicle]]
        return pd.DataFrame([row for row in rows if row]).to_dict(orient="series")  # type: ignore[return-value]

    return of_vehicle


def _wanted_laps(laps: Sequence[LapKey], timed: Mapping[Vehicle, Sequence[TimedLap]]) -> dict[Vehicle, list[TimedLap]]:
    known = {lap.key: lap for found in timed.values() for lap in found}
    wanted: defaultdict[Vehicle, list[TimedLap]] = defaultdict(list)
    for key in laps:
        wanted[key.session_id, key.vehicle_id].append(known.get(key, TimedLap(key)))
    return dict(wanted)


def _differs(lap: TimedLap, interval: tuple[int, int] | None, timing: tuple[object, ...] | None) -> bool:
    """Whether a row with these times, none if there is no row, is not that of the lap."""
    if timing is None:
        return lap.samples > 0
    return timing != (lap.lap_time_ms, *lap.sectors_s, lap.is_valid) or lap.interval_us not in (None, interval)


def _sample_clauses(vehicle: Vehicle, laps: Sequence[TimedLap]) -> list[Clause]:
    own = {"session_id": [vehicle[0]], "vehicle_id": [vehicle[1]]}
    clauses: list[Clause] = []
    if numbers := [lap.key.lap_number for lap in laps if not lap.interval_us]:
        clauses.append(own | {"lap_number": numbers})
    if known := [lap.interval_us for lap in laps if lap.interval_us]:
        span = Span(min(at[0] for at in known) - REACH_US, max(at[1] for at in known) + REACH_US)
        clauses.append(own | {"event_ts": span})
    return clauses


def _lap_feature_columns(lap: TimedLap, rows: pd.DataFrame, weather: SessionWeather) -> dict[str, Any] | None:
    """Columns of one lap; ``None`` where there is no sample within it."""
    t_us = rows["t_us"].to_numpy(np.int64)
    if lap.interval_us:
        start, end = lap.interval_us
        near = rows.iloc[slice(*np.searchsorted(t_us, [start - REACH_US, end + REACH_US + 1]))]
        own = rows.iloc[slice(*np.searchsorted(t_us, [start, end]))]
    else:
        near = own = rows[rows["lap_number"] == lap.key.lap_number]
        start, end = (int(own["t_us"].min()), int(own["t_us"].max())) if len(own) else (0, 0)
    if own.empty:
        return None
    near_us, channels = near["t_us"].to_numpy(np.int64), channel_arrays(near, LAP_CHANNELS)
    return {
        **compute_lap_features(near_us / 1e6, channels, start / 1e6, end / 1e6),
        "reasons": explain_missing_integrals(near_us, channels, start, end) or None,
        "lap_number": lap.key.lap_number,
        "lap_start_ts": pd.Timestamp(start, unit="us"),
        "lap_end_ts": pd.Timestamp(end, unit="us"),
        "lap_time_ms": lap.lap_time_ms,
        **{f"sector_{i}_time": time for i, time in enumerate(lap.sectors_s, 1)},
        "is_valid": lap.is_valid,
        "is_synthetic": bool(last_known_value(own["is_synthetic"])),
        "driver_profile": last_known_value(own["driver_profile"]),
        "air_temp_c": _temperature(own["ambient_temp_c"], weather.mean("air_temp_c", start, end)),
        "track_temp_c": _temperature(own["track_temp_c"], weather.mean("track_temp_c", start, end)),
    }


def _temperature(own: pd.Series, measured_c: float) -> float:
    """What the car itself measured, else what the weather station did."""
    mean_c = float(own.astype(float).mean())
    return measured_c if np.isnan(mean_c) else mean_c
