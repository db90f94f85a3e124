"""``silver.telemetry``: units to one wide row per vehicle and instant, and the account of every unit.

A cell is one channel of one row. The first unit to fill a cell keeps it (lowest Kafka offset, whatever the batch
boundaries); a later unit with the same value is a repeat, one with another value a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from conf.channel import load_channels
from conf.contract import load_contract
from conf.tables import SILVER_TELEMETRY
from medallion.keys import vehicle_condition
from medallion.part import Part, Span, spans_part
from medallion.schema import timestamp_literal

KEY = ("session_id", "vehicle_id", "ecu_ts", "ecu_seq")
ATTRIBUTES = (
    "lap_number_raw",
    "vehicle_number",
    "driver_id",
    "driver_profile",
    "track_id",
    "is_synthetic",
    "tyre_compound",
    "tyre_age_laps",
)


@dataclass(frozen=True)
class UnitOutcomes:
    """Counts of what became of a batch's units that passed the gate."""

    written: int
    repeats: int
    conflicts: int

    def __add__(self, other: UnitOutcomes) -> UnitOutcomes:
        return UnitOutcomes(
            self.written + other.written, self.repeats + other.repeats, self.conflicts + other.conflicts
        )


@dataclass(frozen=True)
class KnownClock:
    """What is known of a vehicle's clock before it is looked at: ``event = ecu + offset + drift * (ecu - since)``.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        offset_us: Offset.
        drift: Seconds per second.
        since_us: From where on it drifts, by the car's clock.
    """

    session_id: str
    vehicle_id: str
    offset_us: int
    drift: float = 0.0
    since_us: int = 0


CLOCK_SCHEMA = "session_id string, vehicle_id string, offset_us bigint, drift double, since_us bigint"
"""Of :class:`KnownClock`."""


def channel_columns() -> tuple[str, ...]:
    """Names of the channel columns."""
    return load_channels().names


def with_event_key(units: DataFrame) -> DataFrame:
    """Units with ``ecu_ts`` in place of ``t_us`` (the table's key)."""
    return units.withColumn("ecu_ts", F.timestamp_micros("t_us")).drop("t_us")


def hold_readings(readings: DataFrame) -> DataFrame:
    """Gated readings, each at its channel's minimum at least."""
    held = F.col("value")
    for channel, least in load_channels().minimums.items():
        below = (F.col("channel") == channel) & (F.col("value") < least)
        held = F.when(below, F.lit(least)).otherwise(held)
    return readings.withColumn("value", held)


def hold_samples(samples: DataFrame) -> DataFrame:
    """Gated samples, each channel at its minimum at least."""
    held = {
        channel: F.when(F.col(channel) < least, F.lit(least)).otherwise(F.col(channel))
        for channel, least in load_channels().minimums.items()
    }
    return samples.withColumns(held)


def pivot_readings(readings: DataFrame) -> DataFrame:
    """Readings to wide rows: per cell the value with the lowest offset, per row the first reading's attributes.

    All aggregation buffers are of fixed width (soft rules are bits, origins an index), so that Spark hashes instead
    of sorting: on published race files that is the difference between seconds and minutes.

    Args:
        readings: Gated readings with ``ecu_ts`` (see :func:`with_event_key`) and ``origin`` (see :func:`with_origin`).
    """
    channels = load_channels()
    long, offset = _long_channels(), F.col("kafka_offset")
    cells = [_first_value(c) for c in long]
    wide = readings.groupBy(*KEY).agg(
        *cells,
        *(F.min_by(a, offset).alias(a) for a in ("lap_number_raw", "vehicle_number", "kafka_partition", "origin")),
        F.min("arrival_us").alias("arrival_us"),
        F.min(offset).alias("bronze_offset_min"),
        F.max(offset).alias("bronze_offset_max"),
        F.expr("bit_or(shiftleft(1L, coalesce(warn, 62)))").alias("warn_bits"),
        F.count(F.lit(1)).alias("n_units"),
    )
    absent = [c for c in channel_columns() if c not in long]
    attributes = [a for a in ATTRIBUTES if a not in ("lap_number_raw", "vehicle_number")]
    return wide.select(
        *KEY,
        *(F.col(c).cast(channels.channel(c).type).alias(c) for c in long),
        *(F.lit(None).cast(channels.channel(c).type).alias(c) for c in absent),
        "lap_number_raw",
        "vehicle_number",
        *(F.lit(None).alias(a) for a in attributes),
        "arrival_us",
        "kafka_partition",
        "origin",
        "bronze_offset_min",
        "bronze_offset_max",
        _warning_names(F.col("warn_bits")).alias("dq_warnings"),
        "n_units",
        _count_filled(long).alias("n_readings"),
    )


