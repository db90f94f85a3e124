"""What samples say of laps, and laps of samples: on the driver where the samples are few, else by Spark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from analysis.signals.held import clip_signal, hold_samples, time_weighted_stats
from analysis.signals.integrals import REACH_US, integrate_signals
from analysis.timing.laps import JudgedLap, build_counter_laps
from analysis.timing.line_crossings import DistanceResets, Interval, find_resets, move_to_resets
from conf.arrays import BoolArray, FloatArray, IntArray
from conf.channel import load_channels
from conf.laps import load_lap_rules
from conf.tables import SILVER_TELEMETRY
from conf.units import KMH_PER_MPS
from medallion.arrow_rows import instants
from medallion.exchange import set_columns
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import Part, group_by_session, vehicles_part
from medallion.per_vehicle import VEHICLE, order_by_time
from medallion.reading import read_table
from medallion.samples import CLOCKS_AND_LAPS, are_few
from medallion.schema import sql_literal
from medallion.silver import telemetry
from medallion.silver.lap_traces import is_synthetic

Intervals = Mapping[Vehicle, Sequence[Interval]]
_MINUTE_US: Final = 60_000_000
_LONGEST_US: Final = 7 * 86_400_000_000
_DRIVEN: Final = (
    "session_id string, vehicle_id string, lap_number int, start_us bigint, end_us bigint, reasons array<string>, "
    "conflicts array<string>, samples int, gap_s double, counter int, top_speed_kmh double, avg_speed_kmh double, "
    "distance_m double, driver_id string, is_synthetic boolean"
)
_OF_LAP: Final = [column.split()[0] for column in _DRIVEN.split(", ")][2:-1]
_REPORTED: Final = "reported"
_BY_INTERVAL: Final = "interval"


class VehicleSamples:
    """Samples of some vehicles.

    Args:
        lake: Where the table is.
        vehicles: Sessions and vehicles.
        run_id: Job run.
    """

    def __init__(self, lake: Lake, vehicles: Collection[Vehicle], run_id: str) -> None:
        self.lake, self.run_id = lake, run_id
        self.part = vehicles_part(group_by_session(vehicles))
        self._few: dict[Vehicle, pd.DataFrame] | None = {}
        if vehicles:
            self._few = _read_vehicles(lake, self.part) if are_few(lake, self.part, CLOCKS_AND_LAPS) else None

    def summarise_laps(self, intervals: Intervals) -> list[Row]:
        """What the samples say of each lap; a vehicle without intervals has its laps from its counter."""
        if self._few is None:
            rows = self.lake.read(SILVER_TELEMETRY).where(self.part.sql())
            return summarise_driven_laps(rows, intervals).collect()
        found = []
        for key, frame in self._few.items():
            own = {"session_id": key[0], "vehicle_id": key[1], "is_synthetic": is_synthetic(frame)}
            laps = drive_laps(frame, intervals.get(key))
            found += [Row(**own, **dict(zip(_OF_LAP, lap, strict=True))) for lap in laps]
        return found

    def number(self, intervals: Intervals, driven: Set[Vehicle] = frozenset()) -> set[Vehicle]:
        """Give the samples of vehicles with timing the number of the lap in whose time they are, and none others.

        At the line it is the car's own distance that says on which side a sample is, see
        :func:`~analysis.timing.line_crossings.move_to_resets`.

        Args:
            intervals: Laps by session and vehicle.
            driven: Vehicles that are driving: the samples behind their last lap keep what the car says of them.

        Returns:
            Those of ``driven`` whose samples keep another number than they end up with: they are to be looked at again.
        """
        if self._few is None:
            if intervals:
                _number_by_spark(self.lake, vehicles_part(group_by_session(intervals)), intervals, self.run_id)
            return set()
        changed, stayed = [], set[Vehicle]()
        for key in intervals.keys() & self._few.keys():
            rows, behind = _renumbered(self._few[key], laps_of_samples(self._few[key], intervals[key]))
            if key in driven and behind.any():
                stayed.add(key)
                rows = rows[~behind]
            changed.append(rows)
        if any(map(len, changed)):
            values = _lap_number_columns(pd.concat(changed, ignore_index=True), self.run_id)
            set_columns(self.lake, SILVER_TELEMETRY, values, telemetry.sample_places(values))
        return stayed


def _read_vehicles(lake: Lake, part: Part) -> dict[Vehicle, pd.DataFrame]:
    """Samples by vehicle in order of time, as :func:`drive_laps` takes them."""
    plain = ["session_id", "vehicle_id", "ecu_seq", "lap_number_raw", "lap_number", "lap_source"]
    plain += ["driver_id", "is_synthetic"]
    channels = ["speed_kmh", "lap_distance_m"]
    table = read_table(lake, SILVER_TELEMETRY, part, [*plain, "event_ts", "ecu_ts", *channels])
    micros = {name: table[column].cast(pa.int64()) for name, column in (("t_us", "event_ts"), ("ecu_us", "ecu_ts"))}
    frame = pa.table({name: table[name] for name in (*plain, *channels)} | micros).to_pandas()
    return {key: order_by_time(rows) for key, rows in frame.groupby(VEHICLE, sort=True)}


def laps_of_samples(frame: pd.DataFrame, laps: Sequence[Interval]) -> list[Interval]:
    """Laps as the samples of a car are numbered by: moved to where its distance begins anew."""
    return move_to_resets(laps, _resets_of(frame))


def _resets_of(frame: pd.DataFrame) -> DistanceResets:
    along = frame["lap_distance_m"].to_numpy(np.float64, na_value=np.nan)
    return find_resets(frame["t_us"].to_numpy(np.int64), along)


def _renumbered(frame: pd.DataFrame, laps: Sequence[Interval]) -> tuple[pd.DataFrame, BoolArray]:
    """Samples that are of another lap than they say, with ``new_lap`` and ``new_source``; which are behind all laps."""
    t_us = frame["t_us"].to_numpy(np.int64)
    new = lap_numbers(t_us, laps)
    source = lap_sources(new, frame)
    old = frame["lap_number"].to_numpy(np.float64, na_value=np.nan)
    same_lap = (new == old) | (np.isnan(new) & np.isnan(old))
    same_source = (source == frame["lap_source"].to_numpy()) | (np.isnan(new) & frame["lap_source"].isna().to_numpy())
    differs = ~(same_lap & same_source)
    behind = t_us >= max((end for _, _, end in laps), default=np.iinfo(np.int64).min)
    return frame.assign(new_lap=new, new_source=source)[differs], behind[differs]


def lap_sources(numbers: FloatArray, frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Where samples have the number of their lap from: ``reported`` where the car's counter says it, too.

    Args:
        numbers: Laps in whose time the samples are, NaN where there is none, shape (n,).
        frame: The samples, with ``lap_number_raw``.
    """
    sources = np.where(numbers == _reported_laps(frame), _REPORTED, _BY_INTERVAL).astype(object)
    sources[np.isnan(numbers)] = None
    return sources


