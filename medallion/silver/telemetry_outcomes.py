"""What becomes of a batch's telemetry units, worked out on the driver: the same as the queries in ``telemetry`` say.

A cell is one channel of one row. The first unit to fill a cell keeps it (lowest Kafka offset, whatever the batch
boundaries); a later unit with the same value is a repeat, one with another value a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import reduce
from typing import Any, Final

import polars as pl
import pyarrow.compute as pc

from conf.channel import load_channels
from medallion.silver.telemetry import (
    ATTRIBUTES,
    KEY,
    KnownClock,
    UnitOutcomes,
    channel_columns,
    fill_assignments,
    soft_rule_names,
)
from medallion.silver.vehicle_units import VehicleUnits

_VEHICLE: Final = ["session_id", "vehicle_id"]
_KEY: Final = list(KEY)
_CLOCK: Final = {
    **dict.fromkeys(_VEHICLE, pl.String),
    "offset_us": pl.Int64,
    "drift": pl.Float64,
    "since_us": pl.Int64,
}
_TYPES: Final[Mapping[str, Any]] = {"DOUBLE": pl.Float64, "INT": pl.Int32}


@dataclass(frozen=True)
class JudgedUnits:
    """What became of units that passed the gate.

    Attributes:
        rows: Wide rows of those that were written, one a key.
        account: Counts.
        conflicts: Units that contradict what was there first: key, place in bronze, ``channel`` and ``value``.
    """

    rows: pl.DataFrame
    account: UnitOutcomes
    conflicts: pl.DataFrame


def count_vehicle_units(units: pl.DataFrame) -> list[VehicleUnits]:
    """Count a batch's units of one form by vehicle.

    Args:
        units: Decoded units with ``reasons``, ``t_us`` and ``arrival_us``.
    """
    good = pl.col("reasons").is_null()
    clock = pl.col("t_us").filter(good)
    found = units.group_by(_VEHICLE).agg(
        n=pl.len(),
        n_bad=(~good).sum(),
        first_us=clock.min(),
        last_us=clock.max(),
        late_us=(pl.col("arrival_us") - pl.col("t_us")).filter(good).min(),
    )
    return [VehicleUnits(**row) for row in found.sort(_VEHICLE).to_dicts()]


def hold_readings(readings: pl.DataFrame) -> pl.DataFrame:
    """Gated readings, each at its channel's minimum at least."""
    held = pl.col("value")
    for channel, least in load_channels().minimums.items():
        held = pl.when((pl.col("channel") == channel) & (pl.col("value") < least)).then(least).otherwise(held)
    return readings.with_columns(value=held)


def hold_samples(samples: pl.DataFrame) -> pl.DataFrame:
    """Gated samples, each channel at its minimum at least."""
    return samples.with_columns(pl.col(channel).clip(least) for channel, least in load_channels().minimums.items())


def judge_readings(readings: pl.DataFrame, existing: pl.DataFrame) -> JudgedUnits:
    """Judge readings, and make wide rows of those that are written.

    Args:
        readings: Good readings of a batch: key, attributes, place in bronze, ``channel``, ``value``, ``warn``.
        existing: Key and channels of the table's rows that may have their keys.
    """
    cell = [*_KEY, "channel"]
    whole = [c.name for c in load_channels().channels if c.type == "INT"]
    as_kept = pl.col("value").cast(pl.Int32, strict=False).cast(pl.Float64)
    kept = pl.when(pl.col("channel").is_in(whole)).then(as_kept).otherwise("value")
    held = existing.select(*_KEY, *(pl.col(c).cast(pl.Float64) for c in channel_columns()))
    held = held.unpivot(index=_KEY, variable_name="channel", value_name="held").drop_nulls("held")
    judged = (
        readings.sort("kafka_offset", maintain_order=True)
        .with_row_index("nth")
        .with_columns(kept=kept)
        .with_columns(first=pl.col("nth") == pl.col("nth").first().over(cell), winner=pl.col("kept").first().over(cell))
        .join(held, on=cell, how="left", maintain_order="left")
    )
    same = pl.col("kept").eq_missing(pl.coalesce("held", "winner"))
    judged = judged.with_columns(outcome=_outcome(pl.col("first") & pl.col("held").is_null(), same))
    written = judged.filter(outcome="written")
    return JudgedUnits(_pivot(written), _account(judged), judged.filter(outcome="conflict"))