def _first_value(channel: str) -> Column:
    return F.expr(f"min_by(value, kafka_offset) FILTER (WHERE channel = '{channel}')").alias(channel)


def _warning_names(bits: Column) -> Column:
    """Names of the soft rules whose bits are set, null where none is."""
    names = soft_rule_names()
    chosen = [F.when(bits.bitwiseAND(1 << i) != 0, F.lit(name)) for i, name in enumerate(names)]
    return F.when(bits.bitwiseAND((1 << len(names)) - 1) != 0, F.array_compact(F.array(*chosen)))


Origin = tuple[str, str | None]
"""Topic and source of messages."""
_MANY_ORIGINS = 20


def with_origin(units: DataFrame, origins: Sequence[Origin]) -> DataFrame:
    """Units with the index of their topic and source in ``origins`` in place of the two texts.

    Whoever sends chooses the source: what is asked of each must not grow with their number.
    """
    if len(origins) > _MANY_ORIGINS:
        known = F.broadcast(_origin_frame(units.sparkSession, origins))
        same = (units["topic"] == known["_topic"]) & units["source"].eqNullSafe(known["_source"])
        return units.join(known, same).drop("_topic", "_source")
    index = F.lit(0)
    for i, (topic, source) in enumerate(origins[1:], start=1):
        index = F.when((F.col("topic") == topic) & F.col("source").eqNullSafe(F.lit(source)), i).otherwise(index)
    return units.withColumn("origin", index)


def _with_origin_names(rows: DataFrame, origins: Sequence[Origin]) -> DataFrame:
    """Rows with the ``_topic`` and ``_source`` that their ``origin`` stands for."""
    if len(origins) > _MANY_ORIGINS:
        return rows.join(F.broadcast(_origin_frame(rows.sparkSession, origins)), "origin")
    names = (F.array(*(F.lit(each).cast("string") for each in part)) for part in zip(*origins, strict=True))
    topic, source = (F.element_at(found, F.col("origin") + 1) for found in names)
    return rows.withColumns({"_topic": topic, "_source": source})


def _origin_frame(spark: SparkSession, origins: Sequence[Origin]) -> DataFrame:
    rows = [(i, *origin) for i, origin in enumerate(origins)]
    return spark.createDataFrame(rows, "origin int, _topic string, _source string")


def _long_channels() -> list[str]:
    """Channels that a long source can send."""
    sources = load_channels().sources
    sent = {m.channel for d, s in sources.items() if d != "slipstream" for m in s.channels.values()}
    return [c for c in channel_columns() if c in sent]


def _count_filled(columns: list[str]) -> Column:
    """How many of the columns are not null."""
    return reduce(Column.__add__, [F.when(F.col(c).isNotNull(), 1).otherwise(0) for c in columns]).cast("int")


def sample_rows(samples: DataFrame) -> DataFrame:
    """Frame samples to wide rows, one a sample.

    Args:
        samples: Gated samples with ``ecu_ts``, no two of one key.
    """
    return samples.select(
        *KEY,
        *channel_columns(),
        *ATTRIBUTES,
        "arrival_us",
        "kafka_partition",
        "origin",
        F.col("kafka_offset").alias("bronze_offset_min"),
        F.col("kafka_offset").alias("bronze_offset_max"),
        F.col("warns").alias("dq_warnings"),
        F.lit(1).cast("bigint").alias("n_units"),
        F.lit(1).alias("n_readings"),
    )


