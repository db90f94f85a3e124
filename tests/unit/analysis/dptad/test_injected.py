"""Incidents put into clean laps are found where they were put, and the lap scores higher for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.dptad import Category, LapAnalysis, Thresholds, analyse_lap
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit


def changed(lap: LapTrace, channel: str, more: np.ndarray, low: float, high: float) -> LapTrace:
    channels = {**lap.channels, channel: np.clip(lap.channels[channel] + more, low, high)}
    return LapTrace(lap.t_s, lap.distance_m, channels, lap.lap_time_s)


def bump(lap: LapTrace, at_s: float, size: float, width_s: float) -> np.ndarray:
    return size * np.clip(1 - np.abs(lap.t_s - at_s) / width_s, 0, None)


def distance_s(analysis: LapAnalysis, category: Category, at_s: float) -> float:
    """How far the nearest event of a category is from where it should be."""
    return min((abs(e.t_lap_s - at_s) for e in analysis.events if e.category == category), default=np.inf)


def assert_found(
    lap: LapTrace, worse: LapTrace, category: Category, at_s: float, circuit: Circuit, used: Thresholds
) -> None:
    was, now = analyse_lap(lap, circuit, used), analyse_lap(worse, circuit, used)
    assert distance_s(now, category, at_s) <= 0.3
    before, after = was.scores[category].score, now.scores[category].score
    assert before is not None
    assert after is not None
    assert after > before


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(5, 60), st.floats(60, 110))
def test_a_stab_at_the_brake(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds, which: int, at_s: float, size_bar: float
) -> None:
    lap = simulated[which]
    # Within a braking the same stab may be weaker than the pressure falls, or one incident with the one before it.
    assume(lap.channels["brake_front_bar"][np.abs(lap.t_s - at_s) < 1.0].max() == 0)
    worse = changed(lap, "brake_front_bar", bump(lap, at_s, size_bar, 0.12), 0, 250)
    assert_found(lap, worse, "brake", at_s - 0.06, circuit, thresholds)


def steady_s(lap: LapTrace) -> np.ndarray:
    """Instants on the throttle, off the brake, in one gear, with the bend neither beginning nor ending."""
    at = np.arange(5.0, 60.0, 0.2)
    near = np.abs(lap.t_s - at[:, None]) < 1.6
    low, high = (
        {name: reduce.reduce(np.where(near, values, empty), axis=1) for name, values in lap.channels.items()}
        for reduce, empty in ((np.minimum, np.inf), (np.maximum, -np.inf))
    )
    steady = (low["throttle_pct"] > 50) & (high["brake_front_bar"] < 1) & (high["gear"] == low["gear"])
    return np.asarray(at[steady & (high["accel_lat_g"] - low["accel_lat_g"] < 0.2)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(0, 1), st.floats(70, 100))
def test_a_lift_that_nothing_calls_for(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds, which: int, where: float, depth_pct: float
) -> None:
    lap = simulated[which]
    choice = steady_s(lap)
    assert choice.size > 5
    at_s = float(choice[round(where * (choice.size - 1))])
    worse = changed(lap, "throttle_pct", -bump(lap, at_s, depth_pct, 0.3), 0, 100)
    assert_found(lap, worse, "throttle", at_s - 0.2, circuit, thresholds)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.floats(5, 60), st.floats(100, 160), st.sampled_from([-1, 1]))
def test_a_correction_at_the_wheel(
    simulated: list[LapTrace],
    circuit: Circuit,
    thresholds: Thresholds,
    which: int,
    at_s: float,
    size_deg: float,
    way: int,
) -> None:
    lap = simulated[which]
    near = np.abs(lap.t_s - at_s) < 1.0
    assume(np.ptp(lap.channels["steering_deg"][near]) < 30)  # or the way into a bend hides a half of it
    worse = changed(lap, "steering_deg", way * bump(lap, at_s, size_deg, 0.2), -720, 720)
    assert_found(lap, worse, "steering", at_s, circuit, thresholds)


def test_several_at_once_raise_the_whole(simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds) -> None:
    lap = simulated[0]
    worse = lap
    for at_s in (12.0, 25.0, 38.0, 51.0):
        worse = changed(worse, "brake_front_bar", bump(lap, at_s, 80.0, 0.12), 0, 250)
        worse = changed(worse, "steering_deg", bump(lap, at_s + 3, 90.0, 0.2), -720, 720)
    was, now = (analyse_lap(one, circuit, thresholds).overall for one in (lap, worse))
    assert was is not None
    assert now == pytest.approx(now)
    assert now is not None
    assert now > was + 5.0
