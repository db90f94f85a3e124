"""Bootstrap intervals against scipy's, against known truth, and where there are too few laps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.bootstrap import Estimate, seed_of
from analysis.statistics.lap_moments import MIN_LAPS, difference, estimate, resample

values = st.lists(st.integers(-10_000, 10_000).map(lambda x: x / 1000), min_size=0, max_size=40)


def mean(moments):
    return moments.mean[..., 0]


def variance(moments):
    return moments.var[..., 0]


def column(x):
    return np.asarray(x, dtype=np.float64)[:, None] if len(x) else np.empty((0, 1))


@given(values)
@settings(deadline=None)
def test_moments_are_those_of_the_values_and_intervals_lie_among_the_laps(x):
    sample = resample(column(x), 1)
    middle = estimate(mean, sample, (0,))
    if not x:
        assert np.isnan(middle.value)
        return
    assert middle.value == pytest.approx(np.mean(x), abs=1e-9)
    assert estimate(variance, sample, (0,)).value == pytest.approx(np.var(x), abs=1e-9)
    if len(x) < MIN_LAPS:
        assert np.isnan(middle.low)
        assert np.isnan(middle.high)
    else:
        assert min(x) - 1e-9 <= middle.low <= middle.value + 1e-9
        assert middle.value - 1e-9 <= middle.high <= max(x) + 1e-9


@given(values.filter(lambda x: len(x) >= MIN_LAPS), values.filter(lambda x: len(x) >= MIN_LAPS))
@settings(deadline=None)
def test_a_difference_is_the_mirror_image_of_its_reverse(a, b):
    one, two = resample(column(a), 1), resample(column(b), 2)
    there, back = difference(mean, one, two, (0,)), difference(mean, two, one, (0,))
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-9)
    assert there.sign == -back.sign


def test_a_lap_without_a_value_in_one_column_counts_in_the_other():
    x = np.array([[1.0, 5.0], [2.0, np.nan], [3.0, 7.0], [np.nan, np.nan]])
    sample = resample(x, 1)
    assert sample.n.tolist() == [3, 2]
    assert sample.observed.mean.tolist() == [2.0, 6.0]
    assert np.nanmax(sample.draws.mean[:, 1]) <= 7.0


def test_the_same_name_gives_the_same_interval():
    x = column(np.random.default_rng(0).normal(130, 0.5, 20))
    a, b, c = (estimate(mean, resample(x, seed_of(name)), (0,)) for name in ("s|car-1", "s|car-1", "s|car-2"))
    assert a == b
    assert a != c


def test_equal_laps_leave_no_doubt():
    assert estimate(mean, resample(column([130.0] * 8), 1), (0,)) == Estimate(130.0, 130.0, 130.0)


def test_intervals_are_scipys_where_laps_are_many():
    x = np.random.default_rng(5).gamma(2.0, 0.35, 2_000)
    for ours, theirs in ((mean, np.mean), (variance, np.var)):
        found = estimate(ours, resample(x[:, None], 7), (0,))
        reference = stats.bootstrap((x,), theirs, n_resamples=4_000, method="BCa", rng=np.random.default_rng(1))
        interval = reference.confidence_interval
        width = interval.high - interval.low
        assert found.low == pytest.approx(interval.low, abs=0.07 * width)
        assert found.high == pytest.approx(interval.high, abs=0.07 * width)


def test_an_interval_of_the_mean_holds_the_truth_in_nineteen_of_twenty_sessions():
    rng = np.random.default_rng(11)
    found = [estimate(mean, resample(rng.normal(130, 0.5, (14, 1)), seed), (0,)) for seed in range(300)]
    share = np.mean([e.low <= 130 <= e.high for e in found])
    assert 0.91 <= share <= 0.98


def test_drivers_of_equal_pace_seldom_differ_beyond_noise():
    rng = np.random.default_rng(12)
    signs = [
        difference(
            mean, resample(rng.normal(130, 0.4, (15, 1)), i), resample(rng.normal(130, 0.8, (12, 1)), -i % 991), (0,)
        )
        for i in range(300)
    ]
    assert np.mean([s.sign != 0 for s in signs]) <= 0.09
