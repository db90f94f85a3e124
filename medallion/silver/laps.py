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

from conf.channel import load_channels
from conf.contract import load_contract
from conf.laps import load_lap_rules
from medallion.io import Lake
from medallion.schema import sql_literal
from medallion.silver import telemetry
from medallion.silver.clock_offsets import TABLE as CLOCKS
from medallion.silver.lap_rows import (
    Driven,
    SessionLaps,
    entry_row,
    judged,
    lap_row,
    session_laps,
    timing_of,
    to_us,
)
from physics.signals import hold, integral, stats
from physics.timing.laps import Lap, counter_laps

LAPS = "silver.laps"
ENTRIES = "silver.entries"
TIMING = "silver.timing_events"
SECTORS = "silver.sector_times"
TABLES = (ENTRIES, LAPS)

Interval = tuple[int, int, int]  # lap number, first and last microsecond
_DRIVEN = (
    "session_id string, vehicle_id string, lap_number int, start_us bigint, end_us bigint, reasons array<string>, "
    "conflicts array<string>, samples int, gap_s double, counter int, top_speed_kmh double, avg_speed_kmh double, "
    "distance_m double, is_synthetic boolean"
)


@dataclass(frozen=True)
class Changed:
    """What has changed of one session: its timing, or the telemetry of some vehicles."""

    session_id: str
    vehicles: frozenset[str]


def update_laps(lake: Lake, changes: Iterable[Changed], run_id: str) -> int:
    """Bring entries, laps and the samples' lap numbers of changed sessions up to date; returns the sessions' number.

    The result depends on the tables' content alone, so repeating it, or running it after a kill, changes nothing.
    """
    count = 0
    for change in changes:
        _Session(lake, change, run_id).update()
        count += 1
    return count


class _Session:
    def __init__(self, lake: Lake, change: Changed, run_id: str) -> None:
        self.lake, self.change, self.run_id = lake, change, run_id
        self.rules = load_lap_rules()
        self.where = f"session_id = {sql_literal(change.session_id)}"

    def update(self) -> None:
        timing = timing_of(self._rows(TIMING), self._rows(SECTORS), self._seen())
        session = session_laps(timing, self.rules)
        before = {(r.vehicle_id, r.lap_number): r for r in self._rows(LAPS)}
        stale = self._stale(session, timing.numbers, before)
        found = self._drive(session, stale)
        driven = {k: _kept(r) for k, r in before.items() if k[0] not in stale}
        driven |= {(r.vehicle_id, r.lap_number): _driven(r) for r in found}
        laps = dict(session.laps) | _by_counter(found, session.laps)
        synthetic = {v for (v, _), r in before.items() if r.is_synthetic and v not in stale}
        synthetic |= {r.vehicle_id for r in found if r.is_synthetic}
        self._write(SessionLaps(session.entries, laps), driven, synthetic)
        self._number_samples(session, stale)

    def _rows(self, table: str) -> list[Row]:
        return self.lake.read(table).where(self.where).collect()

    def _seen(self) -> dict[str, int | None]:
        """Vehicles with telemetry, with the number in their ids or messages."""
        cars = self.lake.read(CLOCKS).where(self.where).select("vehicle_id").distinct().collect()
        return dict.fromkeys((r.vehicle_id for r in cars), None)

    def _stale(self, session: SessionLaps, known: Mapping[str, Any], before: Mapping[tuple[str, int], Row]) -> set[str]:
        """Vehicles whose telemetry is to be read: it has changed, or their laps begin or end elsewhere."""
        old: defaultdict[str, set[Interval]] = defaultdict(set)
        for (vehicle, number), row in before.items():
            if row.lap_start_ts is not None and row.lap_end_ts is not None:
                old[vehicle].add((number, to_us(row.lap_start_ts), to_us(row.lap_end_ts)))
        moved = {v for v, laps in session.laps.items() if set(_intervals(laps)) != old[v]}
        return (set(self.change.vehicles) | moved) & set(known)

    def _drive(self, session: SessionLaps, stale: set[str]) -> list[Row]:
        rows = self._telemetry(stale)
        if rows is None:
            return []
        intervals = {v: _intervals(laps) for v, laps in session.laps.items() if v in stale}
        return driven_laps(rows, intervals).collect()

    def _telemetry(self, vehicles: set[str]) -> DataFrame | None:
        if not vehicles:
            return None
        return self.lake.read(telemetry.TABLE).where(self.where).where(F.col("vehicle_id").isin(*sorted(vehicles)))

    def _write(self, session: SessionLaps, driven: Mapping[tuple[str, int], Driven], synthetic: set[str]) -> None:
        numbers = {e.vehicle_id: e.number for e in session.entries}
        stamp = {"session_id": self.change.session_id, "run_id": self.run_id}
        entries = [entry_row(e) | stamp for e in session.entries]
        rows = [
            lap_row(vehicle, numbers.get(vehicle), lap, drive, self.rules)
            | stamp
            | {"is_synthetic": vehicle in synthetic}
            for vehicle, laps in judged(session, driven, self.rules).items()
            for lap, drive in laps
        ]
        for table, found in ((ENTRIES, entries), (LAPS, rows)):
            self.lake.upsert(
                _frame(self.lake, table, found), table, delete_where=f"t.{self.where}", prune=f"t.{self.where}"
            )

    def _number_samples(self, session: SessionLaps, stale: set[str]) -> None:
        """Give the samples of vehicles with timing the number of the lap in whose time they are."""
        timed = {v: _intervals(laps) for v, laps in session.laps.items() if v in stale}
        rows = self._telemetry(set(timed))
        if rows is None:
            return
        changed = numbered(rows, timed).where(
            "NOT (lap_number <=> new_lap) OR NOT (lap_source <=> if(new_lap IS NULL, NULL, 'interval'))"
        )
        changed = changed.select(*telemetry.KEY, "new_lap").persist()
        try:
            if changed.limit(1).count():
                source = "if(s.new_lap is null, null, 'interval')"
                set_to = {"lap_number": "s.new_lap", "lap_source": source, "run_id": sql_literal(self.run_id)}
                self.lake.update_matched(changed, telemetry.TABLE, set_to, prune=f"t.{self.where}", txn=None)
        finally:
            changed.unpersist()


