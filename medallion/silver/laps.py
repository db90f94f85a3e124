"""``silver.laps`` and ``silver.entries``, kept in step with timing and telemetry, and ``lap_number`` of the samples.

Timing of a session is a few thousand rows: it is collected and worked on whole. Telemetry is read of those vehicles
only whose samples or lap boundaries changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import Row

from analysis.timing.crews import SessionCrews, find_crews
from analysis.timing.laps import JudgedLap
from analysis.timing.line_crossings import Interval
from analysis.timing.session_laps import (
    LapTelemetry,
    SessionLaps,
    build_session_laps,
    collect_timing,
    counter_crossings,
    datetime_to_us,
    entry_row,
    evaluate_session_laps,
    lap_row,
)
from analysis.timing.sheet_clock import CarCrossings
from conf.laps import load_lap_rules
from conf.tables import (
    SILVER_CLOCK_OFFSETS,
    SILVER_ENTRIES,
    SILVER_LAPS,
    SILVER_RESULT_LINES,
    SILVER_SECTOR_TIMES,
    SILVER_TIMING_EVENTS,
)
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import sessions_part
from medallion.reading import read_rows
from medallion.silver.driven_laps import VehicleSamples

TABLES = (SILVER_ENTRIES, SILVER_LAPS)


@dataclass(frozen=True)
class SessionChange:
    """What has changed of one session: its timing, or the telemetry of some vehicles."""

    session_id: str
    vehicles: frozenset[str]


def update_laps(
    lake: Lake, changes: Sequence[SessionChange], run_id: str, driven: Set[Vehicle] = frozenset()
) -> set[Vehicle]:
    """Bring entries, laps and the samples' lap numbers of changed sessions up to date.

    The result depends on the tables' content alone, so repeating it, or running it after a kill, changes nothing.

    Args:
        lake: Where the tables are.
        changes: What has changed.
        run_id: Job run.
        driven: Vehicles that are driving, see :meth:`~medallion.silver.driven_laps.VehicleSamples.number`.

    Returns:
        Those of ``driven`` that are to be looked at again.
    """
    return _SessionLapsUpdate(lake, changes, run_id).run(driven) if changes else set()


class _SessionLapsUpdate:
    def __init__(self, lake: Lake, changes: Sequence[SessionChange], run_id: str) -> None:
        self.lake, self.changes, self.run_id = lake, changes, run_id
        self.rules = load_lap_rules()
        self.names = [c.session_id for c in changes]
        self.part = sessions_part(self.names)
        self.crews: dict[str, SessionCrews] = {}

    def run(self, driven: Set[Vehicle]) -> set[Vehicle]:
        before: defaultdict[str, dict[tuple[str, int], Row]] = defaultdict(dict)
        for row in read_rows(self.lake, SILVER_LAPS, self.part):
            before[row.session_id][row.vehicle_id, row.lap_number] = row
        sessions, stale = self._sessions(before)
        intervals = {
            (s, v): lap_intervals(laps)
            for s, session in sessions.items()
            for v, laps in session.laps.items()
            if v in stale[s]
        }
        found: defaultdict[str, list[Row]] = defaultdict(list)
        vehicles = {(name, vehicle) for name, own in stale.items() for vehicle in own}
        samples = VehicleSamples(self.lake, vehicles, self.run_id)
        for row in samples.summarise_laps(intervals):
            found[row.session_id].append(row)
        entries: list[dict[str, Any]] = []
        laps: list[dict[str, Any]] = []
        for name, session in sessions.items():
            own = {"session_id": name}
            entries += [entry_row(e) | own for e in session.entries]
            rows = self._rows(session, before[name], found[name], stale[name])
            laps += [row | own | self.crews[name].driver_columns(row) for row in rows]
        # The laps come last: while they stand as they were, a run that was killed finds the same vehicles again.
        stayed = samples.number(intervals | _restarted_laps(sessions, found), driven)
        exchange_rows(self.lake, SILVER_ENTRIES, entries, self.part, self.run_id)
        exchange_rows(self.lake, SILVER_LAPS, laps, self.part, self.run_id)
        return stayed

    def _sessions(
        self, before: Mapping[str, Mapping[tuple[str, int], Row]]
    ) -> tuple[dict[str, SessionLaps], dict[str, set[str]]]:
        """Entries and laps of every session, and the vehicles whose telemetry is to be read."""
        events, sectors, seen, results = (
            self._by_session(t)
            for t in (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES, SILVER_CLOCK_OFFSETS, SILVER_RESULT_LINES)
        )
        sessions, stale = {}, {}
        for change in self.changes:
            name = change.session_id
            cars = dict.fromkeys((row.vehicle_id for row in seen[name]), None)
            timing = collect_timing(events[name], sectors[name], cars, results[name])
            self.crews[name] = find_crews(sectors[name], results[name])
            timing = replace(timing, counted=self._counted(name, timing.needs_counters & cars.keys()))
            sessions[name] = build_session_laps(timing, self.rules)
            moved = vehicles_with_moved_laps(sessions[name], before[name])
            counted = {v for (v, _), row in before[name].items() if row.lap_time_source == "telemetry"}
            untimed = counted - sessions[name].laps.keys()  # their laps are in their samples alone
            stale[name] = (set(change.vehicles) | moved | untimed) & set(timing.numbers)
        return sessions, stale

    def _counted(self, session: str, vehicles: Collection[str]) -> dict[str, CarCrossings]:
        """Crossings by the cars' own counters."""
        if not vehicles:
            return {}
        samples = VehicleSamples(self.lake, {(session, v) for v in vehicles}, self.run_id)
        laps: defaultdict[str, list[JudgedLap]] = defaultdict(list)
        for row in samples.summarise_laps({}):
            laps[row.vehicle_id].append(JudgedLap(row.lap_number, "telemetry", row.start_us, row.end_us, None))
        crossed = {v: counter_crossings(found) for v, found in laps.items()}
        return {v: car for v, car in crossed.items() if len(car.time_us)}

    def _by_session(self, table: str) -> defaultdict[str, list[Row]]:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for row in read_rows(self.lake, table, self.part):
            rows[row.session_id].append(row)
        return rows

    def _rows(
        self, session: SessionLaps, before: Mapping[tuple[str, int], Row], found: Sequence[Row], stale: set[str]
    ) -> list[dict[str, Any]]:
        """Rows of ``silver.laps``: what the telemetry says of a lap is taken over where it has not changed."""
        driven = {k: _earlier_findings(r) for k, r in before.items() if k[0] not in stale}
        driven |= {(r.vehicle_id, r.lap_number): _driven(r) for r in found}
        synthetic = {v for (v, _), r in before.items() if r.is_synthetic and v not in stale}
        synthetic |= {r.vehicle_id for r in found if r.is_synthetic}
        numbers = {e.vehicle_id: e.number for e in session.entries}
        whole = replace(session, laps=dict(session.laps) | _by_counter(found, session.laps))
        return [
            lap_row(vehicle, numbers.get(vehicle), lap, drive, self.rules) | {"is_synthetic": vehicle in synthetic}
            for vehicle, laps in evaluate_session_laps(whole, driven, self.rules).items()
            for lap, drive in laps
        ]


