"""``silver.results`` and ``silver.drivers``: one line an entry out of all sheets, and who the cars are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pyspark.sql import Row
from pyspark.sql import functions as F

from conf.contract import load_contract
from medallion.io import Lake
from medallion.schema import sql_literal
from medallion.silver.lap_rows import to_datetime, to_us

LINES = "silver.result_lines"
RESULTS = "silver.results"
DRIVERS = "silver.drivers"
TABLES = (RESULTS, DRIVERS)

_TAKEN = ("position", "position_in_class", "status", "laps", "fl_lap", "vehicle_class", "vehicle_model", "is_official")
_SECONDS = {
    "total_time_s": "total_time_ms",
    "gap_first_s": "gap_first_ms",
    "gap_previous_s": "gap_previous_ms",
    "fl_time_s": "fl_time_ms",
}
_COMPARED = ("position", "laps", "total_time_ms", "fl_lap", "fl_time_ms")


def update_results(lake: Lake, sessions: Iterable[str], run_id: str) -> None:
    """Bring the results of sessions, and the drivers seen in them, up to date."""
    for session in sessions:
        where = f"session_id = {sql_literal(session)}"
        entries = lake.read("silver.entries").where(where).collect()
        vehicles = {e.vehicle_number: e.vehicle_id for e in entries if e.vehicle_number is not None}
        lines: defaultdict[int, list[Row]] = defaultdict(list)
        for line in lake.read(LINES).where(where).collect():
            lines[line.vehicle_number].append(line)
        rows = [result_row(number, found, vehicles.get(number)) for number, found in sorted(lines.items())]
        _upsert(lake, RESULTS, [r | {"session_id": session, "run_id": run_id} for r in rows], f"t.{where}")
        _update_drivers(lake, session, entries, rows, run_id)


def result_row(number: int, lines: Sequence[Any], vehicle_id: str | None) -> dict[str, Any]:
    """One entry's result: each figure from the first sheet that has it, official ones first.

    Args:
        number: Number raced under.
        lines: The entry's lines of all sheets.
        vehicle_id: Who raced under the number.
    """
    ordered = sorted(lines, key=lambda line: (not line.is_official, line.sheet != "results"))

    def first(column: str) -> Any:
        return next((line[column] for line in ordered if line[column] is not None), None)

    row = {column: first(column) for column in _TAKEN}
    row |= {name: None if first(column) is None else first(column) / 1000 for name, column in _SECONDS.items()}
    row |= {"vehicle_number": number, "vehicle_id": vehicle_id, "fl_kph": first("fl_kmh")}
    return row | {"conflicts": _contradictions(ordered)}


def _contradictions(lines: Sequence[Any]) -> list[str]:
    found = []
    for column in _COMPARED:
        said = {line[column]: line for line in reversed(lines) if line[column] is not None}
        if len(said) > 1:
            words = (f"{_sheet(line)} {value}" for value, line in sorted(said.items(), key=lambda i: _sheet(i[1])))
            found.append(f"{column}: {', '.join(words)}")
    return found


def _sheet(line: Any) -> str:
    return f"{'official' if line.is_official else 'provisional'} {line.sheet.replace('_', ' ')}"


def _update_drivers(
    lake: Lake, session: str, entries: Sequence[Row], results: Sequence[dict[str, Any]], run_id: str
) -> None:
    """Cars of a session, and what the sheets say of them; what is known already stays where they say nothing."""
    by_vehicle = {r["vehicle_id"]: r for r in results}
    seen = lake.read("silver.sessions").where(f"session_id = {sql_literal(session)}").first()
    known = {r.vehicle_id: r for r in lake.read(DRIVERS).collect()}
    rows = []
    for entry in entries:
        if entry.match_source == "file":
            continue
        old, result = known.get(entry.vehicle_id), by_vehicle.get(entry.vehicle_id, {})
        parts = entry.vehicle_id.split("-")
        times = [to_datetime(to_us(t)) for t in (seen and seen.start_ts, seen and seen.end_ts) if t]
        row = {
            "vehicle_id": entry.vehicle_id,
            "vehicle_number": entry.vehicle_number if entry.vehicle_number is not None else _old(old, "vehicle_number"),
            "vehicle_class": result.get("vehicle_class") or _old(old, "vehicle_class"),
            "vehicle_model": result.get("vehicle_model") or _old(old, "vehicle_model"),
            "chassis_number": parts[1] if len(parts) == 3 else None,
            "driver_id": _old(old, "driver_id"), "driver_name": _old(old, "driver_name"), "team": _old(old, "team"),
            "first_seen_ts": min([*times, *_seen_at(old, "first_seen_ts")], default=None),
            "last_seen_ts": max([*times, *_seen_at(old, "last_seen_ts")], default=None),
            "run_id": run_id,
        }  # fmt: skip
        rows.append(row)
    _upsert(lake, DRIVERS, rows, None)


def _old(row: Row | None, column: str) -> Any:
    return None if row is None else row[column]


def _seen_at(row: Row | None, column: str) -> list[Any]:
    at = _old(row, column)
    return [] if at is None else [to_datetime(to_us(at))]


def _upsert(lake: Lake, table: str, rows: list[dict[str, Any]], delete_where: str | None) -> None:
    columns = [c for c in load_contract(table).columns if c.name != "updated_ts"]
    schema = ", ".join(f"{c.name} {c.physical_type}" for c in columns)
    frame = lake.spark.createDataFrame([tuple(r.get(c.name) for c in columns) for r in rows], schema)
    lake.upsert(
        frame.withColumn("updated_ts", F.current_timestamp()), table, delete_where=delete_where, prune=delete_where
    )