def classify_readings(readings: DataFrame, winners: DataFrame) -> DataFrame:
    """Status of each reading of contested rows: ``written``, ``repeat`` or ``conflict``.

    Args:
        readings: Gated readings.
        winners: Rows that readings share with each other or with the table: key, ``winner`` (map of channel to the
            value that the cell keeps) and ``taken`` (array of the channels that the table already had).
    """
    cell = Window.partitionBy(*KEY, "channel")
    joined = readings.join(winners, list(KEY)).withColumn("_first", F.min("kafka_offset").over(cell))
    taken = F.array_contains("taken", F.col("channel"))
    whole = [c.name for c in load_channels().channels if c.type == "INT"]
    kept = F.when(F.col("channel").isin(*whole), F.col("value").cast("int").cast("double")).otherwise(F.col("value"))
    same = kept == F.element_at("winner", F.col("channel"))
    status = F.when(~taken & (F.col("kafka_offset") == F.col("_first")), "written").when(same, "repeat")
    return joined.withColumn("status", status.otherwise("conflict"))


def written_lineage(status: DataFrame) -> DataFrame:
    """Per contested row the arrival, offsets and warnings of the readings that were written, not of those refused.

    So they are the same whether a repeat came in the same batch or in a later one.

    Args:
        status: The contested readings with ``status`` (see :func:`classify_readings`), ``arrival_us`` and ``warn``.
    """
    return (
        status.where("status = 'written'")
        .groupBy(*KEY)
        .agg(
            F.min("arrival_us").alias("_arrival"),
            F.min("kafka_offset").alias("_min"),
            F.max("kafka_offset").alias("_max"),
            F.expr("bit_or(shiftleft(1L, coalesce(warn, 62)))").alias("_bits"),
        )
    )


def with_lineage(wide: DataFrame, lineage: DataFrame) -> DataFrame:
    """Wide rows with the lineage of :func:`written_lineage` where they were contested.

    Args:
        wide: From :func:`pivot_readings`.
        lineage: From :func:`written_lineage`.
    """
    known = F.col("_bits").isNotNull()
    settled = {
        "arrival_us": F.when(known, F.col("_arrival")).otherwise(F.col("arrival_us")),
        "bronze_offset_min": F.coalesce("_min", "bronze_offset_min"),
        "bronze_offset_max": F.coalesce("_max", "bronze_offset_max"),
        "dq_warnings": F.when(known, _warning_names(F.col("_bits"))).otherwise(F.col("dq_warnings")),
    }
    return wide.join(lineage, list(KEY), "left").withColumns(settled).drop("_arrival", "_min", "_max", "_bits")


def reported_lap() -> Column:
    """``reported``: the lap that the car's counter says, null where it was lost."""
    counter, registry = F.col("lap_number_raw"), load_channels()
    known = (counter != registry.lost_lap_counter) & (counter <= registry.max_lap_number) & (counter >= 0)
    return F.when(known, counter).alias("reported")


def to_table_rows(rows: DataFrame, clocks: DataFrame, origins: Sequence[Origin], run_id: str) -> DataFrame:
    """Wide rows to the table's columns: derived channels, laps, provisional event time, lineage.

    Args:
        rows: From :func:`pivot_readings` or :func:`sample_rows`.
        clocks: Fields of :class:`KnownClock`, a row a vehicle.
        origins: (topic, source) pairs that ``origin`` counts.
        run_id: Job run.
    """
    full_scale_bar = load_channels().brake_full_scale_bar
    named = _with_origin_names(rows, origins)
    located = named.join(F.broadcast(clocks), ["session_id", "vehicle_id"], "left")
    ecu_us = F.unix_micros("ecu_ts")
    drifted_us = F.rint(F.col("drift") * (ecu_us - F.col("since_us"))).cast("bigint")
    shifted = F.timestamp_micros(ecu_us + F.coalesce(F.col("offset_us") + drifted_us, F.lit(0)))
    pedal, blade = F.col("throttle_pedal_pct"), F.col("throttle_blade_pct")
    share = 100.0 * F.col("brake_front_bar") / full_scale_bar
    return located.select(
        *KEY,
        shifted.alias("event_ts"),
        reported_lap().alias("lap_number"),
        F.timestamp_micros("arrival_us").alias("arrival_ts"),
        F.lit("car").alias("clock_source"),
        "lap_number_raw",
        F.when(reported_lap().isNotNull(), F.lit("reported")).alias("lap_source"),
        *(a for a in ATTRIBUTES if a != "lap_number_raw"),
        F.coalesce(pedal, blade).alias("throttle_pct"),
        F.when(pedal.isNotNull(), "pedal").when(blade.isNotNull(), "blade").alias("throttle_source"),
        # SQL's least and greatest pass over nulls: no pressure would read as full braking.
        F.when(share.isNotNull(), F.greatest(F.lit(0.0), F.least(F.lit(100.0), share))).alias("brake_pct"),
        *channel_columns(),
        F.when(F.col("accel_long_g").isNotNull(), "sensor").alias("accel_source"),
        F.when(F.col("lap_distance_m").isNotNull(), "sensor").alias("distance_source"),
        F.col("_source").alias("source"),
        "dq_warnings",
        F.col("_topic").alias("bronze_topic"),
        F.col("kafka_partition").alias("bronze_partition"),
        "bronze_offset_min",
        "bronze_offset_max",
        F.col("n_readings").cast("int").alias("n_readings"),
        F.to_date(shifted).alias("event_date"),
        F.lit(run_id).alias("run_id"),
    )


