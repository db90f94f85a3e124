"""Saved insights: written whole, the same again, others in their place."""

from __future__ import annotations

from dataclasses import replace

from deltalake import DeltaTable

from analysis.coaching.rows import insight_rows
from conf.tables import GOLD_INSIGHTS
from medallion.gold.insights import write_insights
from medallion.io import Lake
from tests.unit.analysis.coaching.test_rows import AIMED, EARLY, PAIR, PIECES, RULES

LATE = replace(
    EARLY,
    rank=2,
    code="LIFTING_ON_STRAIGHT",
    kind="Straight",
    start_m=300.0,
    place=replace(EARLY.place, stretch=None, start_m=300.0),
)


def test_insights_are_replaced_whole(lake: Lake, rows) -> None:
    def made(*insights, pair=PAIR):
        return insight_rows(pair, insights, AIMED, PIECES, RULES)

    assert write_insights(lake, PAIR, made(EARLY, LATE), "one") == 2
    stored = rows(lake, GOLD_INSIGHTS).sort("rank")
    assert stored["verdict_code"].to_list() == ["BRAKE_TOO_EARLY", "LIFTING_ON_STRAIGHT"]

    write_insights(lake, PAIR, made(EARLY, LATE), "two")
    assert rows(lake, GOLD_INSIGHTS).sort("rank").equals(stored)
    metrics = DeltaTable(lake.uri(GOLD_INSIGHTS)).history(1)[0].get("operationMetrics", {})
    assert int(metrics.get("numTargetRowsUpdated", 0)) == 0

    other = replace(PAIR, reference_uid="s/b/2")
    write_insights(lake, other, made(LATE, pair=other), "three")
    write_insights(lake, PAIR, made(replace(LATE, rank=1)), "four")
    assert rows(lake, GOLD_INSIGHTS).filter(reference_uid=PAIR.reference_uid)["verdict_code"].to_list() == [LATE.code]
    assert rows(lake, GOLD_INSIGHTS).filter(reference_uid=other.reference_uid).height == 1

    write_insights(lake, PAIR, [], "five")
    assert rows(lake, GOLD_INSIGHTS)["reference_uid"].to_list() == [other.reference_uid]
