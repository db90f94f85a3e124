"""Limits that several contracts share."""

from __future__ import annotations

from conf.contract import contract_names, load_contract

SEVEN_DAYS_MS = 7 * 86_400_000


def test_a_race_may_last_seven_days() -> None:
    limits = {
        (name, column): rule.implementation.kwargs["max_value"]
        for name in contract_names()
        for column, rule in load_contract(name).rules("quarantine")
        if name.startswith("event.") and column.endswith("_ms") and "max_value" in rule.implementation.kwargs
    }
    assert {("event.sector_times.v1", "elapsed_ms"), ("event.result.v1", "total_time_ms")} <= limits.keys()
    assert set(limits.values()) == {SEVEN_DAYS_MS}
