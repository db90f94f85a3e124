"""One rule registry: the gate's counts are what Great Expectations counts, and what its row filters refuse."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.channel import load_channels
from conf.contract import ContractRule
from conf.families import TELEMETRY
from conf.tables import OPS_DQ_RESULTS
from medallion.quality.rule_counts import guard_rules
from medallion.silver.decode import DecodedUnits
from medallion.silver.promote_telemetry import SilverProcessor
from serving.reports.quality_docs import to_expectation
from tests.spark.messages import T0, Message, frame, reading, stored

CANONICAL = {m.channel: n for n, m in load_channels().sources["slipstream"].channels.items()}
KEYS = {"session_id": "bad id!", "vehicle_id": "-x"}


def breaking(column: str, kwargs: dict[str, Any]) -> list[float]:
    """Values that break a range on a side that it has, one that is NaN, and the edges, which do not."""
    edges = {side: kwargs[side] for side in ("min_value", "max_value") if side in kwargs}
    beyond = [edge + (1 if side == "max_value" else -1) for side, edge in edges.items()]
    whole = column in ("gear", "position")
    return [*beyond, *edges.values()] + ([] if whole else [float("nan")])


def broken_units() -> list[Message]:
    """Units that break each rule: by reading where the channel has a name there, and by frame."""
    long = {m.channel: n for n, m in load_channels().sources["grcup"].channels.items()}
    messages, instants = [], iter(range(T0, T0 + 10**9, 1000))
    for column, rule in guard_rules():
        kwargs = rule.implementation.kwargs
        if column == "arrival_us":
            messages.append(frame([next(instants)], speed_kmh=[1.0], arrival_us=0))
            messages.append(reading("speed", 1.0, next(instants), meta_time_us=kwargs["max_value"] + 1))
        elif rule.implementation.type == "expect_column_values_to_be_between" and column != "t_us":
            for value in breaking(column, kwargs):
                if column in long:
                    messages.append(reading(long[column], value, next(instants)))
                if column in CANONICAL:
                    messages.append(frame([next(instants)], **{CANONICAL[column]: [value]}))
        elif column == "t_us":
            at = next(instants)
            messages.append(frame([at, 5, at + 1], speed_kmh=[1.0, 2.0, 3.0]))
            messages.append(frame([next(instants), None], speed_kmh=[1.0, 2.0]))  # type: ignore[list-item]
        else:
            value = None if rule.implementation.type.endswith("not_be_null") else KEYS[column]
            messages.append(frame([next(instants)], speed_kmh=[1.0], **{column: value}))
            messages.append(reading("speed", 1.0, next(instants), **{column: value}))
    return messages


def units_of(bronze: DataFrame) -> DataFrame:
    """All units that can be decoded, in one wide form: a reading fills the column of its channel."""
    units, channels, shared = DecodedUnits(bronze), load_channels(), ("session_id", "vehicle_id", "arrival_us", "t_us")
    samples = units.samples.where("unit_index >= 0").select(*shared, *channels.names)
    value = F.col("value").cast("double")
    spread = [F.when(F.col("channel") == name, value).alias(name) for name in channels.names]
    return samples.unionByName(units.readings.where("unit_index >= 0").select(*shared, *spread))


def great_expectations_counts(units: DataFrame) -> dict[str, tuple[int, int]]:
    """Values that each rule looked at, and those that broke it, as Great Expectations counts them itself."""
    expectations = [to_expectation(column, rule) for column, rule in guard_rules()]
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_spark("units").add_dataframe_asset("units")
    batch = asset.add_batch_definition_whole_dataframe("units").get_batch({"dataframe": units})
    counts = {}
    for result in batch.validate(gx.ExpectationSuite(name="guard", expectations=expectations)).results:
        found = result.result
        evaluated = found["element_count"] - (found.get("missing_count") or 0)
        counts[result.expectation_config.meta["rule"]] = (evaluated, found["unexpected_count"])
    for column, rule in guard_rules():  # Spark has NaN above all numbers: a range without an upper end lets it pass
        if rule.implementation.kwargs.keys() == {"min_value"}:
            evaluated, broken = counts[rule.name]
            counts[rule.name] = (evaluated, broken + units.where(F.isnan(column)).count())
    return counts


def test_the_gate_counts_what_great_expectations_counts(lake, to_bronze, rows) -> None:
    bronze = to_bronze(stored(broken_units()))
    lake.append(bronze, TELEMETRY.bronze)
    silver = SilverProcessor(lake, "run")
    balance = silver.process_raw_to_silver(bronze, 0, "silver:a")
    assert balance is not None
    results = {r["expectation"]: r for r in rows(lake, OPS_DQ_RESULTS).to_dicts()}
    counts = {name: (r["evaluated"], r["unexpected"]) for name, r in results.items()}
    assert counts == great_expectations_counts(units_of(bronze).persist())
    assert set(counts) == {rule.name for _, rule in guard_rules()}
    unexpected = {name: broken for name, (_, broken) in counts.items()}
    assert min(unexpected.values()) > 0  # every rule was broken
    assert results["speed_possible"]["success"] is False
    assert results["speed_possible"]["query"] == "silver:a"

    gate: Counter[str] = Counter()
    for reasons in rows(lake, "silver.quarantine")["reasons"].to_list():
        gate.update({r["rule"] for r in reasons})
    soft = {rule.name for _, rule in guard_rules() if rule.severity == "warn"}
    assert {n: gate[n] for n in unexpected if n not in soft} == {n: c for n, c in unexpected.items() if n not in soft}

    # What was kept carries its warnings; a unit that was refused as well is among the rule's counts alone.
    kept = Counter(w for ws in rows(lake, "silver.telemetry")["dq_warnings"].drop_nulls().to_list() for w in ws)
    units = units_of(bronze)
    for column, rule in guard_rules():
        if rule.severity == "warn":
            (hard,) = (r for c, r in guard_rules() if c == column and r.severity == "quarantine")
            warned = units.where(within(column, hard) & ~within(column, rule)).count()
            assert kept[rule.name] == warned > 0, rule.name

    assert silver.process_raw_to_silver(bronze, 0, "silver:a") is None
    assert len(rows(lake, OPS_DQ_RESULTS)) == len(counts), "a batch that is repeated is counted once"


def within(column: str, rule: ContractRule) -> Column:
    """Whether a value is one that a range admits."""
    kwargs = rule.implementation.kwargs
    return F.col(column).between(kwargs.get("min_value", -1e300), kwargs.get("max_value", 1e300))


def test_a_rule_that_the_gate_cannot_compile_is_named(spark) -> None:

    from conf.contract import ContractError
    from medallion.quality.rules import breaks_rule

    (_, rule), *_ = guard_rules()
    odd = rule.implementation.model_copy(update={"type": "expect_moon_to_be_full"})
    with pytest.raises(ContractError, match=r"cannot compile 'expect_moon_to_be_full'; it knows expect_column_values"):
        breaks_rule(rule.model_copy(update={"implementation": odd}), "1")