def _pivot(readings: pl.DataFrame) -> pl.DataFrame:
    """Wide rows of readings in order of their offsets, one reading a cell."""
    cells = [
        pl.col("value").filter(pl.col("channel") == c.name).first().cast(_TYPES[c.type], strict=False).alias(c.name)
        for c in load_channels().channels
    ]
    first = ("lap_number_raw", "vehicle_number", "kafka_partition", "topic", "source")
    others = [pl.lit(None).alias(a) for a in ATTRIBUTES if a not in first]
    soft = dict(enumerate(soft_rule_names()))
    return readings.group_by(_KEY, maintain_order=True).agg(
        *cells,
        *(pl.col(name).first() for name in first),
        *others,
        pl.col("arrival_us").min(),
        offset_min=pl.col("kafka_offset").min(),
        offset_max=pl.col("kafka_offset").max(),
        n_cells=pl.len(),
        warned=pl.col("warn").drop_nulls().unique().sort().replace_strict(soft, return_dtype=pl.String),
    )


def judge_samples(samples: pl.DataFrame, existing: pl.DataFrame) -> JudgedUnits:
    """Judge frame samples; those that are written are wide rows already.

    Args:
        samples: Good samples of a batch: key, channels, attributes, place in bronze, ``warns``.
        existing: Key and channels of rows that may have their keys.
    """
    channels = channel_columns()
    ordered = samples.sort("kafka_offset", "unit_index").with_row_index("nth")
    first = ordered.filter(pl.col("nth") == pl.col("nth").first().over(_KEY))
    new = first.join(existing, on=_KEY, how="anti", maintain_order="left")
    again = ordered.join(new, on="nth", how="anti", maintain_order="left")
    winners = pl.concat([existing.select(*_KEY, *channels), new.select(*_KEY, *channels)], how="vertical_relaxed")
    compared = again.join(winners, on=_KEY, how="left", suffix="_kept", maintain_order="left")
    same = reduce(pl.Expr.and_, (pl.col(c).eq_missing(pl.col(f"{c}_kept")) for c in channels))
    judged = compared.with_columns(outcome=_outcome(pl.lit(value=False), same))
    conflicts = _name_contradictions(judged.filter(outcome="conflict"))
    counts = _account(judged)
    account = UnitOutcomes(counts.written + new.height, counts.repeats, counts.conflicts)
    rows = new.with_columns(
        offset_min=pl.col("kafka_offset"), offset_max=pl.col("kafka_offset"), n_cells=1, warned=pl.col("warns")
    )
    return JudgedUnits(rows, account, conflicts)


def _name_contradictions(samples: pl.DataFrame) -> pl.DataFrame:
    """Samples with ``channel``, the channels that contradict what is kept, and ``value``, that of the first of them."""
    differs = {c: pl.col(c).ne_missing(pl.col(f"{c}_kept")) for c in channel_columns()}
    names = [pl.when(differing).then(pl.lit(c)) for c, differing in differs.items()]
    first = pl.coalesce(names)
    value = pl.lit(None, pl.Float64)
    for c in differs:
        value = pl.when(first == c).then(pl.col(c).cast(pl.Float64)).otherwise(value)
    return samples.with_columns(channel=pl.concat_str(names, separator=", ", ignore_nulls=True), value=value)


def _outcome(written: pl.Expr, same: pl.Expr) -> pl.Expr:
    named = [pl.lit(name) for name in ("written", "repeat", "conflict")]
    return pl.when(written).then(named[0]).when(same).then(named[1]).otherwise(named[2])


def _account(judged: pl.DataFrame) -> UnitOutcomes:
    counts = dict(judged.group_by("outcome").len().iter_rows())
    return UnitOutcomes(*(counts.get(name, 0) for name in ("written", "repeat", "conflict")))


def to_table_rows(rows: pl.DataFrame, clocks: Sequence[KnownClock], run_id: str) -> pl.DataFrame:
    """Wide rows to the table's columns: derived channels, laps, provisional event time, lineage.

    Args:
        rows: From :class:`JudgedUnits`.
        clocks: What is known of them so far, one a vehicle.
        run_id: Job run.
    """
    known = pl.DataFrame([astuple(clock) for clock in clocks], _CLOCK, orient="row")
    located = rows.join(known, on=_VEHICLE, how="left", maintain_order="left")
    ecu_us = pl.col("ecu_ts").cast(pl.Int64)
    drifted_us = (pl.col("drift") * (ecu_us - pl.col("since_us"))).round(mode="half_to_even").cast(pl.Int64)
    event_ts = _instant(ecu_us + (pl.col("offset_us") + drifted_us).fill_null(0))
    return located.select(
        *_KEY,
        event_ts=event_ts,
        arrival_ts=_instant(pl.col("arrival_us")),
        **derived_columns(located),
        **{name: pl.col(name) for name in (*ATTRIBUTES, *channel_columns(), "source")},
        dq_warnings=pl.when(pl.col("warned").list.len() > 0).then("warned"),
        bronze_topic=pl.col("topic"),
        bronze_partition=pl.col("kafka_partition"),
        bronze_offset_min=pl.col("offset_min"),
        bronze_offset_max=pl.col("offset_max"),
        n_readings=pl.col("n_cells").cast(pl.Int32),
        event_date=event_ts.dt.date(),
        run_id=pl.lit(run_id),
    )


