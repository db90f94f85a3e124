"""What came in Kafka since the last time, and its events as rows of silver."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache, reduce

import polars as pl
from confluent_kafka import Consumer, Message, TopicPartition

from benchmarks.peers import polars_type
from conf.contract import Contract, ContractRule, load_contract
from conf.families import EVENT_FAMILIES, PROMOTED
from medallion.silver.promote_events import event_ce_type, event_table_contract

_BATCH = 10_000
_TIMES = {"event_ts": "time_us", "arrival_ts": "meta_time_us"}


class TopicReader:
    """Reads all topics of telemetry and events, each from where it stopped; where that is, only this object knows.

    Args:
        bootstrap: Address of the broker.
        from_end: Begin with what is sent from now on.
    """

    def __init__(self, bootstrap: str, *, from_end: bool) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "benchmark-laps",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "max.partition.fetch.bytes": 32 << 20,
                "queued.min.messages": 1_000_000,
            }
        )
        places = [
            TopicPartition(family.topic, number)
            for family in PROMOTED
            for number in self._consumer.list_topics(family.topic, timeout=10).topics[family.topic].partitions
        ]
        self._next = {(p.topic, p.partition): self._high(p) if from_end else 0 for p in places}
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in self._next.items()])

    def read(self) -> dict[str, list[Message]]:
        """New messages by topic."""
        left = sum(self._high(TopicPartition(*place)) - offset for place, offset in self._next.items())
        found: defaultdict[str, list[Message]] = defaultdict(list)
        while left > 0:
            for message in self._consumer.consume(min(_BATCH, left), timeout=10.0):
                found[message.topic()].append(message)
                self._next[message.topic(), message.partition()] = message.offset() + 1
                left -= 1
        return dict(found)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _high(self, place: TopicPartition) -> int:
        return int(self._consumer.get_watermark_offsets(place, timeout=10)[1])


def event_rows(messages: Sequence[Message]) -> dict[str, pl.DataFrame]:
    """Good events as rows of their silver tables; one that breaks a hard rule is left out."""
    by_type: defaultdict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_type[dict(message.headers() or ())["ce_type"].decode()].append(message)
    found: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
    for ce_type, same in by_type.items():
        event, table = _events()[ce_type]
        found[table.name].append(_table_rows(same, event, table))
    return {name: pl.concat(parts) for name, parts in found.items()}


@cache
def _events() -> dict[str, tuple[Contract, Contract]]:
    """Contracts of the event and of its table, by the type that a message names."""
    return {
        event_ce_type(event): (load_contract(f"event.{event}"), event_table_contract(family, event))
        for family in EVENT_FAMILIES
        for event in family.events
    }


def _table_rows(messages: Sequence[Message], event: Contract, table: Contract) -> pl.DataFrame:
    schema = {c.name: polars_type(c.physical_type) for c in event.columns}
    fields = pl.read_ndjson(b"\n".join(message.value() or b"" for message in messages), schema=schema)
    fields = fields.with_columns(
        kind=pl.lit(event.name.split(".")[1]),
        bronze_topic=pl.Series([message.topic() for message in messages]),
        bronze_partition=pl.Series([message.partition() for message in messages]),
        bronze_offset=pl.Series([message.offset() for message in messages]),
    )
    good = ~reduce(pl.Expr.or_, (broken_rule(column, rule) for column, rule in event.rules("quarantine")))
    return fields.filter(good).select(_column(c.name, c.physical_type, fields) for c in table.columns)


def broken_rule(column: str, rule: ContractRule) -> pl.Expr:
    """What is true of a value that breaks a rule; a missing value breaks only the one that asks for it.

    Raises:
        ValueError: If there is no such kind of rule here.
    """
    value, kind, asked = pl.col(column), rule.implementation.type, rule.implementation.kwargs
    match kind.removeprefix("expect_column_values_to_"):
        case "not_be_null":
            return value.is_null()
        case "be_between":
            ends = ((value < asked.get("min_value")), (value > asked.get("max_value")))
            known = [e for e, name in zip(ends, ("min_value", "max_value"), strict=True) if asked.get(name) is not None]
            return reduce(pl.Expr.or_, known).fill_null(value=False)
        case "be_in_set":
            return (~value.is_in(asked["value_set"])).fill_null(value=False)
        case "match_regex":
            return (~value.str.contains(asked["regex"])).fill_null(value=False)
    raise ValueError(f"rule {rule.name}: the peer knows no {kind}")


def _column(name: str, physical: str, fields: pl.DataFrame) -> pl.Expr:
    if name in _TIMES:
        if _TIMES[name] in fields.columns:
            return pl.from_epoch(_TIMES[name], time_unit="us").dt.replace_time_zone("UTC").alias(name)
        return pl.lit(None, polars_type(physical)).alias(name)
    if name in fields.columns:
        return pl.col(name).cast(polars_type(physical))
    return pl.lit(None, polars_type(physical)).alias(name)
