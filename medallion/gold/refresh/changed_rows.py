"""Changed rows of the tables that gold is computed from, by what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from conf.tables import (
    GOLD_KARMA_SCORES,
    GOLD_STYLE_PREDICTIONS,
    SILVER_ENTRIES,
    SILVER_ENVIRONMENT,
    SILVER_LAPS,
    SILVER_RESULTS,
    SILVER_TELEMETRY,
)
from medallion.changes import TableChanges

_VEHICLE: Final = ("session_id", "vehicle_id")
_KEYS: Final = (*_VEHICLE, "lap_number")
_READ: Final[Mapping[str, Sequence[str]]] = {
    SILVER_LAPS: _KEYS,
    SILVER_TELEMETRY: (*_KEYS, "event_ts"),
    SILVER_ENVIRONMENT: ("session_id", "event_ts"),
    SILVER_RESULTS: _VEHICLE,
    SILVER_ENTRIES: _VEHICLE,
    GOLD_STYLE_PREDICTIONS: _VEHICLE,
    GOLD_KARMA_SCORES: _VEHICLE,
}
SOURCES: Final = tuple(_READ)
OF_VEHICLES: Final = tuple(source for source, columns in _READ.items() if tuple(columns) == _VEHICLE)
"""Those whose rows say something of a vehicle in a session as a whole."""


@dataclass(frozen=True)
class ChangedRows:
    """Changed rows of one table and of one session, vehicle and lap, as far as the table tells these.

    Attributes:
        source: Table.
        session_id: Session.
        vehicle_id: Vehicle.
        lap_number: Lap.
        n: How many.
        first_us: First of their times, microseconds since the epoch.
        last_us: Last.
    """

    source: str
    session_id: str
    vehicle_id: str | None
    lap_number: int | None
    n: int
    first_us: int | None = None
    last_us: int | None = None


def columns_read(source: str) -> Sequence[str]:
    """What is read of one of ``SOURCES``."""
    return _READ[source]


def read_changed_rows(changes: TableChanges) -> list[ChangedRows]:
    """What changed in ``SOURCES``."""
    return [rows for source in SOURCES for rows in group_rows(source, changes.rows(source, _READ[source]))]


def group_rows(source: str, tables: Iterable[pa.Table]) -> list[ChangedRows]:
    """Group rows of one of ``SOURCES`` by session, vehicle and lap; those without a session are left out."""
    columns = _READ[source]
    keys, timed = [c for c in columns if c in _KEYS], "event_ts" in columns
    found: dict[tuple[object, ...], ChangedRows] = {}
    for table in tables:
        rows = table.select(columns)
        ends = [("event_ts", "min"), ("event_ts", "max")] if timed else []
        if timed:
            rows = rows.set_column(columns.index("event_ts"), "event_ts", rows["event_ts"].cast(pa.int64()))
        for group in rows.group_by(keys).aggregate([("session_id", "count"), *ends]).to_pylist():
            if group["session_id"] is None:
                continue
            new = ChangedRows(
                source,
                group["session_id"],
                group.get("vehicle_id"),
                group.get("lap_number"),
                group["session_id_count"],
                group.get("event_ts_min"),
                group.get("event_ts_max"),
            )
            key = tuple(group[name] for name in keys)
            found[key] = _joined(found[key], new) if key in found else new
    return list(found.values())


def _joined(one: ChangedRows, other: ChangedRows) -> ChangedRows:
    first = [us for us in (one.first_us, other.first_us) if us is not None]
    last = [us for us in (one.last_us, other.last_us) if us is not None]
    return ChangedRows(
        one.source,
        one.session_id,
        one.vehicle_id,
        one.lap_number,
        one.n + other.n,
        min(first, default=None),
        max(last, default=None),
    )