def derived_columns(rows: pl.DataFrame) -> dict[str, pl.Expr]:
    """Columns that follow from the channels and the lap counter of rows, as the car says them.

    Args:
        rows: Channels and ``lap_number_raw``.
    """
    registry = load_channels()
    counter = pl.col("lap_number_raw")
    valid_lap = (counter != registry.lost_lap_counter) & (counter <= registry.max_lap_number) & (counter >= 0)
    pedal, blade = pl.col("throttle_pedal_pct"), pl.col("throttle_blade_pct")
    # By Arrow: Polars multiplies by the inverse of a number instead, which Spark does not.
    brake_pct = pc.divide(pc.multiply(rows["brake_front_bar"].to_arrow(), 100.0), registry.brake_full_scale_bar)
    return {
        "clock_source": pl.lit("car"),
        "lap_number": pl.when(valid_lap).then(counter),
        "lap_source": pl.when(valid_lap).then(pl.lit("reported")),
        "throttle_pct": pl.coalesce(pedal, blade),
        "throttle_source": _throttle_source(pedal, blade),
        "brake_pct": pl.lit(pl.Series(brake_pct)).clip(0.0, 100.0),
        "accel_source": pl.when(pl.col("accel_long_g").is_not_null()).then(pl.lit("sensor")),
        "distance_source": pl.when(pl.col("lap_distance_m").is_not_null()).then(pl.lit("sensor")),
    }


def _throttle_source(pedal: pl.Expr, blade: pl.Expr) -> pl.Expr:
    return pl.when(pedal.is_not_null()).then(pl.lit("pedal")).when(blade.is_not_null()).then(pl.lit("blade"))


def _instant(us: pl.Expr) -> pl.Expr:
    return us.cast(pl.Datetime("us", "UTC"))


def filled_columns() -> list[str]:
    """Columns that a unit may still change in a row that is there, the channels among them."""
    return [name for name in fill_assignments() if name != "run_id"]


def fill_rows(there: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table with the cells that they lack, and the lineage of these; what is there stays.

    Args:
        there: Rows of the table: key and :func:`filled_columns`.
        rows: Rows of :func:`to_table_rows` with keys among theirs, with only cells that the table's rows lack.

    Returns:
        Key, :func:`filled_columns` and ``run_id`` of the rows that gain a cell.
    """
    there = there.select(*_KEY, *filled_columns())
    both = there.join(rows, on=_KEY, how="inner", suffix="_new")

    def new(column: str) -> pl.Expr:
        return pl.col(f"{column}_new")

    pedal = pl.coalesce("throttle_pedal_pct", new("throttle_pedal_pct"))
    blade = pl.coalesce("throttle_blade_pct", new("throttle_blade_pct"))
    firsts = (*channel_columns(), "brake_pct", "accel_source", "distance_source")
    none = pl.lit([], pl.List(pl.String))
    noted = pl.concat_list(pl.col(c).fill_null(none) for c in ("dq_warnings", "dq_warnings_new"))
    return both.select(
        *_KEY,
        *(pl.coalesce(c, new(c)).alias(c) for c in firsts),
        throttle_pct=pl.coalesce(pedal, blade),
        throttle_source=_throttle_source(pedal, blade),
        dq_warnings=_in_rule_order(noted),
        arrival_ts=pl.min_horizontal("arrival_ts", new("arrival_ts")),
        bronze_offset_min=pl.min_horizontal("bronze_offset_min", new("bronze_offset_min")),
        bronze_offset_max=pl.max_horizontal("bronze_offset_max", new("bronze_offset_max")),
        n_readings=pl.col("n_readings") + new("n_readings"),
        run_id=pl.col("run_id"),
    )


def _in_rule_order(names: pl.Expr) -> pl.Expr:
    """Names of soft rules in the order of the contract, whatever came first; null where there are none."""
    soft = soft_rule_names()
    number = {name: i for i, name in enumerate(soft)}
    numbers = names.list.eval(pl.element().replace_strict(number, return_dtype=pl.Int32)).list.unique().list.sort()
    ordered = numbers.list.eval(pl.element().replace_strict(dict(enumerate(soft)), return_dtype=pl.String))
    return pl.when(ordered.list.len() > 0).then(ordered)


def conflict_rows(conflicts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of ``silver.conflicts``, less what names the batch."""
    columns = [*_KEY, "topic", "kafka_partition", "kafka_offset", "unit_index", "channel", "value"]
    return pl.concat([found.select(columns) for found in conflicts], how="vertical_relaxed").rename(
        {
            "topic": "bronze_topic",
            "kafka_partition": "bronze_partition",
            "kafka_offset": "bronze_offset",
            "value": "refused_value",
        }
    )
