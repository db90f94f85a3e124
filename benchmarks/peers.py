"""Peers that read Kafka in one Python process: only the bytes, or all the way to a gated Delta table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl
from confluent_kafka import Consumer, Message, TopicPartition
from deltalake import write_deltalake

from conf.contract import load_contract
from conf.tables import SILVER_TELEMETRY

BATCH = 10_000
_DTYPES: dict[str, pl.DataType] = {
    "STRING": pl.String(),
    "DOUBLE": pl.Float64(),
    "INT": pl.Int32(),
    "BIGINT": pl.Int64(),
    "BOOLEAN": pl.Boolean(),
    "TIMESTAMP": pl.Datetime("us", "UTC"),
    "DATE": pl.Date(),
}


@dataclass
class Outcome:
    """Rows that the peer wrote."""

    written: int = 0
    quarantined: int = 0


def batches(bootstrap: str, topic: str, size: int = BATCH) -> Iterator[list[Message]]:
    """All messages of a topic, with a consumer tuned for throughput."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "fetch.min.bytes": 1 << 20,
            "fetch.wait.max.ms": 50,
            "fetch.max.bytes": 64 << 20,
            "max.partition.fetch.bytes": 32 << 20,
            "queued.max.messages.kbytes": 512 << 10,
            "queued.min.messages": 1_000_000,
        }
    )
    parts = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic, timeout=10).topics[topic].partitions]
    left = sum(consumer.get_watermark_offsets(part, timeout=10)[1] for part in parts)
    consumer.assign(parts)
    while left:
        messages = consumer.consume(min(size, left), timeout=10.0)
        left -= len(messages)
        yield messages
    consumer.close()


def read_bytes(bootstrap: str, topic: str) -> int:
    """Read every value and throw it away; returns the number of messages."""
    count = 0
    for messages in batches(bootstrap, topic):
        for message in messages:
            message.value()
        count += len(messages)
    return count


def frames_to_silver(bootstrap: str, topic: str, folder: Path) -> Outcome:
    """Consume frames, parse, gate by the contract's hard rules, append good and refused samples to two Delta tables.

    No bronze copy, no search for repeats and conflicts, no soft rules, no protection against writing a batch twice.
    """
    outcome = Outcome()
    for messages in batches(bootstrap, topic):
        samples = parse_frames(messages)
        flaws = broken_rules()
        good = samples.filter(~pl.any_horizontal(list(flaws.values())))
        bad = samples.filter(pl.any_horizontal(list(flaws.values())))
        write_deltalake(folder / "silver", good, mode="append")
        if bad.height:
            why = pl.concat_list(
                [pl.when(broken).then(pl.lit(name)) for name, broken in flaws.items()]
            ).list.drop_nulls()
            write_deltalake(folder / "quarantine", bad.with_columns(reasons=why), mode="append")
        outcome.written += good.height
        outcome.quarantined += bad.height
    return outcome


def parse_frames(messages: Sequence[Message]) -> pl.DataFrame:
    """Frames to one row a sample, with where it came from."""
    lines = b"\n".join([message.value() or b"" for message in messages])
    frames = pl.read_ndjson(lines, schema=frame_schema()).with_columns(
        bronze_partition=pl.Series([message.partition() for message in messages], dtype=pl.Int32),
        bronze_offset=pl.Series([message.offset() for message in messages], dtype=pl.Int64),
    )
    arrays = [name for name, kind in frame_schema().items() if isinstance(kind, pl.List)]
    empty = [name for name in arrays if frames[name].null_count() == frames.height]
    samples = frames.drop(empty).explode([name for name in arrays if name not in empty])
    clock = pl.from_epoch("t_us", time_unit="us").dt.replace_time_zone("UTC")
    return samples.with_columns(ecu_ts=clock).drop("t_us")


@cache
def frame_schema() -> dict[str, pl.DataType]:
    """Columns of a frame in Polars' types."""
    columns = load_contract("event.frame.v1").columns
    return {c.name: polars_type(c.physical_type) for c in columns}


def polars_type(physical: str) -> pl.DataType:
    """The type in Polars of a contract's column."""
    if physical.startswith("ARRAY<"):
        return pl.List(_DTYPES[physical[6:-1]])
    return _DTYPES[physical]


@cache
def broken_rules() -> dict[str, pl.Expr]:
    """The hard range rules of the channels that simulated frames send: what is true of a sample that breaks them."""
    from producers.simulator.frames import CHANNELS

    flaws = {}
    for channel, rule in load_contract(SILVER_TELEMETRY).rules("quarantine"):
        bounds = rule.implementation.kwargs
        if channel in CHANNELS and rule.implementation.type == "expect_column_values_to_be_between":
            inside = pl.col(channel).is_between(bounds["min_value"], bounds["max_value"])
            flaws[rule.name] = (~inside).fill_null(value=False)
    return flaws
