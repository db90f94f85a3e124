"""Lap statistics, runs of consecutive laps and trends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.pace.lap_pace import compute_lap_statistics, find_best_time, find_pace_records, trend_s_per_lap
from tests.unit.analysis.drivers.laps import any_laps, made, published


@given(any_laps())
@settings(deadline=None)
def test_statistics_are_those_of_the_laps_fit_for_pace(laps):
    times = [t for t, fit in zip(laps.lap_time_s, laps.fit_for["pace"], strict=True) if fit and math.isfinite(t)]
    found = compute_lap_statistics(laps)
    assert found.n == len(times)
    if not times:
        assert math.isnan(found.best.time_s)
        assert found.best.lap_number is None
        return
    assert found.best.time_s == min(times)
    assert found.best.time_s <= found.median_s <= max(times)
    assert found.mean_s == pytest.approx(np.mean(times))
    second = sorted(times)[1] - min(times) if len(times) > 1 else math.nan
    assert found.best.gap_second_s == pytest.approx(second, nan_ok=True)


def test_the_first_of_equal_bests_is_named_and_the_gap_to_the_second_is_zero():
    best = find_best_time(laps := made([131.0, 130.0, 130.0]), laps.lap_time_s)
    assert (best.time_s, best.lap_number, best.gap_second_s) == (130.0, 2, 0.0)


@given(any_laps(max_size=20))
@settings(deadline=None)
def test_pace_records_are_the_best_of_all_runs_one_can_form(laps):
    times = dict(zip(laps.lap_number.tolist(), laps.times_s("pace").tolist(), strict=True))
    for length in (3, 5):
        runs = [[times.get(first + k, math.nan) for k in range(length)] for first in times]
        means = [sum(run) / length for run in runs if all(map(math.isfinite, run))]
        records = find_pace_records(laps, (length,))
        assert bool(records) == bool(means)
        for record in records:
            assert record.mean_s == pytest.approx(min(means))
            assert record.last_lap - record.first_lap == length - 1


def test_a_run_does_not_bridge_a_missing_lap():
    laps = made([130, 130, 130, 130], lap_number=[1, 2, 4, 5])
    assert find_pace_records(laps, (2,))[0].last_lap == 2
    assert find_pace_records(laps, (3,)) == ()


@given(st.floats(-1, 1), st.integers(5, 40), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_one_slow_lap_does_not_bend_a_trend(slope, n, random):
    lap = np.arange(1.0, n + 1)
    times = 130 + slope * lap
    times[random.randrange(n)] += 60
    found = trend_s_per_lap(lap, times)
    assert found.value == pytest.approx(slope, abs=1e-6)
    assert found.low <= found.value <= found.high


def test_a_trend_needs_two_laps_and_its_interval_five():
    assert math.isnan(trend_s_per_lap(np.array([1.0]), np.array([130.0])).value)
    few = trend_s_per_lap(np.arange(4.0), np.array([130.0, 130.1, 130.2, 130.3]))
    assert few.value == pytest.approx(0.1)
    assert math.isnan(few.low)


def test_trends_of_noise_are_seldom_beyond_it():
    rng = np.random.default_rng(3)
    found = [trend_s_per_lap(np.arange(16.0), rng.normal(130, 0.5, 16)) for _ in range(300)]
    assert np.mean([e.sign != 0 for e in found]) <= 0.09


def test_ten_thousand_laps_are_thinned_and_keep_their_trend():
    lap = np.arange(10_000.0)
    found = trend_s_per_lap(lap, 130 + 0.001 * lap + np.random.default_rng(1).normal(0, 0.5, lap.size))
    assert found.value == pytest.approx(0.001, rel=0.01)


def test_real_best_laps_are_those_of_the_official_list(data_dir):
    # The official list leaves lap 1 out, as the laps here do.
    for race, car, lap in ((1, "72", 10), (1, "12", 8), (2, "72", 5), (2, "12", 5)):
        best = compute_lap_statistics(published(data_dir, "vir", race)[car]).best
        assert best.lap_number == lap
