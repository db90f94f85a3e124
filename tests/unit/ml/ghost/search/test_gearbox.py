"""Gears of a known gearbox come back, and a ghost's do not flicker."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.trace import LapTrace
from ml.ghost.search.gearbox import find_gear_shifts, learn_gearbox

RATIO = {2: 58.0, 3: 47.0, 4: 39.0, 5: 34.0}
UP = {2: 7200.0 / 58.0, 3: 7200.0 / 47.0, 4: 7200.0 / 39.0}


def made(seed: int, without: tuple[str, ...] = ()) -> LapTrace:
    """Two minutes up and down the gears; the engine speed comes five times a second, now and then from a shift."""
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, 120.0, 0.04)
    speed = 130.0 + 60.0 * np.sin(2 * np.pi * t / 24.0)
    gear = np.select([speed < UP[2], speed < UP[3], speed < UP[4]], [2, 3, 4], 5)
    rpm = np.vectorize(RATIO.get)(gear) * speed + rng.normal(0, 20, len(t))
    rpm[rng.random(len(t)) < 0.05] *= 0.8
    slow = np.arange(len(t)) % 5 == 0
    channels = {"speed_kmh": speed, "gear": gear.astype(float), "rpm": np.where(slow, rpm, np.nan)}
    return LapTrace(t, t * 40.0, {k: v for k, v in channels.items() if k not in without}, 120.0)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_gearbox_comes_back(seed: int) -> None:
    box = learn_gearbox([made(seed), made(seed + 1)])
    assert box is not None
    assert box.gears == (2, 3, 4, 5)
    assert box.rpm_per_kmh == pytest.approx(list(RATIO.values()), rel=0.005)
    assert box.up_kmh[:-1] == pytest.approx(list(UP.values()), rel=0.03)
    assert (box.down_kmh[1:] < box.up_kmh[:-1]).all()


@given(st.integers(0, 1000), st.floats(0.0, 2.0))
@settings(max_examples=20, deadline=None)
def test_it_does_not_flicker(seed: int, noise_kmh: float) -> None:
    box = learn_gearbox([made(0)])
    assert box is not None
    t = np.arange(0.0, 24.0, 0.01)
    clean = 130.0 + 60.0 * np.sin(2 * np.pi * t / 24.0)
    noise = np.convolve(np.random.default_rng(seed).normal(0, noise_kmh, len(t)), np.ones(5) / 5, mode="same")
    shifts = list(find_gear_shifts(box.gear(clean + noise)))
    assert len(shifts) == 6  # up to the fifth and down to the second
    assert all(abs(after - before) == 1 for _, before, after in shifts)


def test_engine_speeds_stay_in_the_range_seen() -> None:
    box = learn_gearbox([made(0)])
    assert box is not None
    speed = 130.0 + 55.0 * np.sin(np.linspace(0, 2 * np.pi, 500))
    gear = box.gear(speed)
    assert np.abs(box.beyond_rpm(speed, gear)).max() < 250.0  # what the hysteresis takes, where drivers had none
    assert box.beyond_rpm(np.array([220.0]), np.array([5]))[0] > 200.0
    assert box.beyond_rpm(np.array([60.0]), np.array([5]))[0] < -1000.0


def test_the_first_point_follows_on_the_last() -> None:
    box = learn_gearbox([made(0)])
    assert box is not None
    between = (box.down_kmh[1] + box.up_kmh[0]) / 2.0  # second gear or third, depending on where one comes from
    assert box.gear(np.array([between, between, 80.0, between]))[0] == 2
    assert box.gear(np.array([between, between, 140.0, between]))[0] == 3


@pytest.mark.parametrize("channel", ["gear", "rpm", "speed_kmh"])
def test_without_the_channels_there_is_none(channel: str) -> None:
    assert learn_gearbox([made(0, without=(channel,))]) is None
    assert learn_gearbox([]) is None
