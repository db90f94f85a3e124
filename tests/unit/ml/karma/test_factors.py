"""Why a lap wears: shares that add up, are exact where that can be, and do not depend on what else is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.karma import Factor
from ml.karma.factors import describe_factors, factor_groups, shapley_contributions, to_percent_change
from tests.unit.ml.karma.made_laps import INPUTS, RULES

GROUPS = {"a": np.array([0, 1]), "b": np.array([2]), "c": np.array([3, 4]), "d": np.array([5])}
seeds = st.integers(0, 10_000)


def drawn(seed: int, n: int = 7, laps: int = 3) -> np.ndarray:
    """Laps with those before them, some of which were not driven."""
    rng = np.random.default_rng(seed)
    before = rng.normal(size=(n, laps, 6))
    before[rng.uniform(size=n) < 0.4, 0] = np.nan
    return before


def crooked(one: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Nothing is straight in it, inputs act together, and the laps before have a say."""
    seen = np.nan_to_num(before).sum(axis=1)
    first = np.sin(one[:, 0] * one[:, 2]) + np.abs(one[:, 3]) * one[:, 5]
    return np.stack([first, np.tanh(seen[:, 0] + seen[:, 4]) * np.exp(0.3 * seen[:, 1])], axis=1)


@given(seeds)
@settings(max_examples=40)
def test_the_shares_of_any_model_add_up_to_its_whole_difference_from_the_middle_lap(seed):
    before = drawn(seed)
    middle = np.where(np.isnan(before), np.nan, 0.0)
    whole = crooked(before[:, -1], before) - crooked(middle[:, -1], middle)
    np.testing.assert_allclose(shapley_contributions(crooked, before, GROUPS).sum(axis=1), whole, atol=1e-12)


@given(seeds)
@settings(max_examples=20)
def test_shares_of_a_straight_line_are_what_each_group_adds(seed):
    weights = np.random.default_rng(seed + 1).normal(size=(6, 2))
    before = drawn(seed)
    found = shapley_contributions(lambda one, _: one @ weights, before, GROUPS)
    expected = np.stack([before[:, -1, at] @ weights[at] for at in GROUPS.values()], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_what_two_groups_do_together_is_shared_between_them():
    before = drawn(1)
    found = shapley_contributions(lambda one, _: (one[:, 2] * one[:, 5])[:, None], before, GROUPS)[:, :, 0]
    half = before[:, -1, 2] * before[:, -1, 5] / 2
    np.testing.assert_allclose(found, np.stack([0 * half, half, 0 * half, half], axis=1), atol=1e-12)


def test_a_group_that_the_model_ignores_has_no_share():
    found = shapley_contributions(lambda one, more: crooked(one, more)[:, :1], drawn(2), GROUPS)
    only_a_and_b = shapley_contributions(lambda one, _: np.sin(one[:, :1] * one[:, 2:3]), drawn(2), GROUPS)
    assert not only_a_and_b[:, 2:].any()
    assert found[:, 2:].any()


def test_a_laps_shares_do_not_depend_on_the_laps_asked_about_with_it():
    before = drawn(3, n=300)
    together = shapley_contributions(crooked, before, GROUPS)
    for some in (np.arange(300)[::-1], np.array([5]), np.arange(100, 280, 7)):
        np.testing.assert_allclose(shapley_contributions(crooked, before[some], GROUPS), together[some], atol=1e-12)


def test_a_real_model_adds_up_too(fitted, dataset):
    one = fitted["lstm"]
    inputs = one.scaling.to_inputs(dataset.part("test")[0])[:8]
    before = np.stack([np.full_like(inputs, np.nan), inputs[::-1], inputs], axis=1)
    groups = factor_groups(one.scaling.columns, RULES.factors)
    found = shapley_contributions(lambda single, more: one.answer(single, more)[0], before, groups)
    middle = before * 0.0
    whole = one.answer(inputs, before)[0] - one.answer(middle[:, -1], middle)[0]
    np.testing.assert_allclose(found.sum(axis=1), whole, atol=1e-5)


def test_every_input_is_in_one_group_and_factors_without_inputs_are_left_out():
    groups = factor_groups(INPUTS, RULES.factors)
    assert list(groups) == list(RULES.factors)
    assert sorted(np.concatenate(list(groups.values())).tolist()) == list(range(len(INPUTS)))
    chassis = factor_groups(RULES.columns("chassis"), RULES.factors)
    assert not {"brake_heat", "engine_heat", "torque", "revs", "over_revs", "shifts"} & set(chassis)
    assert "braking" in chassis


def test_a_change_of_the_logarithm_is_told_as_one_of_damage():
    np.testing.assert_allclose(to_percent_change(np.log([2.0, 1.0, 0.5])), [100.0, 0.0, -50.0], atol=1e-9)


@pytest.mark.parametrize(
    ("ranked", "words"),
    [
        ([("knocks", 85.2), ("heat", -6.4)], "kerbs and knocks +85 %, cooler brakes -6 %"),
        ([("heat", 12.0), ("knocks", 2.9), ("knocks", -2.9)], "hotter brakes +12 %"),
        ([("heat", 2.9)], "as the middle of the laps learned from"),
        ([], "as the middle of the laps learned from"),
    ],
)
def test_words(ranked, words):
    factors = {
        "knocks": Factor(inputs=(), more="kerbs and knocks", less="fewer kerbs"),
        "heat": Factor(inputs=(), more="hotter brakes", less="cooler brakes"),
    }
    assert describe_factors(ranked, factors) == words
