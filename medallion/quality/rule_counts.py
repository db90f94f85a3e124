"""How many values of a batch each rule of the gate looked at, and how many broke it: ``ops.dq_results``.

Counted over the units that could be decoded, as they were sent: each rule by itself, whatever else a unit breaks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
from pyspark.sql import Column, Row
from pyspark.sql import functions as F

from conf.channel import load_channels
from conf.contract import ContractRule, load_contract
from conf.tables import SILVER_TELEMETRY
from medallion.quality.rules import breaks_rule, broken_rule_names, case_by_channel

SUITE = "silver_guard"
Rules = Sequence[tuple[str, ContractRule]]  # (column, rule) pairs

_SHARED = ("session_id", "vehicle_id", "arrival_us", "t_us")
_VALUES = {"t_us": "unix_micros(ecu_ts)"}  # what a batch has in place of the column that was sent
_DECODED = "unit_index >= 0"


@dataclass(frozen=True)
class RuleCount:
    """What one rule found.

    Attributes:
        evaluated: Values that are not null; all units, for a rule that asks for presence.
        unexpected: Values among them that broke the rule.
    """

    evaluated: int = 0
    unexpected: int = 0

    def __add__(self, other: RuleCount) -> RuleCount:
        return RuleCount(self.evaluated + other.evaluated, self.unexpected + other.unexpected)


RuleCounts = Mapping[str, RuleCount]


def key_rules() -> Rules:
    """Rules of the keys that both forms of telemetry messages have."""
    return [(c, r) for c, r in load_contract("event.frame.v1").rules() if c in _SHARED]


def channel_rules() -> Rules:
    """Rules of the channels."""
    return [(c, r) for c, r in load_contract(SILVER_TELEMETRY).rules() if c in load_channels().names]


def guard_rules() -> Rules:
    """All rules of the gate of ``silver.telemetry``."""
    return [*key_rules(), *channel_rules()]


def sample_aggregates() -> list[Column]:
    """Aggregates of samples, one column a channel, for :func:`sum_sample_counts`."""
    return _aggregates([(r, _VALUES.get(c, c)) for c, r in guard_rules()])


def sum_sample_counts(rows: Iterable[Row]) -> dict[str, RuleCount]:
    """Counts by rule from rows of :func:`sample_aggregates`."""
    return _sum_counts(rows, {rule.name: rule.name for _, rule in guard_rules()})


def reading_aggregates() -> list[Column]:
    """Aggregates of readings grouped by ``channel``, for :func:`sum_reading_counts`: one rank of rules at a time."""
    of_keys = _aggregates([(r, _VALUES.get(c, c)) for c, r in key_rules()])
    of_channels = []
    for rank, rules in enumerate(_ranks()):
        broken = case_by_channel((c, breaks_rule(r, "value")) for c, r in rules.items())
        of_channels += [
            F.expr(f"count_if({_DECODED} AND value IS NOT NULL)").alias(f"evaluated_{rank}"),
            F.expr(f"count_if({_DECODED} AND coalesce({broken}, false))").alias(f"unexpected_{rank}"),
        ]
    return of_keys + of_channels


def sum_reading_counts(rows: Iterable[Row]) -> dict[str, RuleCount]:
    """Counts by rule from rows of :func:`reading_aggregates`."""
    found = list(rows)
    counts = _sum_counts(found, {rule.name: rule.name for _, rule in key_rules()})
    for rank, rules in enumerate(_ranks()):
        for channel, rule in rules.items():
            own = (row for row in found if row["channel"] == channel)
            counts |= _sum_counts(own, {rule.name: str(rank)})
    return counts


def broken_by_sample() -> Column:
    """``broken``: names of the rules that a decoded sample breaks, for :func:`count_sample_rules`."""
    return F.expr(f"CASE WHEN {_DECODED} THEN {broken_rule_names(guard_rules())} END").alias("broken")


def count_sample_rules(samples: pl.DataFrame) -> dict[str, RuleCount]:
    """Counts by rule, of samples that the driver has."""
    decoded = samples.filter(pl.col("unit_index") >= 0)
    present = {column: decoded.height - decoded[column].null_count() for column, _ in guard_rules()}
    return _evaluated(guard_rules(), present, decoded.height, _count_names(decoded["broken"]))


def broken_by_reading() -> list[Column]:
    """``broken`` and ``broken_keys``: names of the rules that a decoded reading breaks, of its channel and its keys."""
    by_channel: defaultdict[str, list[ContractRule]] = defaultdict(list)
    for channel, rule in channel_rules():
        by_channel[channel].append(rule)
    of_channel = case_by_channel(
        (channel, broken_rule_names(("value", rule) for rule in rules)) for channel, rules in by_channel.items()
    )
    named = {"broken": of_channel, "broken_keys": broken_rule_names(key_rules())}
    return [F.expr(f"CASE WHEN {_DECODED} THEN {names} END").alias(column) for column, names in named.items()]


def count_reading_rules(readings: pl.DataFrame) -> dict[str, RuleCount]:
    """Counts by rule, of readings that the driver has."""
    decoded = readings.filter(pl.col("unit_index") >= 0)
    broken = _count_names(decoded["broken"]) + _count_names(decoded["broken_keys"])
    present = {column: decoded.height - decoded[column].null_count() for column, _ in key_rules()}
    sent = decoded.drop_nulls("value").group_by("channel").len()
    by_channel = {channel: 0 for channel, _ in channel_rules()} | dict(sent.iter_rows())
    of_keys = _evaluated(key_rules(), present, decoded.height, broken)
    return of_keys | _evaluated(channel_rules(), by_channel, decoded.height, broken)


def _evaluated(
    rules: Rules, present: Mapping[str, int], n_units: int, broken: Mapping[str, int]
) -> dict[str, RuleCount]:
    return {
        rule.name: RuleCount(n_units if rule.asks_for_presence else present[column], broken[rule.name])
        for column, rule in rules
    }


def _count_names(lists: pl.Series) -> Counter[str]:
    return Counter(lists.drop_nulls().explode().to_list())


def dq_result_rows(counts: RuleCounts, query: str, batch_id: int, run_id: str) -> list[dict[str, Any]]:
    """Rows of ``ops.dq_results`` of a batch.

    Args:
        counts: By rule.
        query: Name of the query and generation of its checkpoint.
        batch_id: Micro-batch.
        run_id: Job run.
    """
    batch = {"run_id": run_id, "suite": SUITE, "query": query, "batch_id": batch_id, "run_ts": datetime.now(UTC)}
    return [
        batch
        | {"expectation": rule.name, "table_name": SILVER_TELEMETRY, "column_name": column, "severity": rule.severity}
        | _outcome(counts.get(rule.name, RuleCount()))
        for column, rule in guard_rules()
    ]


def add_counts(parts: Iterable[RuleCounts]) -> dict[str, RuleCount]:
    """Counts of several parts of a batch together."""
    total: defaultdict[str, RuleCount] = defaultdict(RuleCount)
    for part in parts:
        for name, count in part.items():
            total[name] += count
    return dict(total)


def _outcome(count: RuleCount) -> dict[str, Any]:
    share = 100.0 * count.unexpected / count.evaluated if count.evaluated else None
    return {
        "success": count.unexpected == 0,
        "evaluated": count.evaluated,
        "unexpected": count.unexpected,
        "unexpected_pct": share,
    }


def _aggregates(rules: Sequence[tuple[ContractRule, str]]) -> list[Column]:
    columns = []
    for rule, value in rules:
        present = _DECODED if rule.asks_for_presence else f"{_DECODED} AND {value} IS NOT NULL"
        columns += [
            F.expr(f"count_if({present})").alias(f"evaluated_{rule.name}"),
            F.expr(f"count_if({_DECODED} AND {breaks_rule(rule, value)})").alias(f"unexpected_{rule.name}"),
        ]
    return columns


def _sum_counts(rows: Iterable[Row], names: Mapping[str, str]) -> dict[str, RuleCount]:
    """Counts by rule, where ``names`` maps a rule to what its aggregates are called."""
    found = list(rows)
    return {
        rule: RuleCount(sum(r[f"evaluated_{name}"] for r in found), sum(r[f"unexpected_{name}"] for r in found))
        for rule, name in names.items()
    }


def _ranks() -> list[dict[str, ContractRule]]:
    """The channels' first rules, then their second ones, and so on: each by channel."""
    ranks: list[dict[str, ContractRule]] = []
    for channel, rule in channel_rules():
        rank = next((each for each in ranks if channel not in each), None)
        if rank is None:
            ranks.append(rank := {})
        rank[channel] = rule
    return ranks
