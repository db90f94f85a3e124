"""Insights as rows of their contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from analysis.coaching.insights import CoachingInsight
from analysis.coaching.rows import insight_rows
from analysis.comparison.corner_metrics import corner_stretches
from analysis.comparison.places import TrackPlace
from analysis.comparison.rows import ComparedPair
from analysis.segmentation.zones import Zone, cut_microsectors
from analysis.tracks.circuit import circuit_from_track
from conf.contract import load_contract
from conf.ghost import load_ghost_rules
from conf.track import load_track
from tests.unit.analysis.coaching.mistaken_laps import inputs_of

CIRCUIT = circuit_from_track(load_track("three-oaks"))
PAIR = ComparedPair("s/a/3", "s/ghost/1", "s", "a", 3, "ghost", "three-oaks", is_synthetic=True)
PIECES = cut_microsectors(
    [Zone("Straight", 0.0, 210.0), Zone("Braking", 210.0, 300.0), Zone("Straight", 300.0, CIRCUIT.length_m)],
    CIRCUIT,
    12.0,
)
AIMED = inputs_of(1.0, np.full(5, 100.0), np.full(5, 50.0), np.array([0.0, 20.0, 80.0, 10.0, 0.0]))
EARLY = CoachingInsight(
    rank=1,
    place=TrackPlace("T1", 210.0, 300.0, corner_stretches(CIRCUIT)[0]),
    kind="Braking",
    start_m=210.0,
    end_m=300.0,
    code="BRAKE_TOO_EARLY",
    time_loss_s=0.3,
    metric="braking point",
    human_value=190.0,
    target_value=220.0,
    unit="m",
    throttle_applied_pct=20.0,
    throttle_target_pct=30.0,
    brake_applied_bar=40.0,
    brake_target_bar=80.0,
)
RULES = load_ghost_rules().coaching


def test_a_row_has_place_verdict_and_what_was_applied() -> None:
    said = datetime(2025, 9, 6, tzinfo=UTC)
    (row,) = insight_rows(PAIR, [EARLY], AIMED, PIECES, RULES, said)
    assert PIECES[row["microsector_id"]].start_m == 210.0
    assert (row["corner"], row["zone_type"], row["sector_id"]) == ("T1", "Braking", 1)
    assert row["verdict_text"] == "Braking Too Early"
    assert (row["severity"], row["rank"], row["is_live"], row["created_ts"]) == ("high", 1, False, said)
    assert (row["brake_applied_pct"], row["brake_target_pct"]) == (50.0, 100.0)
    assert row["reference_uid"] == PAIR.reference_uid
    made = {c.name for c in load_contract("gold.insights").columns} - {"updated_ts", "run_id"}
    assert made <= row.keys()


@pytest.mark.parametrize(("loss_s", "severity"), [(0.02, "low"), (0.05, "medium"), (0.149, "medium"), (0.15, "high")])
def test_severity_goes_by_the_loss(loss_s: float, severity: str) -> None:
    (row,) = insight_rows(PAIR, [replace(EARLY, time_loss_s=loss_s)], AIMED, PIECES, RULES, is_live=True)
    assert row["severity"] == severity
    assert row["is_live"]


def test_what_is_not_known_is_null() -> None:
    (row,) = insight_rows(PAIR, [replace(EARLY, throttle_applied_pct=np.nan)], AIMED, PIECES, RULES)
    assert row["throttle_applied_pct"] is None
