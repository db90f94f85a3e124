"""Decode bronze messages into units: one reading, one frame sample, or one undecodable message.

Everything here is a pure function of the messages. A message that is not what its type says becomes one unit with
``unit_index`` -1 and its reasons; nothing is dropped. A unit without reasons (null) is good.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from conf.channel import load_channels
from conf.contract import Contract, load_contract
from conf.tables import SILVER_TELEMETRY
from medallion.quality.rules import (
    REASON,
    breaks_rule,
    broken_rule_names,
    broken_rules_sql,
    case_by_channel,
    collect_where,
    reason_entry,
)
from medallion.schema import sql_literal, struct_type
from medallion.silver.vehicle_ids import sent_vehicle_id

READING = "slipstream.reading.v1"
FRAME = "slipstream.frame.v1"
ORIGIN = ("topic", "kafka_partition", "kafka_offset", "source", "event_type")
UNDECODABLE = -1
_CORRUPT = "_corrupt"
_FRAME_SCALARS = (
    "session_id",
    "vehicle_id",
    "arrival_us",
    "vehicle_number",
    "driver_id",
    "driver_profile",
    "track_id",
    "is_synthetic",
    "tyre_compound",
    "tyre_age_laps",
)


_TEXT = r"trim(BOTH ' \n\r\t' FROM cast(payload as string))"
_IS_ONE_OBJECT = (
    f"(startswith({_TEXT}, '{{') AND "
    f"CASE WHEN locate('}}', {_TEXT}) = length({_TEXT}) AND locate('{{', {_TEXT}, 2) = 0 THEN true "
    f"ELSE coalesce(json_array_length(concat('[', {_TEXT}, ']')) = 1 "
    f"AND json_array_length(concat('[', {_TEXT}, ',0]')) = 2, false) END)"
)
"""SQL: whether a message is one JSON object and nothing else.

