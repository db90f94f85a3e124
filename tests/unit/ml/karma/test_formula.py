"""The score: its fixed points, which way it goes, and how long parts last."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.wear import COMPONENTS
from ml.karma.formula import estimate_remaining_life, karma_score, karma_trend, overall_karma

references = st.floats(1e-7, 1.0)
scores = st.lists(st.floats(0, 100), min_size=len(COMPONENTS), max_size=len(COMPONENTS))
damages = st.lists(st.floats(1e-6, 0.05), min_size=1, max_size=12)


@given(references)
def test_no_wear_scores_100_and_the_reference_50(reference):
    np.testing.assert_allclose(karma_score([0.0, reference, 2 * reference], reference), [100.0, 50.0, 25.0])


@given(st.floats(0, 30), st.floats(1e-6, 30), references)
def test_more_wear_always_scores_less(damage, more, reference):
    less, gentle = karma_score([(damage + more) * reference, damage * reference], reference)
    assert 0 < less < gentle <= 100


def test_components_have_references_of_their_own():
    np.testing.assert_allclose(karma_score([[1.0, 4.0], [2.0, 2.0]], [1.0, 2.0]), [[50.0, 25.0], [25.0, 50.0]])


@given(scores)
def test_the_whole_lies_between_the_weakest_and_the_mean(given_scores):
    mean = sum(given_scores) / len(given_scores)
    assert min(given_scores) - 1e-9 <= overall_karma(given_scores) <= mean + 1e-9


@given(scores, st.integers(0, len(COMPONENTS) - 1), st.floats(0.1, 100))
def test_the_whole_falls_when_any_component_does(given_scores, at, by):
    worse = [score - by * (i == at) for i, score in enumerate(given_scores)]
    assert overall_karma(worse) <= overall_karma(given_scores) - by / (len(COMPONENTS) + 1) + 1e-9


def test_the_weakest_counts_twice():
    assert overall_karma([90.0, 90.0, 90.0, 90.0, 30.0]) == pytest.approx((4 * 90 + 2 * 30) / 6)


@given(damages, st.floats(1.0, 3.0))
def test_laps_that_remain_lie_in_their_interval(taken, factor):
    found = estimate_remaining_life(taken, factor, 5)
    assert 0 <= found.low <= found.laps <= found.high
    sure = estimate_remaining_life(taken, 1.0, 5)
    assert sure.low == sure.laps == sure.high == found.laps


@given(damages, st.floats(1.01, 3.0))
def test_harder_laps_leave_fewer(taken, times):
    assert (
        estimate_remaining_life([times * damage for damage in taken], 1.2, 5).laps
        < estimate_remaining_life(taken, 1.2, 5).laps
    )


def test_laps_that_remain_by_hand():
    found = estimate_remaining_life([0.05, 0.01, 0.02, 0.03], 2.0, 3)  # 0.11 is gone, at 0.02 a lap of late
    assert found.laps == pytest.approx(0.89 / 0.02)
    assert found.low == pytest.approx(0.78 / 0.04)
    assert found.high == pytest.approx(0.945 / 0.01)


def test_a_part_that_is_worn_has_none_left():
    assert estimate_remaining_life([0.5, 0.6], 1.5, 5).laps == 0.0
    assert estimate_remaining_life([0.5, 0.6], 1.5, 5).high > 0.0  # it may be a better part than most
    assert estimate_remaining_life([0.5, 0.4], 1.5, 5).low == 0.0
    assert estimate_remaining_life([0.0, 0.0], 1.5, 5).laps == math.inf


@given(st.floats(0, 100), st.floats(-5, 5), st.integers(3, 8), scores)
def test_the_trend_of_a_straight_line_is_its_slope_whatever_came_before(at, slope, laps, before):
    line = [at + slope * lap for lap in range(laps)]
    assert karma_trend([*before, *line], laps) == pytest.approx(slope, abs=1e-9)


def test_there_is_no_trend_before_the_third_score():
    assert karma_trend([], 5) is None
    assert karma_trend([50.0, 40.0], 5) is None
    assert karma_trend([50.0, 40.0, 30.0], 5) == pytest.approx(-10.0)
