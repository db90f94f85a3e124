"""Smoothing: nothing a driver could not do is left, and nothing is made that was not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.ghost import SmoothingRules, load_ghost_rules
from ml.ghost.search.smoothing import filter_window_points, junction_jumps_kmh, separate_pedals, smooth_lap

RULES = load_ghost_rules().smoothing


def made(seed: int, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    speed = 30.0 + 10.0 * np.sin(2 * np.pi * np.arange(n + 1) / n)
    pedals = rng.choice([0.0, 100.0], (n // 20 + 1, 2)).repeat(20, axis=0)[: n + 1]
    pedals[-1] = pedals[0]
    return np.column_stack([speed, pedals, 50.0 * np.sin(4 * np.pi * np.arange(n + 1) / n)])


@given(st.integers(0, 1000), st.floats(0.5, 2.0))
def test_pedals_stay_within_their_range(seed: int, step_m: float) -> None:
    found = smooth_lap(made(seed), step_m, RULES)
    assert found[:, 1].min() >= 0.0
    assert found[:, 1].max() <= 100.0
    assert found[:, 2].min() >= 0.0
    assert found.shape == made(seed).shape


@given(st.integers(0, 1000), st.integers(1, 399))
def test_it_does_not_matter_where_the_line_is(seed: int, turn: int) -> None:
    values = made(seed)
    rolled = np.roll(values[:-1], turn, axis=0)
    rolled = np.vstack([rolled, rolled[:1]])
    np.testing.assert_allclose(
        smooth_lap(rolled, 1.0, RULES)[:-1], np.roll(smooth_lap(values, 1.0, RULES)[:-1], turn, axis=0)
    )


@given(st.floats(0.0, 5.0))
def test_a_lap_that_ends_faster_keeps_its_difference(gain_mps: float) -> None:
    values = made(1)
    values[:, 0] = 40.0 + gain_mps * np.linspace(0.0, 1.0, len(values))
    np.testing.assert_allclose(smooth_lap(values, 1.0, RULES)[:, 0], values[:, 0], atol=1e-9)


def test_parabolas_pass_and_noise_does_not() -> None:
    values = made(2)
    noise = np.random.default_rng(0).normal(0, 0.5, len(values))
    values[:, 0] = 30.0 + noise
    assert np.std(smooth_lap(values, 1.0, RULES)[:, 0]) < 0.5 * np.std(values[:, 0])
    x = np.linspace(-1, 1, len(values))
    values[:, 0] = 30.0 + x**2
    np.testing.assert_allclose(
        smooth_lap(values, 1.0, RULES)[10:-10, 0], values[10:-10, 0], atol=1e-9
    )  # but for its kink


def test_a_foot_leaves_one_pedal_before_it_presses_the_other() -> None:
    rules = load_ghost_rules().feasibility
    values = made(3)
    at = np.arange(len(values))
    values[:, 1] = np.where(at < 100, 100.0, 0.0)
    values[:, 2] = np.where((at >= 100) & (at < 200), 60.0, 0.0)
    values[300:350, 1:3] = (60.0, 20.0)  # both, on purpose
    raw = (values[:, 1] > rules.overlap_throttle_pct) & (values[:, 2] > rules.overlap_brake_bar)
    smoothed = smooth_lap(values, 1.0, RULES)
    found = separate_pedals(smoothed, raw, 1.0, RULES, rules)
    both = (found[:, 1] > rules.overlap_throttle_pct) & (found[:, 2] > rules.overlap_brake_bar)
    assert not both[:280].any()
    assert both[305:345].all()
    np.testing.assert_array_equal(found[:, [0, 2, 3]], smoothed[:, [0, 2, 3]])
    assert (found[:, 1] <= smoothed[:, 1]).all()


@pytest.mark.parametrize(("step_m", "points"), [(1.0, 21), (0.5, 41), (3.0, 7), (30.0, 5)])
def test_the_window_is_in_metres(step_m: float, points: int) -> None:
    assert filter_window_points(step_m, RULES) == points


def test_a_polynomial_needs_its_window() -> None:
    with pytest.raises(ValueError, match=r"window_m is 3.*order 4"):
        SmoothingRules(window_m=3.0, polyorder=4)


def test_jumps_are_measured_and_slopes_are_not() -> None:
    speed = np.sqrt(40.0**2 - 2 * 9.0 * np.arange(80.0))
    assert junction_jumps_kmh(speed, 1.0, [30.5, 60.0]).max() < 0.05
    speed[31:] -= 1.0
    assert junction_jumps_kmh(speed, 1.0, [30.5, 60.0]) == pytest.approx([3.6, 0.0], abs=0.05)
