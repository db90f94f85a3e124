"""``silver.laps`` and ``silver.entries``, kept in step with timing and telemetry, and ``lap_number`` of the samples.

Timing of a session is a few thousand rows: it is collected and worked on whole. Telemetry is read of those vehicles
only whose samples or lap boundaries changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from analysis.signals.held import hold_samples, time_integral, time_weighted_stats
from analysis.timing.laps import JudgedLap, build_counter_laps
from analysis.timing.session_laps import (
    LapTelemetry,
    SessionLaps,
    build_session_laps,
    collect_timing,
    datetime_to_us,
    entry_row,
    evaluate_session_laps,
    lap_row,
)
from conf.channel import load_channels
from conf.laps import load_lap_rules
from conf.tables import (
    SILVER_CLOCK_OFFSETS,
    SILVER_ENTRIES,
    SILVER_LAPS,
    SILVER_SECTOR_TIMES,
    SILVER_TELEMETRY,
    SILVER_TIMING_EVENTS,
)
from conf.units import KMH_PER_MPS
from medallion.exchange import exchange_rows, read_rows
from medallion.io import Lake
from medallion.part import sessions_part
from medallion.schema import sql_literal
from medallion.silver import telemetry

TABLES = (SILVER_ENTRIES, SILVER_LAPS)

Interval = tuple[int, int, int]  # lap number, first and last microsecond
_MINUTE_US, _LONGEST_US = 60_000_000, 86_400_000_000
_DRIVEN = (
    "session_id string, vehicle_id string, lap_number int, start_us bigint, end_us bigint, reasons array<string>, "
    "conflicts array<string>, samples int, gap_s double, counter int, top_speed_kmh double, avg_speed_kmh double, "
    "distance_m double, is_synthetic boolean"
)


@dataclass(frozen=True)
class SessionChange:
    """What has changed of one session: its timing, or the telemetry of some vehicles."""

    session_id: str
    vehicles: frozenset[str]


def update_laps(lake: Lake, changes: Sequence[SessionChange], run_id: str) -> int:
    """Bring entries, laps and the samples' lap numbers of changed sessions up to date; returns the sessions' number.

    The result depends on the tables' content alone, so repeating it, or running it after a kill, changes nothing.
    """
    if changes:
        _SessionLapsUpdate(lake, changes, run_id).run()
    return len(changes)


class _SessionLapsUpdate:
    def __init__(self, lake: Lake, changes: Sequence[SessionChange], run_id: str) -> None:
        self.lake, self.changes, self.run_id = lake, changes, run_id
        self.rules = load_lap_rules()
        self.names = [c.session_id for c in changes]
        self.part = sessions_part(self.names)

    def run(self) -> None:
        before: defaultdict[str, dict[tuple[str, int], Row]] = defaultdict(dict)
        for row in read_rows(self.lake, SILVER_LAPS, self.part):
            before[row.session_id][row.vehicle_id, row.lap_number] = row
        sessions, stale = self._sessions(before)
        intervals = {
            (s, v): _intervals(laps)
            for s, session in sessions.items()
            for v, laps in session.laps.items()
            if v in stale[s]
        }
        found: defaultdict[str, list[Row]] = defaultdict(list)
        telemetry_rows = self._telemetry({(s, v) for s, vehicles in stale.items() for v in vehicles})
        if telemetry_rows is not None:
            for row in summarise_driven_laps(telemetry_rows, intervals).collect():
                found[row.session_id].append(row)
        entries: list[dict[str, Any]] = []
        laps: list[dict[str, Any]] = []
        for name, session in sessions.items():
            own = {"session_id": name}
            entries += [entry_row(e) | own for e in session.entries]
            laps += [row | own for row in self._rows(session, before[name], found[name], stale[name])]
        # The laps come last: while they stand as they were, a run that was killed finds the same vehicles again.
        self._number_samples(intervals)
        exchange_rows(self.lake, SILVER_ENTRIES, entries, self.part, self.run_id)
        exchange_rows(self.lake, SILVER_LAPS, laps, self.part, self.run_id)

    def _sessions(
        self, before: Mapping[str, Mapping[tuple[str, int], Row]]
    ) -> tuple[dict[str, SessionLaps], dict[str, set[str]]]:
        """Entries and laps of every session, and the vehicles whose telemetry is to be read."""
        events, sectors, seen = (
            self._by_session(t) for t in (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES, SILVER_CLOCK_OFFSETS)
        )
        sessions, stale = {}, {}
        for change in self.changes:
            name = change.session_id
            cars = dict.fromkeys((row.vehicle_id for row in seen[name]), None)
            timing = collect_timing(events[name], sectors[name], cars)
            sessions[name] = build_session_laps(timing, self.rules)
            moved = _vehicles_with_moved_laps(sessions[name], before[name])
            stale[name] = (set(change.vehicles) | moved) & set(timing.numbers)
        return sessions, stale

    def _by_session(self, table: str) -> defaultdict[str, list[Row]]:
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for row in read_rows(self.lake, table, self.part):
            rows[row.session_id].append(row)
        return rows

    def _telemetry(self, vehicles: Iterable[tuple[str, str]]) -> DataFrame | None:
        wanted = sorted(vehicles)
        if not wanted:
            return None
        cars = self.lake.spark.createDataFrame(wanted, "session_id string, vehicle_id string")
        rows = self.lake.read(SILVER_TELEMETRY).where(sessions_part(self.names).sql())
        return rows.join(F.broadcast(cars), ["session_id", "vehicle_id"], "left_semi")

    def _rows(
        self, session: SessionLaps, before: Mapping[tuple[str, int], Row], found: Sequence[Row], stale: set[str]
    ) -> list[dict[str, Any]]:
        """Rows of ``silver.laps``: what the telemetry says of a lap is taken over where it has not changed."""
        driven = {k: _earlier_findings(r) for k, r in before.items() if k[0] not in stale}
        driven |= {(r.vehicle_id, r.lap_number): _driven(r) for r in found}
        synthetic = {v for (v, _), r in before.items() if r.is_synthetic and v not in stale}
        synthetic |= {r.vehicle_id for r in found if r.is_synthetic}
        numbers = {e.vehicle_id: e.number for e in session.entries}
        whole = SessionLaps(session.entries, dict(session.laps) | _by_counter(found, session.laps))
        return [
            lap_row(vehicle, numbers.get(vehicle), lap, drive, self.rules) | {"is_synthetic": vehicle in synthetic}
            for vehicle, laps in evaluate_session_laps(whole, driven, self.rules).items()
            for lap, drive in laps
        ]

    def _number_samples(self, intervals: Mapping[tuple[str, str], Sequence[Interval]]) -> None:
        """Give the samples of vehicles with timing the number of the lap in whose time they are."""
        rows = self._telemetry(intervals)
        if rows is None:
            return
        changed = number_samples(rows, intervals).where(
            "NOT (lap_number <=> new_lap) OR NOT (lap_source <=> if(new_lap IS NULL, NULL, 'interval'))"
        )
        changed = changed.select(*telemetry.KEY, "new_lap").persist()
        try:
            if place := telemetry.file_pruning_condition(changed):
                source = "if(s.new_lap is null, null, 'interval')"
                set_to = {"lap_number": "s.new_lap", "lap_source": source, "run_id": sql_literal(self.run_id)}
                self.lake.update_matched(changed, SILVER_TELEMETRY, set_to, prune=place, txn=None)
        finally:
            changed.unpersist()


def _vehicles_with_moved_laps(session: SessionLaps, before: Mapping[tuple[str, int], Row]) -> set[str]:
    """Vehicles whose laps begin or end elsewhere than they did."""
    old: defaultdict[str, set[Interval]] = defaultdict(set)
    for (vehicle, number), row in before.items():
        if row.lap_start_ts is not None and row.lap_end_ts is not None:
            old[vehicle].add((number, datetime_to_us(row.lap_start_ts), datetime_to_us(row.lap_end_ts)))
    return {v for v, laps in session.laps.items() if set(_intervals(laps)) != old[v]}


def _intervals(laps: Sequence[JudgedLap]) -> list[Interval]:
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
    )


def _driven(row: Row) -> LapTelemetry:
    return LapTelemetry(row.samples, row.gap_s, row.counter, row.top_speed_kmh, row.avg_speed_kmh, row.distance_m)


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


def number_samples(rows: DataFrame, intervals: Mapping[tuple[str, str], Sequence[Interval]]) -> DataFrame:
    """Samples with ``new_lap``: the lap in whose interval their event time lies, null where it lies in none.

    What is longer than a day is no lap, whatever the feed says, and has no samples.

    Args:
        rows: Rows of ``silver.telemetry``.
        intervals: Laps by session and vehicle.
    """
    near: defaultdict[tuple[str, str, int], list[Interval]] = defaultdict(list)
    for (session, vehicle), laps in intervals.items():
        for lap in laps:
            if lap[2] - lap[1] > _LONGEST_US:
                continue
            for minute in range(lap[1] // _MINUTE_US, lap[2] // _MINUTE_US + 1):
                near[session, vehicle, minute].append(lap)
    schema = "session_id string, vehicle_id string, minute bigint, laps array<struct<n:int,a:bigint,b:bigint>>"
    # By the minute: a sample is held against the two or three laps there, not against all of a long race.
    by_minute = rows.sparkSession.createDataFrame([(*key, laps) for key, laps in near.items()], schema)
    # Official laps may overlap by a millisecond where sources round: the later one has the sample.
    inside = F.expr("array_max(transform(filter(laps, l -> at >= l.a AND at < l.b), l -> l.n))")
    at = F.unix_micros("event_ts")
    timed = rows.select(*telemetry.KEY, "lap_number", "lap_source", at.alias("at"))
    timed = timed.withColumn("minute", F.expr(f"(at - pmod(at, {_MINUTE_US})) div {_MINUTE_US}"))
    joined = timed.join(F.broadcast(by_minute), ["session_id", "vehicle_id", "minute"], "left")
    return joined.withColumn("new_lap", inside).drop("laps", "at", "minute")


def summarise_driven_laps(rows: DataFrame, intervals: Mapping[tuple[str, str], Sequence[Interval]]) -> DataFrame:
    """What the telemetry says of each lap.

    Args:
        rows: Rows of ``silver.telemetry`` of whole vehicles.
        intervals: Laps by session and vehicle; a vehicle that is not in it has its laps from its counter.
    """
    registry = load_channels()
    counter = F.col("lap_number_raw")
    valid = (counter != registry.lost_lap_counter) & (counter <= registry.max_lap_number) & (counter >= 0)
    narrow = rows.select(
        "session_id",
        "vehicle_id",
        F.unix_micros("event_ts").alias("t_us"),
        "ecu_seq",
        F.when(valid, counter).cast("double").alias("counter"),
        "speed_kmh",
        "is_synthetic",
    )
    known = {key: list(laps) for key, laps in intervals.items()}

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        return _drive_vehicle(frame.sort_values(["t_us", "ecu_seq"], kind="stable", ignore_index=True), known)

    return narrow.groupBy("session_id", "vehicle_id").applyInPandas(apply, _DRIVEN)


def _drive_vehicle(frame: pd.DataFrame, intervals: Mapping[tuple[str, str], Sequence[Interval]]) -> pd.DataFrame:
    key = (frame["session_id"].iloc[0], frame["vehicle_id"].iloc[0])
    t_us = frame["t_us"].to_numpy(np.int64)
    counter, speed = (frame[c].to_numpy(np.float64, na_value=np.nan) for c in ("counter", "speed_kmh"))
    laps = (
        [JudgedLap(n, "", a, b, None) for n, a, b in intervals[key]]
        if key in intervals
        else build_counter_laps(t_us, counter)
    )
    synthetic = bool(frame["is_synthetic"].eq(True).any())
    rows = [_drive_lap(lap, t_us, counter, speed) for lap in laps]
    found = pd.DataFrame(rows, columns=[c.split()[0] for c in _DRIVEN.split(", ") if c.split()[0] not in _KEYS])
    found.insert(0, "session_id", key[0])
    found.insert(1, "vehicle_id", key[1])
    found["is_synthetic"] = synthetic
    return found


_KEYS = ("session_id", "vehicle_id", "is_synthetic")


def _drive_lap(lap: JudgedLap, t_us: Any, counter: Any, speed: Any) -> tuple[Any, ...]:
    start, end = int(lap.start_us or 0), int(lap.end_us or 0)
    first, last = np.searchsorted(t_us, [start, end])
    t, own = t_us[first:last], counter[first:last]
    held = hold_samples(t, speed[first:last])
    gap_s = float(np.diff(np.concatenate([[start], t, [end]])).max()) / 1e6
    shown = own[np.isfinite(own)].astype(np.int64)
    summary = time_weighted_stats(held)
    return (
        lap.number,
        start,
        end,
        list(lap.reasons),
        list(lap.conflicts),
        len(t),
        gap_s,
        int(np.bincount(shown).argmax()) if len(shown) else None,
        None if summary.seconds == 0 else summary.max,
        None if summary.seconds == 0 else summary.mean,
        None if summary.seconds == 0 else time_integral(held) / KMH_PER_MPS,
    )
