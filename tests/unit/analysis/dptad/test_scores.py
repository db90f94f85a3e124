from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.dptad import CATEGORIES, Thresholds, analyse_lap
from analysis.dptad.smoothness import smoothness_score
from analysis.dptad.thresholds import RoughnessScale
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from tests.unit.analysis.dptad.laps import CHANNELS

Make = Callable[..., LapTrace]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sets(st.sampled_from(CHANNELS)), st.floats(0, 0.9), st.floats(0.1, 30))
def test_scores_stay_in_bounds_on_anything(seed: int, dropped: set[str], lost: float, wildness: float) -> None:
    """Signals that no car makes, with channels and samples missing."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, 60, 900))
    channels = {}
    for name in sorted(set(CHANNELS) - dropped):
        values = np.cumsum(rng.normal(0, wildness, t.size))
        channels[name] = np.where(rng.random(t.size) < lost, np.nan, values)
    analysis = analyse_lap(LapTrace(t, 40 * t, channels, 60.0))
    for category in CATEGORIES:
        one = analysis.scores[category]
        assert one.score is None or 0.0 <= one.score <= 100.0
        assert one.smoothness is None or 0.0 <= one.smoothness <= 1.0
        assert (one.score is None) == (one.reason is not None)
    known = [one.score for one in analysis.scores.values() if one.score is not None]
    assert analysis.overall == (pytest.approx(np.mean(known)) if known else None)
    for event in analysis.events:
        assert event.magnitude >= event.threshold
        assert 0.0 <= event.t_lap_s <= 60.0


def test_smoothness_is_a_half_at_the_usual_and_a_fifth_at_the_rough() -> None:
    scale = RoughnessScale(100.0, 130.0)
    assert smoothness_score(100.0, scale) == pytest.approx(0.5)
    assert smoothness_score(130.0, scale) == pytest.approx(0.2)
    assert smoothness_score(0.0, scale) == 1.0
    assert np.isnan(smoothness_score(np.nan, scale))


@given(st.floats(1e-3, 1e4), st.floats(1.001, 3))
def test_rougher_is_never_smoother(rough: float, more: float) -> None:
    scale = RoughnessScale(100.0, 130.0)
    assert 0.0 <= smoothness_score(rough * more, scale) <= smoothness_score(rough, scale) <= 1.0


@pytest.mark.parametrize(
    ("channel", "lost"),
    [("brake_front_bar", {"brake", "speed"}), ("throttle_pct", {"throttle"}), ("steering_deg", {"steering"})],
)
def test_a_missing_channel_is_none_with_a_reason_and_never_zero(
    simulated: list[LapTrace], channel: str, lost: set[str]
) -> None:
    lap = simulated[0]
    without = {name: values for name, values in lap.channels.items() if name != channel}
    analysis = analyse_lap(LapTrace(lap.t_s, lap.distance_m, without, lap.lap_time_s))
    for category in CATEGORIES:
        one = analysis.scores[category]
        if category in lost:
            assert (one.score, one.smoothness, one.events) == (None, None, None)
            assert analysis.reasons[category].text == f"{channel} is missing"
        else:
            assert one.score is not None
    known = [one.score for one in analysis.scores.values() if one.score is not None]
    assert analysis.overall == pytest.approx(np.mean(known))


def test_kinds_of_event_that_cannot_be_judged_are_named(simulated: list[LapTrace]) -> None:
    lap = simulated[0]
    without = {n: v for n, v in lap.channels.items() if n not in ("rpm", "accel_lat_g")}
    analysis = analyse_lap(LapTrace(lap.t_s, lap.distance_m, without, lap.lap_time_s))
    reasons = {name: refusal.text for name, refusal in analysis.reasons.items()}
    assert reasons["traction_control"] == "rpm is missing"
    assert reasons["oversteer"] == reasons["throttle_drop"] == "accel_lat_g is missing"
    assert reasons["poor_corner_exit"] == "no circuit is given"


def test_a_channel_over_less_than_half_of_the_lap_is_not_judged(simulated: list[LapTrace]) -> None:
    lap = simulated[0]
    part = np.where(lap.t_s < 0.3 * lap.lap_time_s, lap.channels["brake_front_bar"], np.nan)
    channels = {**lap.channels, "brake_front_bar": part}
    one = analyse_lap(LapTrace(lap.t_s, lap.distance_m, channels, lap.lap_time_s)).scores["brake"]
    assert one.score is None
    assert one.reason.text == "brake_front_bar covers 30% of the lap, less than half"


def test_a_lap_at_constant_speed_has_no_events() -> None:
    t = np.arange(0.0, 90.0, 0.04)
    still = {
        "speed_kmh": 120.0,
        "throttle_pct": 60.0,
        "brake_front_bar": 0.0,
        "steering_deg": 1.0,
        "rpm": 5000.0,
        "gear": 4.0,
        "accel_long_g": 0.0,
        "accel_lat_g": 0.02,
    }
    channels = {name: np.full(t.size, value) for name, value in still.items()}
    analysis = analyse_lap(LapTrace(t, t * 33.3, channels, 90.0))
    assert analysis.events == ()
    assert analysis.scores["throttle"].score == analysis.scores["steering"].score == 0.0
    assert analysis.reasons["brake"].text == "the lap has no braking"
    assert analysis.reasons["speed"].text == "the lap has no turns off the brake"


def test_the_same_bends_driven_cleanly_have_none_either(hand_made: Make) -> None:
    assert analyse_lap(hand_made()).events == ()


def test_the_order_of_the_samples_does_not_matter(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    lap, reference = simulated[0], simulated[2]
    order = np.random.default_rng(1).permutation(lap.t_s.size)
    channels = {name: values[order] for name, values in lap.channels.items()}
    mixed = LapTrace(lap.t_s[order], lap.distance_m[order], channels, lap.lap_time_s)
    was, now = (analyse_lap(one, circuit, thresholds, references=[reference]) for one in (lap, mixed))
    assert (now.events, now.scores, now.insights) == (was.events, was.scores, was.insights)
    assert now.columns() == was.columns()


@settings(max_examples=10, deadline=None)
@given(st.floats(-100, 100))
def test_a_shift_in_time_shifts_the_events_and_nothing_else(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds, shift_s: float
) -> None:
    lap = simulated[0]
    shift = round(shift_s, 6)
    moved = LapTrace(lap.t_s + shift, lap.distance_m, lap.channels, lap.lap_time_s)
    was, now = (analyse_lap(one, circuit, thresholds) for one in (lap, moved))
    assert now.scores == was.scores
    assert [e.message for e in now.events] == [e.message for e in was.events]
    assert [e.t_lap_s - shift for e in now.events] == pytest.approx([e.t_lap_s for e in was.events], abs=1e-5)