Spark's parser reads the first value and leaves what stands behind it. An object whose only braces are its first and its
last character ends there; else it must be the one element of a list, and one of two: what closes the list early fails
the second.
"""


@dataclass(frozen=True)
class DecodedUnits:
    """A decoded batch, checked by the contracts' rules; every message is in exactly one part.

    All parts have the origin columns, ``unit_index``, ``reasons`` (null when good) and ``payload_excerpt`` (of
    undecodable messages). A part's plan is made when it is asked for: it takes a while, and most batches hold one form.

    Attributes:
        messages: Rows of ``bronze.telemetry_events``.
    """

    messages: DataFrame

    @property
    def readings(self) -> DataFrame:
        """One row per reading: key, attributes, ``channel``, ``value``, ``warn`` (index of a soft rule)."""
        return _readings(self.messages.where(F.col("event_type") == READING))

    @property
    def samples(self) -> DataFrame:
        """One row per frame sample: key, attributes, one column per channel, ``warns``."""
        return _samples(self.messages.where(F.col("event_type") == FRAME))

    @property
    def unknown_messages(self) -> DataFrame:
        """Messages of an unknown type, one row each."""
        known = F.coalesce(F.col("event_type").isin(READING, FRAME), F.lit(False))
        return unknown_messages(self.messages.where(~known))


def bronze_origin() -> tuple[Column, Column, Column]:
    """Place of a message in bronze, by the names that the tables of silver have for it."""
    return (
        F.col("topic").alias("bronze_topic"),
        F.col("kafka_partition").alias("bronze_partition"),
        F.col("kafka_offset").alias("bronze_offset"),
    )


def unknown_messages(messages: DataFrame) -> DataFrame:
    """Return messages of an unknown type, with the reason."""
    no_type = reason_entry("missing_event_type", "ce_type", "null")
    other = reason_entry("unknown_event_type", "ce_type", "event_type")
    why = F.expr(f"array(CASE WHEN event_type IS NULL THEN {no_type} ELSE {other} END)")
    return messages.select(
        *ORIGIN,
        F.lit(UNDECODABLE).alias("unit_index"),
        why.alias("reasons"),
        payload_excerpt().alias("payload_excerpt"),
    )


def payload_excerpt() -> Column:
    """The beginning of a message as text, in hexadecimal where it is not UTF-8."""
    text = "try_validate_utf8(cast(substring(payload, 1, 500) as string))"
    return F.expr(f"coalesce({text}, hex(substring(payload, 1, 250)))")


def parse_messages(messages: DataFrame, contract: Contract) -> DataFrame:
    """Messages with their parsed value ``m`` and the reasons ``decode_errors`` for which they cannot be decoded."""
    schema = struct_type(contract).add(_CORRUPT, "string")
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT}
    parsed = F.from_json(F.col("payload").cast("string"), schema, options)
    # The generator is a barrier: without it the optimizer parses the text again for every field and filter.
    once = messages.select(*ORIGIN, "payload", F.explode(F.array(parsed)).alias("m"))
    conditions, entries = zip(*_decode_error_conditions(contract), strict=True)
    return once.withColumn("decode_errors", F.expr(collect_where(conditions, entries, f"array<{REASON}>")))


def _decode_error_conditions(contract: Contract) -> list[tuple[str, str]]:
    """(condition, reason) pairs in SQL."""
    text = "try_validate_utf8(cast(payload as string))"
    empty, corrupt = "(payload IS NULL OR length(payload) = 0)", f"m.{_CORRUPT}"
    bad_text = f"(NOT {empty} AND NOT is_valid_utf8(cast(payload as string)))"
    not_event = f"(NOT {empty} AND (m IS NULL OR {corrupt} IS NOT NULL OR NOT {_IS_ONE_OBJECT}))"
    decode_errors = [
        (empty, reason_entry("empty_payload", "payload", "null")),
        (bad_text, reason_entry("invalid_utf8", "payload", "null")),
        (not_event, reason_entry("not_this_event", "payload", f"coalesce(try_validate_utf8({corrupt}), {text})")),
    ]
    if contract.name == "event.frame.v1":
        decode_errors += _frame_errors(f"(NOT {empty} AND m IS NOT NULL AND {corrupt} IS NULL AND {_IS_ONE_OBJECT})")
    return decode_errors


# ---- frames


def _frame_arrays() -> list[str]:
    schema = struct_type(load_contract("event.frame.v1"))
    return [f.name for f in schema.fields if isinstance(f.dataType, ArrayType)]


def _frame_errors(whole: str) -> list[tuple[str, str]]:
    decode_errors = [
        (f"({whole} AND m.t_us IS NULL)", reason_entry("missing_field", "t_us", "null")),
        (f"({whole} AND size(m.t_us) = 0)", reason_entry("empty_frame", "t_us", "0")),
    ]
    for name in _frame_arrays():
        if name != "t_us":
            uneven = f"({whole} AND m.t_us IS NOT NULL AND m.{name} IS NOT NULL AND size(m.{name}) <> size(m.t_us))"
            decode_errors.append((uneven, reason_entry("arrays_of_unequal_length", name, f"size(m.{name})")))
    return decode_errors


def _samples(messages: DataFrame) -> DataFrame:
    """Frames to samples in canonical columns, each judged; a frame that cannot be decoded is one unit."""
    event = load_contract("event.frame.v1")
    frames = parse_messages(messages, event)
    # A channel that the frame lacks becomes an empty array, which arrays_zip pads; a null would swallow the frame.
    arrays = {f.name: f.dataType for f in struct_type(event).fields if f.name in _frame_arrays()}
    zipped = F.arrays_zip(*(F.coalesce(f"m.{a}", F.array().cast(kind)).alias(a) for a, kind in arrays.items()))
    exploded = frames.select(
        *ORIGIN,
        *(F.col(f"m.{s}").alias(s) for s in _FRAME_SCALARS),
        "decode_errors",
        F.when(F.col("decode_errors").isNotNull(), payload_excerpt()).alias("payload_excerpt"),
        F.posexplode_outer(F.when(F.col("decode_errors").isNull(), zipped)).alias("unit_index", "s"),
    )
    samples = exploded.select(
        *ORIGIN,
        *_FRAME_SCALARS,
        "decode_errors",
        "payload_excerpt",
        F.coalesce("unit_index", F.lit(UNDECODABLE)).alias("unit_index"),
        F.col("s.t_us").alias("t_us"),
        F.lit(0).alias("ecu_seq"),
        F.col("s.lap_number").alias("lap_number_raw"),
        *_frame_channels(),
    )
    channels = load_channels().names
    table = load_contract(SILVER_TELEMETRY)
    hard = list(event.rules("quarantine"))
    hard += [r for r in table.rules("quarantine") if r[0] in channels]
    soft = [r for r in table.rules("warn") if r[0] in channels]
    reasons = F.expr(f"CASE WHEN decode_errors IS NULL THEN {broken_rules_sql(hard)} ELSE decode_errors END")
    return samples.select("*", reasons.alias("reasons"), F.expr(broken_rule_names(soft)).alias("warns")).drop(
        "decode_errors"
    )


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
    parsed = parse_messages(messages, load_contract("event.reading.v1"))
    channel, factor = _channel_lookup()
    readings = parsed.select(
        *ORIGIN,
        F.when(F.col("decode_errors").isNull(), 0).otherwise(UNDECODABLE).alias("unit_index"),
        "decode_errors",
        F.when(F.col("decode_errors").isNotNull(), payload_excerpt()).alias("payload_excerpt"),
        F.col("m.session_id").alias("session_id"),
        sent_vehicle_id("m.vehicle_id", "m.original_vehicle_id").alias("vehicle_id"),
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
    reasons, warn = F.expr(f"coalesce(decode_errors, {_reading_reasons()})"), F.expr(_reading_warning())
    judged = readings.select("*", reasons.alias("reasons"), warn.alias("warn"))
    return judged.drop("decode_errors", "telemetry_name", "dialect")


def _channel_lookup() -> tuple[Column, Column]:
    """Canonical channel and factor of a reading, by dialect and name."""
    pairs = [
        (sql_literal(f"{dialect}/{name}"), mapping)
        for dialect, source in load_channels().sources.items()
        for name, mapping in source.channels.items()
    ]
    key = "concat_ws('/', coalesce(m.dialect, 'grcup'), m.telemetry_name)"
    channel = ", ".join(f"{k}, {sql_literal(m.channel)}" for k, m in pairs)
    factor = ", ".join(f"{k}, {m.factor!r}D" for k, m in pairs if m.factor != 1.0)
    return F.expr(f"try_element_at(map({channel}), {key})"), F.expr(
        f"coalesce(try_element_at(map({factor}), {key}), 1D)"
    )


def _reading_reasons() -> str:
    """Reasons of the event's own rules, else of the rules of the reading's channel."""
    event, table = load_contract("event.reading.v1"), load_contract(SILVER_TELEMETRY)
    columns = {"timestamp_us": "t_us", "telemetry_value": "value", "meta_time_us": "arrival_us"}
    of_event = [(columns.get(c, c), r) for c, r in event.rules("quarantine")]
    conditions = [breaks_rule(rule, c) for c, rule in of_event]
    entries = [reason_entry(rule.name, c, c) for c, rule in of_event]
    conditions.append("(channel IS NULL AND telemetry_name IS NOT NULL)")
    entries.append(reason_entry("unknown_channel", "telemetry_name", "telemetry_name"))
    by_channel = case_by_channel(
        (name, broken_rules_sql([(name, r) for c, r in table.rules("quarantine") if c == name], "value"))
        for name in load_channels().names
    )
    return f"coalesce({collect_where(conditions, entries, f'array<{REASON}>')}, {by_channel})"


def _reading_warning() -> str:
    """Index of the first soft rule that the reading breaks, null where it breaks none."""
    table = load_contract(SILVER_TELEMETRY)
    branches: defaultdict[str, list[str]] = defaultdict(list)
    soft = [(c, r) for c, r in table.rules("warn") if c in load_channels().names]
    for i, (name, rule) in enumerate(soft):
        branches[name].append(f"WHEN {breaks_rule(rule, 'value')} THEN {i}")
    return case_by_channel((name, f"CASE {' '.join(whens)} END") for name, whens in branches.items())