def _intervals(laps: Sequence[Lap]) -> list[Interval]:
    return [
        (lap.number, lap.start_us, lap.end_us) for lap in laps if lap.start_us is not None and lap.end_us is not None
    ]


def _frame(lake: Lake, table: str, rows: list[dict[str, Any]]) -> DataFrame:
    columns = [c for c in load_contract(table).columns if c.name != "updated_ts"]
    schema = ", ".join(f"{c.name} {c.physical_type}" for c in columns)
    frame = lake.spark.createDataFrame([tuple(r.get(c.name) for c in columns) for r in rows], schema)
    return frame.withColumn("updated_ts", F.current_timestamp())


def _kept(row: Row) -> Driven:
    """What an earlier run found in the telemetry of a lap that has not changed."""
    return Driven(
        row.sample_count, row.telemetry_gap_s, row.lap_number_counter, row.top_speed_kmh, row.avg_speed_kmh,
        row.lap_distance_m,
    )  # fmt: skip


def _driven(row: Row) -> Driven:
    return Driven(row.samples, row.gap_s, row.counter, row.top_speed_kmh, row.avg_speed_kmh, row.distance_m)


def _by_counter(found: Sequence[Row], timed: Mapping[str, Sequence[Lap]]) -> dict[str, list[Lap]]:
    """Laps by the car's counter of the vehicles that have no timing."""
    laps: defaultdict[str, list[Lap]] = defaultdict(list)
    for r in found:
        if r.vehicle_id not in timed:
            lap = Lap(
                r.lap_number, "telemetry", r.start_us, r.end_us, round((r.end_us - r.start_us) / 1000),
                reasons=tuple(r.reasons), conflicts=tuple(r.conflicts),
            )  # fmt: skip
            laps[r.vehicle_id].append(lap)
    return dict(laps)