def _reported_laps(frame: pd.DataFrame) -> FloatArray:
    """Laps that the car's counter says, NaN where it was lost."""
    raw, registry = frame["lap_number_raw"].to_numpy(np.float64, na_value=np.nan), load_channels()
    known = (raw != registry.lost_lap_counter) & (raw <= registry.max_lap_number) & (raw >= 0)
    return np.where(known, raw, np.nan)


def _lap_number_columns(changed: pd.DataFrame, run_id: str) -> pa.Table:
    return pa.table(
        {
            **{name: pa.array(changed[name]) for name in ("session_id", "vehicle_id", "ecu_seq")},
            "ecu_ts": instants(changed["ecu_us"]),
            "lap_number": pa.array(changed["new_lap"], from_pandas=True).cast(pa.int32()),
            "lap_source": pa.array(changed["new_source"], pa.string(), from_pandas=True),
            "run_id": pa.repeat(run_id, len(changed)),
        }
    )


def lap_numbers(t_us: IntArray, laps: Sequence[Interval]) -> FloatArray:
    """The lap in whose interval each instant lies, NaN where it lies in none.

    What is longer than seven days is no lap, whatever the feed says, and has no samples. Official laps may overlap by a
    millisecond where sources round: the later one has the sample.

    Args:
        t_us: Instants in microseconds, ascending, shape (n,).
        laps: Laps, in any order.
    """
    found = np.full(len(t_us), np.nan)
    for number, start, end in sorted(laps):
        if end - start <= _LONGEST_US:
            found[slice(*np.searchsorted(t_us, [start, end]))] = number
    return found


def _number_by_spark(lake: Lake, part: Part, intervals: Intervals, run_id: str) -> None:
    rows = lake.read(SILVER_TELEMETRY).where(part.sql())
    changed = number_samples(rows, _moved_by_spark(rows, intervals)).where(
        "NOT (lap_number <=> new_lap) OR NOT (lap_source <=> new_source)"
    )
    changed = changed.select(*telemetry.KEY, "new_lap", "new_source").persist()
    try:
        if place := telemetry.file_pruning_condition(changed):
            set_to = {"lap_number": "s.new_lap", "lap_source": "s.new_source", "run_id": sql_literal(run_id)}
            lake.update_matched(changed, SILVER_TELEMETRY, set_to, prune=place, txn=None)
    finally:
        changed.unpersist()


def _moved_by_spark(rows: DataFrame, intervals: Intervals) -> Intervals:
    """Laps as :func:`laps_of_samples` has them."""

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        resets = _resets_of(order_by_time(frame))
        found = pd.DataFrame({"before_us": resets.before_us, "after_us": resets.after_us})
        return found.assign(**{name: frame[name].iloc[0] for name in VEHICLE})

    read = rows.where("lap_distance_m IS NOT NULL")
    read = read.select(*VEHICLE, F.unix_micros("event_ts").alias("t_us"), "ecu_seq", "lap_distance_m")
    schema = "before_us bigint, after_us bigint, session_id string, vehicle_id string"
    found = read.groupBy(*VEHICLE).applyInPandas(apply, schema).toPandas().sort_values("before_us")
    resets = {
        key: DistanceResets(own["before_us"].to_numpy(np.int64), own["after_us"].to_numpy(np.int64))
        for key, own in found.groupby(VEHICLE)
    }
    return {key: move_to_resets(laps, resets[key]) if key in resets else laps for key, laps in intervals.items()}