def file_pruning_condition(changed: DataFrame) -> str | None:
    """SQL condition on ``t`` that selects the files which can hold these rows, ``None`` where there are no rows.

    A merge then reads the files of the vehicles and times that change, whatever else their sessions hold.

    Args:
        changed: Rows with the table's key.
    """
    ends = (F.unix_micros(end("ecu_ts")).alias(name) for name, end in (("first_us", F.min), ("last_us", F.max)))
    spans = changed.groupBy("session_id", "vehicle_id").agg(*ends).collect()
    parts = (
        f"({vehicle_condition(r.session_id, r.vehicle_id, 't.')} AND t.ecu_ts "
        f"BETWEEN {timestamp_literal(r.first_us)} AND {timestamp_literal(r.last_us)})"
        for r in spans
    )
    return " OR ".join(parts) or None


def sample_places(samples: pa.Table) -> Part:
    """Where in the table samples are, as its files' statistics tell: by vehicle and car clock.

    Args:
        samples: Rows with the table's key.
    """
    micros = samples.select(["session_id", "vehicle_id"]).append_column("us", samples["ecu_ts"].cast(pa.int64()))
    ends = micros.group_by(["session_id", "vehicle_id"]).aggregate([("us", "min"), ("us", "max")]).to_pylist()
    return spans_part("ecu_ts", ((e["session_id"], e["vehicle_id"], Span(e["us_min"], e["us_max"])) for e in ends))


def fill_assignments() -> dict[str, str]:
    """What a later unit may still add to an existing row: cells that are null, and lineage. First wins."""
    firsts = [*channel_columns(), "throttle_source", "brake_pct", "accel_source", "distance_source"]
    fills = {c: f"coalesce(t.{c}, s.{c})" for c in firsts}
    rules = f"array({', '.join(repr(r) for r in soft_rule_names())})"  # in this order, whatever came first
    noted = " or ".join(f"coalesce(array_contains({side}.dq_warnings, w), false)" for side in "ts")
    return fills | {
        "throttle_pct": (
            "coalesce(t.throttle_pedal_pct, s.throttle_pedal_pct, t.throttle_blade_pct, s.throttle_blade_pct)"
        ),
        "throttle_source": (
            "case when coalesce(t.throttle_pedal_pct, s.throttle_pedal_pct) is not null then 'pedal'"
            " when coalesce(t.throttle_blade_pct, s.throttle_blade_pct) is not null then 'blade' end"
        ),
        "dq_warnings": f"nullif(filter({rules}, w -> {noted}), cast(array() as array<string>))",
        "arrival_ts": "least(t.arrival_ts, s.arrival_ts)",
        "bronze_offset_min": "least(t.bronze_offset_min, s.bronze_offset_min)",
        "bronze_offset_max": "greatest(t.bronze_offset_max, s.bronze_offset_max)",
        "n_readings": "t.n_readings + s.n_filled",
        "run_id": "s.run_id",
    }


def soft_rule_names() -> list[str]:
    """Names of the soft rules of the channels, in contract order: the bits of a reading's ``warn``."""
    return [r.name for c, r in load_contract(SILVER_TELEMETRY).rules("warn") if c in channel_columns()]
