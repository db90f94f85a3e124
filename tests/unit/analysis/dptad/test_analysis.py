from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest

from analysis.dptad import CATEGORIES, Thresholds, analyse_lap
from analysis.dptad.insights import corner_times_s
from analysis.dptad.phases import corner_stretches_m
from analysis.laps.features import compute_lap_features
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.contract import load_contract

Make = Callable[..., LapTrace]
KEY = {"session_id", "vehicle_id", "lap_number"}
LINEAGE = {"is_synthetic", "updated_ts", "run_id"}
START_US = 1_757_181_600_123_456


def test_the_columns_are_those_of_the_contracts(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    analysis = analyse_lap(simulated[0], circuit, thresholds)
    scores = set(load_contract("gold.dptad_scores").column_names)
    assert set(analysis.columns()) == scores - KEY - LINEAGE - {"compute_ms"}
    stabbed = simulated[0].channels["brake_front_bar"] + 100 * np.clip(
        1 - np.abs(simulated[0].t_s - 20) / 0.12, 0, None
    )
    lap = replace(simulated[0], channels={**simulated[0].channels, "brake_front_bar": stabbed})
    event = analyse_lap(lap, circuit, thresholds).events[0]
    events = set(load_contract("gold.dptad_events").column_names)
    assert set(asdict(event)) == events - KEY - LINEAGE - {"event_ts", "thresholds_version"}
    rows = set(load_contract("gold.dptad_thresholds").column_names)
    assert {"track_id", "version", "name", "value", "unit", "n_laps", "sessions"} <= rows


def test_the_literal_formulas_are_those_of_the_lap_features(simulated: list[LapTrace], thresholds: Thresholds) -> None:
    """The same numbers, to the last bit, when the lap's start is given."""
    lap = simulated[3]
    features = compute_lap_features(START_US / 1e6 + lap.t_s, lap.channels, thresholds=thresholds.deltas)
    columns = analyse_lap(lap, None, thresholds, start_us=START_US).columns()
    for ours, theirs in {
        "brake_smoothness_raw": "brake_smoothness_raw",
        "throttle_smoothness_raw": "throttle_smoothness_raw",
        "steering_smoothness_raw": "steering_smoothness_raw",
        "speed_consistency_raw": "speed_consistency_raw",
        "corner_speed_loss": "corner_speed_loss",
        "corner_speed_retention": "corner_speed_loss",
        "brake_spikes": "brake_spike_count",
        "throttle_drops": "throttle_drop_count",
        "steering_corrections": "steering_corrections",
    }.items():
        assert columns[ours] == features[theirs], ours
    assert columns["brake_smoothness_raw"] < 0.0  # which is why it is not the headline


def test_scores_and_events_do_not_depend_on_the_start(simulated: list[LapTrace], thresholds: Thresholds) -> None:
    was, now = (analyse_lap(simulated[3], None, thresholds, start_us=us) for us in (0, START_US))
    assert (was.scores, was.events) == (now.scores, now.events)


def test_counts_add_up(simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds) -> None:
    for lap in simulated:
        columns = analyse_lap(lap, circuit, thresholds).columns()
        assert columns["event_count"] == sum(columns[f"{c}_event_count"] for c in CATEGORIES)


def test_stretches_share_the_lap_out_in_order(circuit: Circuit, simulated: list[LapTrace]) -> None:
    stretches = corner_stretches_m(circuit)
    edges = [stretches[corner.number] for corner in circuit.corners]
    assert all(a < b for a, b in edges)
    assert [b for _, b in edges[:-1]] == [a for a, _ in edges[1:]]
    assert edges[-1][1] == circuit.length_m
    for corner, (start, end) in zip(circuit.corners, edges, strict=True):
        assert start <= corner.entry_m <= corner.apex_m <= end
    taken = corner_times_s(simulated[0], circuit)
    before = np.interp(edges[0][0], simulated[0].distance_m, simulated[0].t_s)
    assert sum(taken.values()) + before == pytest.approx(simulated[0].lap_time_s, abs=0.1)


def slowed(lap: LapTrace, from_m: float, to_m: float, lost_s: float) -> LapTrace:
    """The lap with time lost evenly over a stretch, and two re-applications of the brake at its start."""
    t = lap.t_s + lost_s * np.clip((lap.distance_m - from_m) / (to_m - from_m), 0, 1)
    at = float(np.interp(from_m + 5, lap.distance_m, t))
    pressure = np.interp(t, at + np.array([0, 0.4, 0.8, 1.1, 1.4, 1.7, 2.0, 2.6]), [0, 60, 20, 60, 20, 60, 60, 0])
    return replace(
        lap, t_s=t, channels={**lap.channels, "brake_front_bar": pressure}, lap_time_s=lap.lap_time_s + lost_s
    )


def test_an_insight_names_the_corner_and_the_time_that_was_lost(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    best = simulated[0]
    corner = circuit.corners[2]
    start, _ = corner_stretches_m(circuit)[corner.number]
    worse = slowed(best, max(start, corner.entry_m - 40), corner.apex_m, 0.25)
    first = analyse_lap(worse, circuit, thresholds, references=[best]).insights[0]
    assert first.corner == corner.label
    assert first.cost_s == pytest.approx(0.25, abs=0.02)
    assert first.text.startswith(f"{corner.label}: ")
    assert "two brake re-applications" in first.text
    assert first.text.endswith("0.25 s lost against your own best lap")


def test_the_cost_is_left_out_where_nothing_says_what_it_was(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    worse = slowed(simulated[0], circuit.corners[2].entry_m - 40, circuit.corners[2].apex_m, 0.25)
    for insight in analyse_lap(worse, circuit, thresholds).insights:
        assert insight.cost_s is None
        assert "lost" not in insight.text
    for insight in analyse_lap(worse, None, thresholds, references=[simulated[0]]).insights:
        assert (insight.cost_s, insight.corner) == (None, None)
        assert insight.text.startswith("At ")


def test_insights_are_few_and_the_dearest_come_first(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    lap = simulated[0]
    worse = lap
    for i, corner in enumerate(circuit.corners[:7]):
        start, end = corner_stretches_m(circuit)[corner.number]
        t = worse.t_s + 0.1 * (i + 1) * np.clip((worse.distance_m - start) / (end - start), 0, 1)
        jab = 120 * np.clip(1 - np.abs(t - np.interp(corner.apex_m, worse.distance_m, t)) / 0.15, 0, None)
        channels = {**worse.channels, "steering_deg": worse.channels["steering_deg"] + jab}
        worse = replace(worse, t_s=t, channels=channels, lap_time_s=float(t[-1]))
    found = analyse_lap(worse, circuit, thresholds, references=[lap]).insights
    costs = [one.cost_s for one in found if one.cost_s is not None]
    assert len(found) == 5
    assert costs == sorted(costs, reverse=True)


def test_the_reference_is_the_median_of_several(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    best, corner = simulated[0], circuit.corners[2]
    start, _ = corner_stretches_m(circuit)[corner.number]
    laps = [slowed(best, max(start, corner.entry_m - 40), corner.apex_m, lost) for lost in (0.0, 0.1, 0.3)]
    analysis = analyse_lap(laps[2], circuit, thresholds, references=laps, reference_name="your median")
    cost = next(one for one in analysis.insights if one.corner == corner.label)
    assert cost.cost_s == pytest.approx(0.2, abs=0.02)
    assert cost.text.endswith("lost against your median")
