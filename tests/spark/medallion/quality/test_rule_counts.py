"""One rule registry: the gate's row filters and the Great Expectations suite count the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from conf.channel import load_channels
from conf.families import TELEMETRY
from conf.tables import OPS_DQ_RESULTS
from medallion.quality.validation import guard_rules, validate_new_units
from medallion.silver.promote_telemetry import SilverProcessor
from tests.spark.messages import T0, Message, frame, reading, stored

CANONICAL = {m.channel: n for n, m in load_channels().sources["slipstream"].channels.items()}
KEYS = {"session_id": "bad id!", "vehicle_id": "-x"}


def breaking(column: str, kwargs: dict[str, Any]) -> list[float]:
    """Values that break a range on either side, one that is NaN, and the two edges, which do not."""
    low, high = kwargs["min_value"], kwargs["max_value"]
    whole = column in ("gear", "position")
    return [low - 1, high + 1, low, high] + ([] if whole else [float("nan")])


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


def test_the_gate_and_the_suite_count_the_same(lake, to_bronze, rows) -> None:
    bronze = to_bronze(stored(broken_units()))
    lake.append(bronze, TELEMETRY.bronze)
    balance = SilverProcessor(lake, "run").process_raw_to_silver(bronze, 0, "silver:a")
    report = validate_new_units(lake, "run")
    assert balance is not None
    assert report is not None

    gate: Counter[str] = Counter()
    for reasons in rows(lake, "silver.quarantine")["reasons"].to_list():
        gate.update({r["rule"] for r in reasons})
    soft = {rule.name for _, rule in guard_rules() if rule.severity == "warn"}
    suite = {r.rule: r.unexpected for r in report.results}
    assert {n: gate[n] for n in suite if n not in soft} == {n: c for n, c in suite.items() if n not in soft}
    assert set(suite) == {rule.name for _, rule in guard_rules()}
    assert min(suite.values()) > 0  # every rule was broken

    # What was kept carries its warnings; a unit that was refused as well is the suite's alone.
    kept = Counter(w for ws in rows(lake, "silver.telemetry")["dq_warnings"].drop_nulls().to_list() for w in ws)
    refused_too = {
        r.column: suite[r.rule] for r in report.results if r.severity == "quarantine" and r.column in soft_columns()
    }
    for column, name in soft_columns().items():
        assert kept[name] == suite[name] - refused_too[column], name

    index = report.data_docs
    assert index is not None
    assert "silver_guard" in index.read_text()
    results = {r["expectation"]: r for r in rows(lake, OPS_DQ_RESULTS).to_dicts()}
    assert {n: r["unexpected"] for n, r in results.items()} == suite
    assert results["speed_possible"]["data_docs_url"] == index.as_uri()
    assert results["speed_possible"]["success"] is False
    assert validate_new_units(lake, "again") is None


def soft_columns() -> dict[str, str]:
    """Column of each soft rule."""
    return {column: rule.name for column, rule in guard_rules() if rule.severity == "warn"}


def test_a_rule_that_the_gate_cannot_compile_is_named(spark) -> None:

    from conf.contract import ContractError
    from medallion.quality.rules import breaks_rule

    (_, rule), *_ = guard_rules()
    odd = rule.implementation.model_copy(update={"type": "expect_moon_to_be_full"})
    with pytest.raises(ContractError, match=r"cannot compile 'expect_moon_to_be_full'; it knows expect_column_values"):
        breaks_rule(rule.model_copy(update={"implementation": odd}), "1")