def number_samples(rows: DataFrame, intervals: Intervals) -> DataFrame:
    """Samples with ``new_lap``: the lap in whose interval their event time lies, null where it lies in none.

    ``new_source`` says whether the car's own counter says the same.

    What is longer than seven days is no lap, whatever the feed says, and has no samples.

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
    timed = rows.select(*telemetry.KEY, "lap_number", "lap_source", telemetry.reported_lap(), at.alias("at"))
    timed = timed.withColumn("minute", F.expr(f"(at - pmod(at, {_MINUTE_US})) div {_MINUTE_US}"))
    joined = timed.join(F.broadcast(by_minute), ["session_id", "vehicle_id", "minute"], "left")
    source = f"CASE WHEN new_lap = reported THEN '{_REPORTED}' WHEN new_lap IS NOT NULL THEN '{_BY_INTERVAL}' END"
    numbered = joined.withColumn("new_lap", inside).withColumn("new_source", F.expr(source))
    return numbered.drop("laps", "at", "minute", "reported")


def summarise_driven_laps(rows: DataFrame, intervals: Intervals) -> DataFrame:
    """What the telemetry says of each lap.

    Args:
        rows: Rows of ``silver.telemetry`` of whole vehicles.
        intervals: Laps by session and vehicle; a vehicle that is not in it has its laps from its counter.
    """
    at = F.unix_micros("event_ts").alias("t_us")
    channels = ("speed_kmh", "lap_distance_m", "driver_id", "is_synthetic")
    narrow = rows.select(*VEHICLE, at, "ecu_seq", "lap_number_raw", *channels)
    known = {key: list(laps) for key, laps in intervals.items()}

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        key = (frame["session_id"].iloc[0], frame["vehicle_id"].iloc[0])
        found = pd.DataFrame(drive_laps(order_by_time(frame), known.get(key)), columns=_OF_LAP)
        found.insert(0, "session_id", key[0])
        found.insert(1, "vehicle_id", key[1])
        found["is_synthetic"] = is_synthetic(frame)
        return found

    return narrow.groupBy(*VEHICLE).applyInPandas(apply, _DRIVEN)


def drive_laps(frame: pd.DataFrame, intervals: Sequence[Interval] | None) -> list[tuple[Any, ...]]:
    """What the samples of one vehicle say of each of its laps, in the order of ``_OF_LAP``.

    Args:
        frame: ``t_us, lap_number_raw, speed_kmh, lap_distance_m, driver_id`` in order of time.
        intervals: Its laps; ``None`` has them from its counter.
    """
    t_us = frame["t_us"].to_numpy(np.int64)
    speed = frame["speed_kmh"].to_numpy(np.float64, na_value=np.nan)
    counter = _reported_laps(frame)
    if intervals is None:
        laps = build_counter_laps(t_us, counter, load_lap_rules().limits)
        numbered = [(lap.number, lap.start_us or 0, lap.end_us or 0) for lap in laps]
    else:
        laps = [JudgedLap(n, "", a, b, None) for n, a, b in intervals]
        numbered = laps_of_samples(frame, intervals)
    codes, drivers = pd.factorize(frame["driver_id"], sort=True)
    return [
        (*_drive_lap(lap, own, t_us, counter, speed), _most_frequent(codes[_samples_within(t_us, own)], drivers))
        for lap, own in zip(laps, numbered, strict=True)
    ]


def _samples_within(t_us: IntArray, lap: Interval) -> slice:
    return slice(*np.searchsorted(t_us, lap[1:]))


def _most_frequent(codes: IntArray, names: pd.Index[Any]) -> str | None:
    """The name whose code is there most often; a code below zero names none."""
    known = codes[codes >= 0]
    return str(names[int(np.bincount(known).argmax())]) if len(known) else None


def _drive_lap(
    lap: JudgedLap, numbered: Interval, t_us: IntArray, counter: FloatArray, speed: FloatArray
) -> tuple[Any, ...]:
    """What the samples say of a lap, in the order of ``_OF_LAP`` but for the driver.

    ``numbered`` is the lap as the samples are numbered by.
    """
    start, end = int(lap.start_us or 0), int(lap.end_us or 0)
    inside = _samples_within(t_us, numbered)
    t, own = t_us[inside], counter[inside]
    near = slice(*np.searchsorted(t_us, [start - REACH_US, end + REACH_US + 1]))
    signal = hold_samples(t_us[near], speed[near])
    gap_s = float(np.diff(np.concatenate([[start], np.clip(t, start, end), [end]])).max()) / 1e6
    shown = own[np.isfinite(own)].astype(np.int64)
    summary = time_weighted_stats(clip_signal(signal, start, end))
    distance_m = integrate_signals(lambda v: v / KMH_PER_MPS, start, end, signal) if len(t) else np.nan
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
        None if np.isnan(distance_m) else distance_m,
    )