def vehicles_with_moved_laps(session: SessionLaps, before: Mapping[tuple[str, int], Row]) -> set[str]:
    """Vehicles whose laps begin or end elsewhere than they did.

    Args:
        session: Laps as they are now.
        before: Rows of ``silver.laps`` by vehicle and lap number.
    """
    old: defaultdict[str, set[Interval]] = defaultdict(set)
    for (vehicle, number), row in before.items():
        if row.lap_start_ts is not None and row.lap_end_ts is not None:
            old[vehicle].add((number, datetime_to_us(row.lap_start_ts), datetime_to_us(row.lap_end_ts)))
    return {v for v, laps in session.laps.items() if set(lap_intervals(laps)) != old[v]}


def lap_intervals(laps: Sequence[JudgedLap]) -> list[Interval]:
    """Number, start and end of the laps that have both."""
    return [
        (lap.number, lap.start_us, lap.end_us) for lap in laps if lap.start_us is not None and lap.end_us is not None
    ]


def _earlier_findings(row: Row) -> LapTelemetry:
    """What an earlier run found in the telemetry of a lap that has not changed."""
    return LapTelemetry(
        row.sample_count,
        row.telemetry_gap_s,
        row.lap_number_counter,
        row.top_speed_kmh,
        row.avg_speed_kmh,
        row.lap_distance_m,
        row.driver_id,
    )


def _driven(row: Row) -> LapTelemetry:
    return LapTelemetry(
        row.samples, row.gap_s, row.counter, row.top_speed_kmh, row.avg_speed_kmh, row.distance_m, row.driver_id
    )


def _by_counter(found: Sequence[Row], timed: Mapping[str, Sequence[JudgedLap]]) -> dict[str, list[JudgedLap]]:
    """Laps by the car's counter of the vehicles that have no timing."""
    laps: defaultdict[str, list[JudgedLap]] = defaultdict(list)
    for r in found:
        if r.vehicle_id not in timed:
            lap = JudgedLap(
                r.lap_number,
                "telemetry",
                r.start_us,
                r.end_us,
                round((r.end_us - r.start_us) / 1000),
                reasons=tuple(r.reasons),
                conflicts=tuple(r.conflicts),
            )
            laps[r.vehicle_id].append(lap)
    return dict(laps)


def _restarted_laps(
    sessions: Mapping[str, SessionLaps], found: Mapping[str, Sequence[Row]]
) -> dict[Vehicle, list[Interval]]:
    """Laps of the vehicles without timing whose counter restarted: their samples say other numbers."""
    laps: defaultdict[Vehicle, list[Interval]] = defaultdict(list)
    renumbered = set()
    for session, rows in found.items():
        for r in rows:
            if r.vehicle_id not in sessions[session].laps:
                laps[session, r.vehicle_id].append((r.lap_number, r.start_us, r.end_us + 1))
                if r.lap_number != r.counter:
                    renumbered.add((session, r.vehicle_id))
    return {vehicle: laps[vehicle] for vehicle in renumbered}
