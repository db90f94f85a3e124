"""Refresh clocks, entries, laps and results after new messages in silver.

A step over the changes of the silver tables, so that a kill at any place costs nothing: it is noted what has been
looked at, and each part depends on the tables' content alone.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

import pyarrow as pa

from conf.tables import (
    OPS_STEP_FAILURES,
    SILVER_CLOCK_OFFSETS,
    SILVER_LAPS,
    SILVER_RESULT_LINES,
    SILVER_SECTOR_TIMES,
    SILVER_TELEMETRY,
    SILVER_TIMING_EVENTS,
)
from medallion.batching import batches_by_size
from medallion.changes import CHANGE_TYPE, TableChanges
from medallion.io import Lake
from medallion.isolation import WHOLE_SESSION, isolate, record_failures
from medallion.keys import Vehicle
from medallion.silver import event_time, laps, results
from streaming.follow import TableFollower
from streaming.query import Trigger
from streaming.waiting import WaitingKeys

NAME = "silver_closing"
TABLES = (*laps.TABLES, *results.TABLES, OPS_STEP_FAILURES)
LONGEST_S = 20.0
"""A car waits no longer for the end of its lap."""
SILENT_S = 60.0
"""A car without new samples for so long has stopped."""
MOST_VEHICLES = 100
"""Closed at a time, as far as whole sessions allow."""
_SOURCES = (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES, SILVER_RESULT_LINES)
_READ = ("session_id", "vehicle_id", "n_readings")
_UPDATES = {"update_preimage": -1, "update_postimage": 1}


def follow_silver(lake: Lake, run_id: str, trigger: Trigger, *, puts_off: bool = False) -> TableFollower:
    """Start to follow ``silver.telemetry`` and the timing and result tables.

    Args:
        lake: Where they are.
        run_id: Job run.
        trigger: When to run.
        puts_off: Whether cars of which there are but samples wait for the end of a lap, or a while; if not, those that
            wait are looked at.
    """
    lake.ensure_all((SILVER_TELEMETRY, *_SOURCES, *TABLES))
    kept, kept_clocks = WaitingKeys(lake, NAME), WaitingKeys(lake, NAME, "clocks")

    def now_s() -> float | None:
        return time.time() if puts_off else None

    def refresh(changes: TableChanges) -> None:
        samples, timing = session_changes(changes)
        found, waiting = choose_vehicles(samples, timing, kept.read(), now_s())
        silent, driving = choose_silent(samples, kept_clocks.read(), now_s())
        for session, vehicle in silent:
            found.setdefault(session, set()).add(vehicle)
        stayed = refresh_session_tables(lake, found, run_id, restated=silent if puts_off else None)
        kept_clocks.write({**driving, **dict.fromkeys(stayed, time.time())})
        kept.write(waiting)

    def is_due() -> bool:
        late, _ = choose_vehicles((), {}, kept.read(), now_s())
        silent, _ = choose_silent((), kept_clocks.read(), now_s())
        return bool(late or silent)

    tables = (SILVER_TELEMETRY, *_SOURCES)
    return TableFollower(lake, NAME, tables, refresh, trigger, instead_of=(NAME,), is_due=is_due).start()


def choose_vehicles(
    new_samples: Iterable[Vehicle],
    timing: Mapping[str, Set[str]],
    since: Mapping[Vehicle, float],
    now_s: float | None,
) -> tuple[dict[str, set[str]], dict[Vehicle, float]]:
    """Choose whose clocks and laps to refresh now.

    To restate a car's clock and to number its samples is to write its race anew: while it drives, once a lap is enough.

    Args:
        new_samples: Vehicles with new samples.
        timing: Sessions of which timing or results say something new, and the vehicles that it is about.
        since: Vehicles that wait, and since when, seconds since the epoch.
        now_s: Time of this step; ``None`` lets nobody wait.

    Returns:
        Vehicles by session, and those that wait.
    """
    waits = {**dict.fromkeys(new_samples, now_s or 0.0), **since}
    later = {
        (session, vehicle): at
        for (session, vehicle), at in waits.items()
        if now_s is not None and now_s - at < LONGEST_S and vehicle not in timing.get(session, ())
    }
    found: dict[str, set[str]] = {session: set() for session in timing}
    for session, vehicle in waits.keys() - later.keys():
        found.setdefault(session, set()).add(vehicle)
    return found, later


def choose_silent(
    new_samples: Iterable[Vehicle], since: Mapping[Vehicle, float], now_s: float | None
) -> tuple[set[Vehicle], dict[Vehicle, float]]:
    """Choose whose clocks, which stayed as they were while the cars drove, are restated now.

    Args:
        new_samples: Vehicles with new samples.
        since: Vehicles whose clocks stayed, and when they last had new samples, seconds since the epoch.
        now_s: Time of this step; ``None`` waits for nobody.

    Returns:
        Those that have fallen silent, and the others, with new times.
    """
    if now_s is None:
        return set(since), {}
    driving = {**since, **dict.fromkeys(since.keys() & set(new_samples), now_s)}
    silent = {vehicle for vehicle, at in driving.items() if now_s - at >= SILENT_S}
    return silent, {vehicle: at for vehicle, at in driving.items() if vehicle not in silent}


def session_changes(changes: TableChanges) -> tuple[set[Vehicle], dict[str, set[str]]]:
    """Vehicles with samples that changed; sessions whose timing or results did, and the vehicles of these rows."""
    timing: defaultdict[str, set[str]] = defaultdict(set)
    for name in _SOURCES:
        for rows in changes.rows(name, ("session_id", "vehicle_id")):
            for row in rows.group_by(["session_id", "vehicle_id"]).aggregate([]).to_pylist():
                timing[row["session_id"]].update({row["vehicle_id"]} - {None})
    return vehicles_with_new_samples(changes.rows(SILVER_TELEMETRY, _READ)), dict(timing)


def vehicles_with_new_samples(tables: Iterable[pa.Table]) -> set[Vehicle]:
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


def refresh_session_tables(
    lake: Lake, vehicles: Mapping[str, Set[str]], run_id: str, restated: Set[Vehicle] | None = None
) -> set[Vehicle]:
    """Refresh the clocks of vehicles with new telemetry, then entries, laps and results of their sessions.

    A vehicle or a session for which that fails is recorded, see :mod:`medallion.isolation`, and the others go on.

    Args:
        lake: Where the tables are.
        vehicles: Those with new telemetry, by session; all sessions of which anything has changed.
        run_id: Job run.
        restated: Those whose samples are brought up to date however little they moved; all of them if left out.

    Returns:
        Vehicles whose samples stayed as they were, see :func:`~medallion.silver.event_time.update_event_times` and
        :func:`~medallion.silver.laps.update_laps`, and those whose clocks could not be found.
    """
    stayed: set[Vehicle] = set()
    for names in batches_by_size({session: 1 + len(found) for session, found in vehicles.items()}, MOST_VEHICLES):
        stayed |= _refresh_sessions(lake, {name: vehicles[name] for name in sorted(names)}, run_id, restated)
    return stayed


def _refresh_sessions(
    lake: Lake, vehicles: Mapping[str, Set[str]], run_id: str, restated: Set[Vehicle] | None
) -> set[Vehicle]:
    cars = sorted((session, car) for session, found in vehicles.items() for car in found)
    sessions = [(session, WHOLE_SESSION) for session in vehicles]
    driven = set() if restated is None else set(cars) - restated
    stayed: set[Vehicle] = set()

    def restate_clocks(some: Sequence[Vehicle]) -> None:
        stayed.update(event_time.update_event_times(lake, run_id, some, driven))

    def build_laps(some: Sequence[Vehicle]) -> None:
        changes = [laps.SessionChange(session, frozenset(vehicles[session])) for session, _ in some]
        stayed.update(laps.update_laps(lake, changes, run_id, driven))
        results.update_results(lake, [change.session_id for change in changes], run_id)

    lost = isolate(cars, restate_clocks)
    record_failures(lake, SILVER_CLOCK_OFFSETS, cars, lost, run_id)
    record_failures(lake, SILVER_LAPS, sessions, isolate(sessions, build_laps), run_id)
    return stayed | lost.keys()
