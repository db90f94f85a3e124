"""Integrals from one end of a stretch to the other, at whatever rate a channel comes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.signals.held import HeldSignal, hold_samples, seconds_to_us
from analysis.signals.integrals import MAX_GAP_S, describe_gap, integrate_signals, longest_gap_s

START_S, LAP_S, CIRCLE_M = 1_757_181_600.0, 60.0, 2_073.45
START_US = int(START_S * 1e6)
END_US = START_US + int(LAP_S * 1e6)


def speed_mps(t_s: np.ndarray) -> np.ndarray:
    """Speed round a circle, fastest at the line; its integral over a lap is the circle's length."""
    return CIRCLE_M / LAP_S * (1.0 + 0.49 * np.cos(2 * np.pi * (t_s - START_S) / LAP_S))


def sampled(rate_hz: float, first_s: float = -5.0, last_s: float = LAP_S + 5.0) -> HeldSignal:
    t = START_S + np.arange(round(first_s * rate_hz), round(last_s * rate_hz) + 1) / rate_hz
    return hold_samples(seconds_to_us(t), speed_mps(t))


def distance_m(signal: HeldSignal, end_us: int = END_US) -> float:
    return integrate_signals(lambda v: v, START_US, end_us, signal)


@pytest.mark.parametrize("rate_hz", [0.5, 1.0, 2.0, 3.7, 20.0, 500.0])
def test_a_lap_is_as_long_at_every_rate(rate_hz: float) -> None:
    assert distance_m(sampled(rate_hz)) == pytest.approx(CIRCLE_M, rel=5e-3 if rate_hz < 1 else 1e-3)


@pytest.mark.parametrize("rate_hz", [20.0, 500.0])
def test_nothing_is_driven_beyond_the_line(rate_hz: float) -> None:
    assert distance_m(sampled(rate_hz)) == pytest.approx(CIRCLE_M, abs=0.1)
    assert distance_m(sampled(rate_hz, 0.0, LAP_S)) == pytest.approx(CIRCLE_M, abs=0.1)


def test_the_speed_at_the_line_lies_between_the_samples_beside_it_or_is_the_last_one() -> None:
    t = START_S + np.array([-1.0, 0.5, 1.5, 3.0])
    signal = hold_samples(seconds_to_us(t), [0.0, 30.0, 30.0, 60.0])
    beyond = integrate_signals(lambda v: v, START_US, START_US + 2_000_000, signal)
    assert beyond == pytest.approx((20 + 30) / 2 * 0.5 + 30 + (30 + 40) / 2 * 0.5)
    inside = hold_samples(seconds_to_us(t[1:3]), [30.0, 30.0])
    assert integrate_signals(lambda v: v, START_US, START_US + 2_000_000, inside) == pytest.approx(60.0)


@given(
    st.lists(st.integers(1, 2_000_000), min_size=2, max_size=40),
    st.integers(0, 1_999_999),
    st.floats(-5.0, 5.0),
    st.floats(0.0, 80.0),
)
def test_a_steady_change_is_integrated_exactly(steps: list[int], late: int, slope: float, first: float) -> None:
    t_us = START_US - late + np.cumsum([0, *steps])
    end_us = int(t_us[-1])
    if end_us <= START_US:
        return
    values = first + slope * (t_us - START_US) / 1e6
    seconds = (end_us - START_US) / 1e6
    found = integrate_signals(lambda v: v, START_US, end_us, hold_samples(t_us, values))
    assert found == pytest.approx(first * seconds + slope * seconds**2 / 2, abs=1e-3)


def test_where_a_channel_is_missing_for_too_long_nothing_is_told() -> None:
    whole = sampled(10.0)

    def without(first_s: float, last_s: float) -> HeldSignal:
        t_s = (whole.start_us - START_US) / 1e6
        keep = (t_s <= first_s) | (t_s >= last_s)
        return HeldSignal(whole.start_us[keep], whole.end_us[keep], whole.value[keep])

    assert distance_m(without(20.0, 22.0)) == pytest.approx(CIRCLE_M, rel=1e-3)
    for hole in ((20.0, 22.1), (-5.1, 2.1), (57.9, 70.0)):
        assert math.isnan(distance_m(without(*hole))), hole
    assert longest_gap_s(without(20.0, 23.5), START_US, END_US) == pytest.approx(3.5)
    assert describe_gap("speed_kmh", 3.5) == "speed_kmh has no value for 3.5 s of the lap, and 2.0 s are bridged"
    nothing = without(-5.1, 70.0)
    assert longest_gap_s(nothing, START_US, END_US) == math.inf
    assert describe_gap("rpm", math.inf) == "rpm is missing"
    assert math.isnan(integrate_signals(np.multiply, START_US, END_US, whole, nothing))


def test_only_samples_near_the_stretch_count() -> None:
    reach = MAX_GAP_S
    assert distance_m(sampled(20.0, -reach, LAP_S + reach)) == distance_m(sampled(20.0, -60.0, LAP_S + 60.0))


def test_a_product_is_taken_at_the_instants_of_both() -> None:
    slow = hold_samples(seconds_to_us(START_S + np.arange(0.0, 11.0)), np.arange(0.0, 11.0))
    fast = hold_samples(seconds_to_us(START_S + np.arange(0.0, 10.01, 0.05)), np.full(201, 3.0))
    found = integrate_signals(np.multiply, START_US, START_US + 10_000_000, slow, fast)
    assert found == pytest.approx(150.0)
