"""Refresh clocks, entries, laps and results after new messages in silver.

A step over the changes of the silver tables, so that a kill at any place costs nothing: it is noted what has been
looked at, and each part depends on the tables' content alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set

import pyarrow as pa

from conf.tables import SILVER_RESULT_LINES, SILVER_SECTOR_TIMES, SILVER_TELEMETRY, SILVER_TIMING_EVENTS
from medallion.batching import batches_by_size
from medallion.changes import CHANGE_TYPE, TableChanges
from medallion.io import Lake
from medallion.silver import event_time, laps, results
from streaming.follow import TableFollower
from streaming.query import Trigger

NAME = "silver_closing"
TABLES = (*laps.TABLES, *results.TABLES)
MOST_VEHICLES = 100
"""Closed at a time, as far as whole sessions allow."""
_SOURCES = (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES, SILVER_RESULT_LINES)
_READ = ("session_id", "vehicle_id", "n_readings")
_UPDATES = {"update_preimage": -1, "update_postimage": 1}


def follow_silver(lake: Lake, run_id: str, trigger: Trigger, job: str) -> TableFollower:
    """Start to follow ``silver.telemetry`` and the timing and result tables."""
    lake.ensure_all((SILVER_TELEMETRY, *_SOURCES, *TABLES))

    def refresh(changes: TableChanges) -> None:
        refresh_session_tables(lake, changed_vehicles(changes), run_id)

    tables = (SILVER_TELEMETRY, *_SOURCES)
    return TableFollower(lake, NAME, tables, refresh, trigger, job, instead_of=(NAME,)).start()


def changed_vehicles(changes: TableChanges) -> dict[str, set[str]]:
    """Sessions of which anything changed, and their vehicles with samples that did."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for session, vehicle in vehicles_with_new_samples(changes.rows(SILVER_TELEMETRY, _READ)):
        found[session].add(vehicle)
    for name in _SOURCES:
        for rows in changes.rows(name, ("session_id",)):
            for session in rows["session_id"].unique().to_pylist():
                found.setdefault(session, set())
    return dict(found)


def vehicles_with_new_samples(tables: Iterable[pa.Table]) -> set[tuple[str, str]]:
    """Sessions and vehicles with samples that were added, removed, or have more readings than before.

    Times and lap numbers of a sample change by the steps here alone: they say nothing new to them.

    Args:
        tables: Changed rows of ``silver.telemetry``.
    """
    found, readings = set(), Counter[tuple[str, str]]()
    for rows in tables:
        keys = ["session_id", "vehicle_id", CHANGE_TYPE]
        for row in rows.group_by(keys).aggregate([("n_readings", "sum")]).to_pylist():
            key, sign = (row["session_id"], row["vehicle_id"]), _UPDATES.get(row[CHANGE_TYPE])
            if sign is None:
                found.add(key)
            else:
                readings[key] += sign * (row["n_readings_sum"] or 0)
    return found | {key for key, n in readings.items() if n}


def refresh_session_tables(lake: Lake, vehicles: Mapping[str, Set[str]], run_id: str) -> None:
    """Refresh the clocks of vehicles with new telemetry, then entries, laps and results of their sessions.

    Args:
        lake: Where the tables are.
        vehicles: Those with new telemetry, by session; all sessions of which anything has changed.
        run_id: Job run.
    """
    for names in batches_by_size({session: 1 + len(found) for session, found in vehicles.items()}, MOST_VEHICLES):
        changed = [laps.SessionChange(session, frozenset(vehicles[session])) for session in sorted(names)]
        event_time.update_event_times(
            lake, run_id, [(c.session_id, car) for c in changed for car in sorted(c.vehicles)]
        )
        laps.update_laps(lake, changed, run_id)
        results.update_results(lake, sorted(names), run_id)
