"""From bronze messages to units: one reading, one sample of a frame, or one message that could not be decoded.

Everything here is a pure function of the messages. A message that is not what its type says becomes one unit with
``unit_index`` -1 and its reasons; nothing is dropped. A unit without reasons (null) is good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from conf.channel import load_channels
from conf.contract import Contract, load_contract
from medallion.quality.rules import REASON, breaks, broken_rules, collected, reason, warnings
from medallion.schema import struct_type

READING = "slipstream.reading.v1"
FRAME = "slipstream.frame.v1"
ORIGIN = ("topic", "kafka_partition", "kafka_offset", "source", "event_type")
UNDECODABLE = -1
_CORRUPT = "_corrupt"
_FRAME_SCALARS = (
    "session_id", "vehicle_id", "arrival_us", "vehicle_number", "driver_id", "driver_profile", "track_id",
    "is_synthetic", "tyre_compound", "tyre_age_laps",
)  # fmt: skip


@dataclass(frozen=True)
class Units:
    """A batch of messages taken apart; every message is in exactly one of the three.

    All have the origin columns, ``unit_index``, ``reasons`` (null when good) and ``payload_excerpt`` (of undecodable
    messages).

    Attributes:
        readings: One row per reading: key, attributes, ``channel``, ``value``, ``warn`` (index of a soft rule).
        samples: One row per frame sample: key, attributes, one column per channel, ``warns``.
        strangers: One row per message of a type that is not ours.
    """

    readings: DataFrame
    samples: DataFrame
    strangers: DataFrame


def decode(bronze: DataFrame) -> Units:
    """Take bronze messages apart and judge every unit by the contracts' rules.

    Args:
        bronze: Rows of ``bronze.telemetry_events``.
    """
    known = F.coalesce(F.col("event_type").isin(READING, FRAME), F.lit(False))
    return Units(
        readings=_readings(bronze.where(F.col("event_type") == READING)),
        samples=_samples(bronze.where(F.col("event_type") == FRAME)),
        strangers=_strangers(bronze.where(~known)),
    )


def _strangers(messages: DataFrame) -> DataFrame:
    no_type = reason("missing_event_type", "ce_type", F.lit(None))
    other = reason("unknown_event_type", "ce_type", F.col("event_type"))
    why = F.array(F.when(F.col("event_type").isNull(), no_type).otherwise(other))
    return messages.select(
        *ORIGIN, F.lit(UNDECODABLE).alias("unit_index"), why.alias("reasons"), _excerpt().alias("payload_excerpt")
    )


def _excerpt() -> Column:
    text = F.expr("try_validate_utf8(cast(substring(payload, 1, 500) as string))")
    return F.coalesce(text, F.hex(F.substring("payload", 1, 250)))


def _parse(messages: DataFrame, contract: Contract) -> DataFrame:
    """Messages with their parsed value ``m`` and the reasons ``flaws`` for which they cannot be decoded."""
    schema = struct_type(contract).add(_CORRUPT, "string")
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT}
    parsed = F.from_json(F.col("payload").cast("string"), schema, options)
    # The generator is a barrier: without it the optimizer parses the text again for every field and filter.
    once = messages.select(*ORIGIN, "payload", F.explode(F.array(parsed)).alias("m"))
    conditions, entries = zip(*_flaws(contract), strict=True)
    return once.withColumn("flaws", collected(conditions, entries, f"array<{REASON}>"))


def _flaws(contract: Contract) -> list[tuple[Column, Column]]:
    payload, m, corrupt = F.col("payload"), F.col("m"), F.col(f"m.{_CORRUPT}")
    empty = payload.isNull() | (F.length(payload) == 0)
    bad_text = ~empty & ~F.expr("is_valid_utf8(cast(payload as string))")
    not_event = ~empty & (m.isNull() | corrupt.isNotNull())
    flaws = [
        (empty, reason("empty_payload", "payload", F.lit(None))),
        (bad_text, reason("invalid_utf8", "payload", F.lit(None))),
        (not_event, reason("not_this_event", "payload", F.try_validate_utf8(corrupt))),
    ]
    whole = ~empty & m.isNotNull() & corrupt.isNull()
    if contract.name == "event.frame.v1":
        flaws += _frame_flaws(whole)
    return flaws


# ---- frames


def _frame_arrays() -> list[str]:
    schema = struct_type(load_contract("event.frame.v1"))
    return [f.name for f in schema.fields if isinstance(f.dataType, ArrayType)]


def _frame_flaws(whole: Column) -> list[tuple[Column, Column]]:
    clock = F.col("m.t_us")
    length = F.size(clock)
    flaws = [
        (whole & clock.isNull(), reason("missing_field", "t_us", F.lit(None))),
        (whole & clock.isNotNull() & (length == 0), reason("empty_frame", "t_us", F.lit(0))),
    ]
    for name in _frame_arrays():
        array = F.col(f"m.{name}")
        if name != "t_us":
            uneven = whole & clock.isNotNull() & array.isNotNull() & (F.size(array) != length)
            flaws.append((uneven, reason("arrays_of_unequal_length", name, F.size(array))))
    return flaws


def _samples(messages: DataFrame) -> DataFrame:
    """Frames to samples in canonical columns, each judged; a flawed frame is one unit."""
    event = load_contract("event.frame.v1")
    frames = _parse(messages, event)
    # A channel that the frame lacks becomes an empty array, which arrays_zip pads; a null would swallow the frame.
    arrays = {f.name: f.dataType for f in struct_type(event).fields if f.name in _frame_arrays()}
    zipped = F.arrays_zip(*(F.coalesce(f"m.{a}", F.array().cast(kind)).alias(a) for a, kind in arrays.items()))
    exploded = frames.select(
        *ORIGIN,
        *(F.col(f"m.{s}").alias(s) for s in _FRAME_SCALARS),
        "flaws",
        F.when(F.col("flaws").isNotNull(), _excerpt()).alias("payload_excerpt"),
        F.posexplode_outer(F.when(F.col("flaws").isNull(), zipped)).alias("unit_index", "s"),
    )
    samples = exploded.select(
        *ORIGIN,
        *_FRAME_SCALARS,
        "flaws",
        "payload_excerpt",
        F.coalesce("unit_index", F.lit(UNDECODABLE)).alias("unit_index"),
        F.col("s.t_us").alias("t_us"),
        F.lit(0).alias("ecu_seq"),
        F.col("s.lap_number").alias("lap_number_raw"),
        *_frame_channels(),
    )
    channels = load_channels().names
    table = load_contract("silver.telemetry")
    hard = list(event.rules("quarantine"))
    hard += [r for r in table.rules("quarantine") if r[0] in channels]
    soft = [r for r in table.rules("warn") if r[0] in channels]
    good = F.col("flaws").isNull()
    reasons = F.when(good, broken_rules(hard, F.col)).otherwise(F.col("flaws"))
    return samples.select("*", reasons.alias("reasons"), warnings(soft, F.col).alias("warns")).drop("flaws")


def _frame_channels() -> list[Column]:
    registry = load_channels()
    sent = {m.channel: (name, m.factor) for name, m in registry.sources["slipstream"].channels.items()}
    columns = []
    for channel in registry.channels:
        if channel.name not in sent:
            columns.append(F.lit(None).cast(channel.type).alias(channel.name))
            continue
        name, factor = sent[channel.name]
        value = F.col(f"s.{name}")
        columns.append((value if factor == 1.0 else value * factor).alias(channel.name))
    return columns


# ---- readings


def _readings(messages: DataFrame) -> DataFrame:
    """Readings in canonical channel and unit, each judged by the rules of its channel."""
    parsed = _parse(messages, load_contract("event.reading.v1"))
    channel, factor = _lookup()
    readings = parsed.select(
        *ORIGIN,
        F.when(F.col("flaws").isNull(), 0).otherwise(UNDECODABLE).alias("unit_index"),
        "flaws",
        F.when(F.col("flaws").isNotNull(), _excerpt()).alias("payload_excerpt"),
        F.col("m.session_id").alias("session_id"),
        F.col("m.vehicle_id").alias("vehicle_id"),
        F.col("m.timestamp_us").alias("t_us"),
        F.coalesce("m.ecu_seq", F.lit(0)).alias("ecu_seq"),
        F.col("m.meta_time_us").alias("arrival_us"),
        F.col("m.lap").alias("lap_number_raw"),
        F.col("m.vehicle_number").alias("vehicle_number"),
        F.col("m.telemetry_name").alias("telemetry_name"),
        F.col("m.dialect").alias("dialect"),
        channel.alias("channel"),
        (F.col("m.telemetry_value") * factor).alias("value"),
    )
    reasons = F.coalesce("flaws", _reading_reasons())
    judged = readings.select("*", reasons.alias("reasons"), _reading_warning().alias("warn"))
    return judged.drop("flaws", "telemetry_name", "dialect")


def _lookup() -> tuple[Column, Column]:
    """Canonical channel and factor of a reading, by dialect and name."""
    pairs = [
        (f"{dialect}/{name}", mapping)
        for dialect, source in load_channels().sources.items()
        for name, mapping in source.channels.items()
    ]
    key = F.concat_ws("/", F.coalesce("m.dialect", F.lit("grcup")), "m.telemetry_name")
    channel = F.create_map(*(F.lit(x) for k, m in pairs for x in (k, m.channel)))
    factor = F.create_map(*(F.lit(x) for k, m in pairs if m.factor != 1.0 for x in (k, m.factor)))
    return F.try_element_at(channel, key), F.coalesce(F.try_element_at(factor, key), F.lit(1.0))


def _reading_reasons() -> Column:
    """Reasons of the event's own rules, else of the rules of the reading's channel."""
    event, table = load_contract("event.reading.v1"), load_contract("silver.telemetry")
    columns = {"timestamp_us": "t_us", "telemetry_value": "value", "meta_time_us": "arrival_us"}
    of_event = [(columns.get(c, c), r) for c, r in event.rules("quarantine")]
    conditions = [breaks(rule, F.col(c)) for c, rule in of_event]
    entries = [reason(rule.name, c, F.col(c)) for c, rule in of_event]
    unknown = F.col("channel").isNull() & F.col("telemetry_name").isNotNull()
    conditions.append(unknown)
    entries.append(reason("unknown_channel", "telemetry_name", F.col("telemetry_name")))
    by_channel = _case(
        (name, broken_rules([(name, r) for c, r in table.rules("quarantine") if c == name], lambda _: F.col("value")))
        for name in load_channels().names
    )
    return F.coalesce(collected(conditions, entries, f"array<{REASON}>"), by_channel)


def _reading_warning() -> Column:
    """Index of the soft rule that the reading breaks, null where it breaks none."""
    table = load_contract("silver.telemetry")
    soft = [(c, r) for c, r in table.rules("warn") if c in load_channels().names]
    return _case((name, F.when(breaks(rule, F.col("value")), F.lit(i))) for i, (name, rule) in enumerate(soft))


def _case(branches: Iterable[tuple[str, Column]]) -> Column:
    """One flat CASE over the channel, so that a row evaluates its own channel's rules only."""
    (first, value), *rest = branches
    chain = F.when(F.col("channel") == first, value)
    for name, column in rest:
        chain = chain.when(F.col("channel") == name, column)
    return chain
