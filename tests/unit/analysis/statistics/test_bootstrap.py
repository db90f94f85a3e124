"""Estimates, draws and intervals that every bootstrap shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.bootstrap import (
    Estimate,
    bca_interval,
    draw_counts,
    draw_indices,
    percentile_interval,
    seed_of,
    standard_error,
)


def test_an_estimate_says_on_which_side_of_zero_it_lies() -> None:
    assert [Estimate(1.0, *bounds).sign for bounds in ((0.5, 2.0), (-0.5, 2.0), (-3.0, -0.1))] == [1, 0, -1]
    assert Estimate(1.0).sign == 0


def test_an_estimate_as_columns_and_as_text() -> None:
    assert Estimate(1.5).columns("mean_s") == {"mean_s": 1.5, "mean_s_low": None, "mean_s_high": None}
    assert str(Estimate(0.25, 0.125, 0.5)) == "0.250 [0.125, 0.500]"
    assert Estimate(0.25, -0.125, 0.5).text("+.2f") == "+0.25 [-0.12, +0.50]"


@given(n=st.integers(1, 30), seed=st.integers(0, 2**63))
def test_each_draw_holds_as_many_as_there_are(n: int, seed: int) -> None:
    counts = draw_counts(n, 50, np.random.default_rng(seed))
    indices = draw_indices(n, 50, np.random.default_rng(seed))
    assert (counts.sum(axis=1) == n).all()
    assert indices.shape == (50, n)
    assert 0 <= indices.min() <= indices.max() < n


def test_draws_follow_from_the_seed_as_they_always_did() -> None:
    """The draws behind the figures that tables and the registry hold."""
    assert seed_of("s|a") == 4733617329567799878
    rng, ours = np.random.default_rng(7), np.random.default_rng(7)
    assert np.array_equal(draw_indices(9, 40, ours), rng.integers(0, 9, (40, 9)))
    assert np.array_equal(draw_indices(9, 1, ours)[0], rng.integers(0, 9, 9))
    assert np.array_equal(draw_counts(9, 40, ours), rng.multinomial(9, np.full(9, 1 / 9), size=40))


def test_percentiles_leave_out_draws_that_are_not_defined() -> None:
    draws = np.random.default_rng(0).normal(size=999)
    known = percentile_interval(0.0, draws)
    assert (known.low, known.high) == tuple(np.quantile(draws, [0.025, 0.975]))
    assert percentile_interval(0.0, np.append(draws, np.nan)) == known


def test_bca_is_scipys_but_for_the_widening() -> None:
    x = np.random.default_rng(3).exponential(size=200)
    drawn = x[draw_indices(len(x), 20_000, np.random.default_rng(1))].mean(axis=1)
    without = (x.sum() - x) / (len(x) - 1)
    pull = (without.mean() - without) * (len(x) - 1) / len(x)
    ours = bca_interval(float(x.mean()), drawn, pull, len(x), len(x) - 1)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, rng=np.random.default_rng(2)).confidence_interval
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.01)


def test_without_a_figure_there_is_no_interval() -> None:
    none = bca_interval(np.nan, np.array([1.0]), np.array([0.0]), 5, 4)
    assert np.isnan([none.value, none.low, none.high]).all()
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(np.sqrt(2.0))
