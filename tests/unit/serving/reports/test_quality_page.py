"""The page on what came in: what it counts, what it says, and that it needs nothing beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.lake.reader import LakeReader
from serving.queries.quality import MESSAGE_FAULTS, read_quality, rule_words
from serving.reports.quality_page import render_page, write_quality_report
from serving.reports.quality_text import answer_quality, headline, quality_glance, reason_lines

DOCS = Path(__file__).resolve().parents[4] / "docs" / "quality.md"
SCRIPT = "<script>alert(1)</script>\x1b[31m"


def account(batch, *, units, written, repeats=0, conflicts=0, quarantined=0):
    return {
        "query": "silver_telemetry:abcdef12",
        "batch_id": batch,
        "messages": units,
        "units": units,
        "written": written,
        "repeats": repeats,
        "conflicts": conflicts,
        "quarantined": quarantined,
        "written_ts": 1_780_000_000_000_000 + batch,
    }


def refused(offset, *reasons, excerpt=None):
    return {
        "bronze_topic": "telemetry.raw",
        "bronze_partition": 0,
        "bronze_offset": offset,
        "unit_index": 0,
        "vehicle_id": "a",
        "payload_excerpt": excerpt,
        "reasons": [{"rule": rule, "column_name": column, "observed": seen} for rule, column, seen in reasons],
        "quarantined_ts": 1_779_000_000_000_000,
    }


@pytest.fixture
def lake(home, write_table):
    speed = ("speed_possible", "speed_kmh", "655.35")
    write_table(
        "ops.reconciliation",
        [account(0, units=900, written=900), account(1, units=100, written=95, quarantined=4, conflicts=1)],
    )
    write_table(
        "silver.quarantine",
        [
            refused(7, speed),
            refused(5, ("speed_possible", "speed_kmh", "9999"), ("rpm_possible", "rpm", "65535")),
            refused(9, speed),
            refused(11, ("not_this_event", "payload", None), excerpt=SCRIPT),
        ],
    )
    write_table(
        "silver.conflicts",
        [{"bronze_topic": "telemetry.raw", "session_id": "s", "vehicle_id": "a", "noted_ts": 1_779_000_000_000_000}],
    )
    rule = {"suite": "silver.telemetry", "table_name": "silver.telemetry", "column_name": "speed_kmh"}
    counts = [("speed_possible", "quarantine", 3), ("speed_gr86", "warn", 5), ("speed_below_zero", "warn", 0)]
    write_table(
        "ops.dq_results",
        [
            rule | {"expectation": name, "severity": level, "evaluated": 500, "unexpected": n}
            for name, level, n in counts
        ]
        * 2,
    )
    write_table(
        "ops.step_failures",
        [
            {
                "step": "gold.lap_features",
                "session_id": "s",
                "vehicle_id": "a",
                "reason": "ValueError: x",
                "remedy": "look",
            }
        ],
    )
    return LakeReader(home)


def test_reasons_are_counted_with_their_first_case(lake):
    first, *others = read_quality(lake).refused
    assert (first.rule, first.units, first.observed, first.place) == ("speed_possible", 3, "9999", "telemetry.raw 0:5")
    assert first.words == "Speed a road or race car can have"
    assert {other.rule: other.units for other in others} == {"rpm_possible": 1, "not_this_event": 1}


def test_rules_are_added_up_over_batches(lake):
    found = read_quality(lake)
    assert {rule.rule: (rule.evaluated, rule.broken) for rule in found.rules} == {
        "speed_possible": (1000, 6),
        "speed_gr86": (1000, 10),
        "speed_below_zero": (1000, 0),
    }
    assert [rule.rule for rule in found.broken_rules] == ["speed_gr86", "speed_possible"]


def test_the_headline_says_what_was_refused(lake):
    found = read_quality(lake)
    assert "4 of 1,000 units (0.4 %) were refused, most for speed_possible (3)" in " ".join(quality_glance(found))
    answer = answer_quality(found)
    assert answer.refused == {"speed_possible": 3, "rpm_possible": 1, "not_this_event": 1}
    assert answer.outcomes == {"written": 995, "repeats": 0, "conflicts": 1, "quarantined": 4}


def test_units_that_are_missing_are_the_headline(home, write_table):
    write_table("ops.reconciliation", [account(0, units=10, written=8)])
    assert "missing or counted twice" in headline(read_quality(LakeReader(home)))


def test_what_was_refused_may_be_gone_from_the_lake(home, write_table):
    write_table("ops.reconciliation", [account(0, units=10, written=9, quarantined=1)])
    assert "quarantine" in headline(read_quality(LakeReader(home)))
    empty = replace(read_quality(LakeReader(home)), refused=())
    assert headline(replace(empty, balance=empty.balance.model_copy(update={"checks": ()}))).endswith("were refused.")


def test_the_page_needs_nothing_beside_it_and_obeys_nothing(lake, tmp_path):
    page = write_quality_report(read_quality(lake), tmp_path / "new").read_text()
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#)|@import|url\((?!#)""", page) == []
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)" in page
    for words in ("speed_possible", "telemetry.raw 0:5", "gold.lap_features", "1 rules that every value kept"):
        assert words in page


def test_a_lake_where_nothing_came_in_has_a_page_too(home):
    found = read_quality(LakeReader(home))
    assert headline(found) == "Nothing has come in yet."
    assert "Nothing was refused" in render_page(found, datetime.now(UTC))


def test_every_reason_has_words(lake):
    assert all(line.words for line in reason_lines(read_quality(lake)))
    assert all(rule_words().values())
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \| ", DOCS.read_text(), re.MULTILINE))))
    assert set(MESSAGE_FAULTS) <= documented
