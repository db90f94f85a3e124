"""``silver.results`` and ``silver.drivers``: one line an entry out of all sheets, and who the cars are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Row

from analysis.timing.car_numbers import digits_of_number, match_number, number_of_row, number_order
from analysis.timing.crews import SessionCrews, find_crews, usual_drivers
from analysis.timing.session_laps import datetime_to_us, sheet_order, us_to_datetime
from conf.tables import (
    SILVER_DRIVERS,
    SILVER_ENTRIES,
    SILVER_LAPS,
    SILVER_RESULT_LINES,
    SILVER_RESULTS,
    SILVER_SECTOR_TIMES,
    SILVER_SESSIONS,
)
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import Part, sessions_part
from medallion.reading import read_rows
from medallion.silver.vehicle_ids import chassis_of

TABLES = (SILVER_RESULTS, SILVER_DRIVERS)

_TAKEN = ("position", "position_in_class", "status", "laps", "fl_lap", "vehicle_class", "vehicle_model", "is_official")
_SECONDS = {
    "total_time_s": "total_time_ms",
    "gap_first_s": "gap_first_ms",
    "gap_previous_s": "gap_previous_ms",
    "fl_time_s": "fl_time_ms",
}
_COMPARED = ("position", "laps", "total_time_ms", "fl_lap", "fl_time_ms")
_MEASURED = ("total_time_ms", "fl_lap", "fl_time_ms")  # of which 0 says that there is none


def update_results(lake: Lake, sessions: Sequence[str], run_id: str) -> None:
    """Bring the results of sessions, and the drivers seen in them, up to date."""
    if not sessions:
        return
    entries, lines, sectors, seen = (
        _by_session(lake, table, sessions)
        for table in (SILVER_ENTRIES, SILVER_RESULT_LINES, SILVER_SECTOR_TIMES, SILVER_SESSIONS)
    )
    seen_before = Part(({"vehicle_id": sorted({e.vehicle_id for found in entries.values() for e in found})},))
    of_laps = ("session_id", "vehicle_id", "driver_id")
    drove = usual_drivers(read_rows(lake, SILVER_LAPS, sessions_part(sessions), of_laps))
    known: dict[str, Any] = {r.vehicle_id: r for r in read_rows(lake, SILVER_DRIVERS, seen_before)}
    results: list[dict[str, Any]] = []
    drivers: dict[str, dict[str, Any]] = {}
    for session in sessions:
        own = _result_rows(entries[session], lines[session])
        results += [row | {"session_id": session} for row in own]
        crews = find_crews(sectors[session], lines[session])
        found = _driver_rows(entries[session], crews, next(iter(seen[session]), None), known, drove)
        drivers |= found
        known |= found
    exchange_rows(lake, SILVER_RESULTS, results, sessions_part(sessions), run_id)
    exchange_rows(lake, SILVER_DRIVERS, drivers.values(), Part(({"vehicle_id": sorted(drivers)},)), run_id)


def _by_session(lake: Lake, table: str, sessions: Sequence[str]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_rows(lake, table, sessions_part(sessions)):
        found[row.session_id].append(row)
    return found


def _result_rows(entries: Sequence[Row], lines: Sequence[Row]) -> list[dict[str, Any]]:
    by_number: defaultdict[str, list[Row]] = defaultdict(list)
    for line in lines:
        by_number[number_of_row(line) or ""].append(line)
    vehicles: dict[str, str] = {}
    numbers = {number_of_row(entry) for entry in entries}
    for entry in sorted(entries, key=lambda e: (e.match_source != "clock", e.vehicle_id)):
        if (number := match_number(number_of_row(entry), by_number, numbers)) in by_number:
            vehicles.setdefault(number or "", entry.vehicle_id)
    return [result_row(n, by_number[n], vehicles.get(n)) for n in sorted(by_number, key=number_order)]


def result_row(number: str, lines: Sequence[Any], vehicle_id: str | None) -> dict[str, Any]:
    """One entry's result: each figure from the first sheet that has it, official ones first.

    Args:
        number: Number raced under.
        lines: The entry's lines of all sheets.
        vehicle_id: Who raced under the number.
    """
    ordered = sorted(lines, key=sheet_order)

    def first(column: str) -> Any:
        return next((value for line in ordered if (value := _stated(line, column)) is not None), None)

    row = {column: first(column) for column in _TAKEN}
    row |= {name: None if first(column) is None else first(column) / 1000 for name, column in _SECONDS.items()}
    row |= {"vehicle_number": digits_of_number(number), "car_number": number, "vehicle_id": vehicle_id}
    row |= {"fl_kph": first("fl_kmh")}
    return row | {"conflicts": _contradictions(ordered)}


def _stated(line: Any, column: str) -> Any:
    value = line[column]
    return None if value == 0 and column in _MEASURED else value


def _contradictions(lines: Sequence[Any]) -> list[str]:
    found = []
    for column in _COMPARED:
        stated = {value: line for line in reversed(lines) if (value := _stated(line, column)) is not None}
        if len(stated) > 1:
            words = (f"{_sheet(line)} {value}" for value, line in sorted(stated.items(), key=lambda i: _sheet(i[1])))
            found.append(f"{column}: {', '.join(words)}")
    return found


def _sheet(line: Any) -> str:
    return f"{'official' if line.is_official else 'provisional'} {line.sheet.replace('_', ' ')}"


def _driver_rows(
    entries: Sequence[Row],
    crews: SessionCrews,
    seen: Row | None,
    known: Mapping[str, Any],
    drove: Mapping[Vehicle, str],
) -> dict[str, dict[str, Any]]:
    """Cars of a session, and what sheets and telemetry say of them; what is known stays where they say nothing."""
    rows = {}
    for entry in entries:
        if entry.match_source == "file":
            continue
        old, crew = known.get(entry.vehicle_id), crews.crew(number_of_row(entry))
        chassis = chassis_of(entry.vehicle_id)
        times = [us_to_datetime(datetime_to_us(t)) for t in (seen and seen.start_ts, seen and seen.end_ts) if t]
        rows[entry.vehicle_id] = {
            "vehicle_id": entry.vehicle_id,
            **{name: _known_number(entry, old, name) for name in ("vehicle_number", "car_number")},
            "vehicle_class": crew.vehicle_class or _existing_drivers(old, "vehicle_class"),
            "vehicle_model": crew.vehicle_model or _existing_drivers(old, "vehicle_model"),
            "chassis_number": None if chassis is None else chassis.rpartition("-")[2],
            "driver_id": drove.get((entry.session_id, entry.vehicle_id)) or _existing_drivers(old, "driver_id"),
            "driver_name": crew.driver_name or _existing_drivers(old, "driver_name"),
            "team": crew.team or _existing_drivers(old, "team"),
            "first_seen_ts": min([*times, *_seen_at(old, "first_seen_ts")], default=None),
            "last_seen_ts": max([*times, *_seen_at(old, "last_seen_ts")], default=None),
        }
    return rows


def _known_number(entry: Row, old: Any, column: str) -> Any:
    return _existing_drivers(old, column) if entry.vehicle_number is None else entry[column]


def _existing_drivers(row: Any, column: str) -> Any:
    return None if row is None else row[column]


def _seen_at(row: Any, column: str) -> list[Any]:
    at = _existing_drivers(row, column)
    return [] if at is None else [us_to_datetime(datetime_to_us(at))]