def numbered(rows: DataFrame, intervals: Mapping[str, Sequence[Interval]]) -> DataFrame:
    """Samples with ``new_lap``: the lap in whose interval their event time lies, null where it lies in none.

    Args:
        rows: Rows of ``silver.telemetry`` of one session.
        intervals: Laps by vehicle.
    """
    known = [(v, n, a, b) for v, laps in intervals.items() for n, a, b in laps]
    schema = "lap_vehicle string, new_lap int, lap_from bigint, lap_to bigint"
    laps = F.broadcast(rows.sparkSession.createDataFrame(known, schema))
    at = F.unix_micros("event_ts")
    inside = (F.col("vehicle_id") == F.col("lap_vehicle")) & (at >= F.col("lap_from")) & (at < F.col("lap_to"))
    # Official laps may overlap by a millisecond where sources round: the later one has the sample.
    joined = rows.select(*telemetry.KEY, "event_ts", "lap_number", "lap_source").join(laps, inside, "left")
    kept = [F.first(c).alias(c) for c in ("lap_number", "lap_source")]
    return joined.groupBy(*telemetry.KEY).agg(*kept, F.max("new_lap").alias("new_lap"))


def driven_laps(rows: DataFrame, intervals: Mapping[str, Sequence[Interval]]) -> DataFrame:
    """What the telemetry says of each lap.

    Args:
        rows: Rows of ``silver.telemetry`` of one session, whole vehicles.
        intervals: Laps by vehicle; a vehicle that is not in it has its laps from its counter.
    """
    registry = load_channels()
    counter = F.col("lap_number_raw")
    valid = (counter != registry.lost_lap_counter) & (counter <= registry.max_lap_number) & (counter >= 0)
    narrow = rows.select(
        "session_id", "vehicle_id", F.unix_micros("event_ts").alias("t_us"), "ecu_seq",
        F.when(valid, counter).cast("double").alias("counter"), "speed_kmh", "is_synthetic",
    )  # fmt: skip
    known = {v: list(laps) for v, laps in intervals.items()}

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        return _drive_vehicle(frame.sort_values(["t_us", "ecu_seq"], kind="stable", ignore_index=True), known)

    return narrow.groupBy("session_id", "vehicle_id").applyInPandas(apply, _DRIVEN)


def _drive_vehicle(frame: pd.DataFrame, intervals: Mapping[str, Sequence[Interval]]) -> pd.DataFrame:
    vehicle = frame["vehicle_id"].iloc[0]
    t_us = frame["t_us"].to_numpy(np.int64)
    counter, speed = (frame[c].to_numpy(np.float64, na_value=np.nan) for c in ("counter", "speed_kmh"))
    laps = (
        [Lap(n, "", a, b, None) for n, a, b in intervals[vehicle]]
        if vehicle in intervals
        else counter_laps(t_us, counter)
    )
    synthetic = bool(frame["is_synthetic"].fillna(False).any())
    rows = [_drive_lap(lap, t_us, counter, speed) for lap in laps]
    found = pd.DataFrame(rows, columns=[c.split()[0] for c in _DRIVEN.split(", ") if c.split()[0] not in _KEYS])
    found.insert(0, "session_id", frame["session_id"].iloc[0])
    found.insert(1, "vehicle_id", vehicle)
    found["is_synthetic"] = synthetic
    return found


_KEYS = ("session_id", "vehicle_id", "is_synthetic")


def _drive_lap(lap: Lap, t_us: Any, counter: Any, speed: Any) -> tuple[Any, ...]:
    start, end = int(lap.start_us or 0), int(lap.end_us or 0)
    first, last = np.searchsorted(t_us, [start, end])
    t, own = t_us[first:last], counter[first:last]
    held = hold(t, speed[first:last])
    gap_s = float(np.diff(np.concatenate([[start], t, [end]])).max()) / 1e6
    shown = own[np.isfinite(own)].astype(np.int64)
    summary = stats(held)
    return (
        lap.number, start, end, list(lap.reasons), list(lap.conflicts), len(t), gap_s,
        int(np.bincount(shown).argmax()) if len(shown) else None,
        None if summary.seconds == 0 else summary.max, None if summary.seconds == 0 else summary.mean,
        None if summary.seconds == 0 else integral(held) / 3.6,
    )  # fmt: skip
