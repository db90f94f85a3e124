"""Fits: they find what is there on tracks they never saw, know how wrong they are, and are the same every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.wear import COMPONENTS
from ml.karma.dataset import TEST, TRAIN
from ml.karma.evaluation import component_r2
from ml.karma.fitting import ErrorSpread, FitParams, _folds, fit_karma, fit_log_lines, fit_spread, with_previous_laps
from ml.karma.learners import ALGORITHMS, LearnerParams
from tests.unit.ml.karma.made_laps import RULES, damage_per_km

TINY = LearnerParams(trees=4, members=2, hidden=4, epochs=3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_finds_what_wears_on_tracks_it_never_saw(fitted, dataset, algorithm):
    laps, damage = dataset.part(TEST)
    predicted, sigma = fitted[algorithm].predict(laps, RULES.sequence_laps)
    assert component_r2(np.log(damage), predicted).min() > 0.9
    # What training saw on tracks left out in turn is what shows on others.
    np.testing.assert_allclose(fitted[algorithm].r2, component_r2(np.log(damage), predicted), atol=0.1)
    assert predicted.shape == sigma.shape == (len(laps), len(COMPONENTS))
    without_parts = np.log(np.stack([damage_per_km(laps)[name] for name in COMPONENTS], axis=1))
    assert np.abs(predicted - without_parts).mean() < 0.12


def test_what_no_line_can_say_is_learned_from_what_it_leaves_over(fitted, dataset):
    laps, damage = dataset.part(TEST)
    one, true, tyres = fitted["random_forest"], np.log(damage), COMPONENTS.index("tyres")
    by_line, by_both = (
        component_r2(true, found)[tyres]
        for found in (one.line(one.scaling.to_inputs(laps)), one.predict(laps, RULES.sequence_laps)[0])
    )
    assert 1 - by_both < 0.7 * (1 - by_line)
    assert one.share[tyres] > 0.5
    assert all(((found.share >= 0) & (found.share <= 1)).all() for found in fitted.values())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_intervals_hold_about_their_share_of_laps_on_tracks_it_never_saw(fitted, dataset, algorithm):
    laps, damage = dataset.part(TEST)
    predicted, sigma = fitted[algorithm].predict(laps, RULES.sequence_laps)
    within = np.abs(np.log(damage) - predicted) <= fitted[algorithm].spread.reach * sigma
    assert 0.8 < within.mean() < 0.99


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_seed_gives_the_same_answers(dataset, algorithm):
    laps, damage = dataset.part(TRAIN)
    columns = RULES.columns("chassis")
    one, again, other = (
        fit_karma(laps, damage, columns, algorithm, FitParams(TINY, seed=seed)).predict(laps, 4) for seed in (3, 3, 4)
    )
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


def test_only_the_recurrent_one_looks_at_the_laps_before(fitted, dataset):
    laps, _ = dataset.part(TEST)
    for name, one in fitted.items():
        inputs = one.scaling.to_inputs(laps)
        before = with_previous_laps(inputs, laps, 4)
        alone = np.full_like(before, np.nan)
        alone[:, -1] = inputs
        assert np.array_equal(one.answer(inputs, before)[0], one.answer(inputs, alone)[0]) == (name != "lstm")


cars = st.lists(
    st.tuples(st.sampled_from(["s1", "s2"]), st.sampled_from(["a", "b", "c"]), st.integers(1, 5)),
    min_size=1,
    max_size=5,
    unique_by=lambda car: car[:2],
)


@given(cars, st.integers(1, 5))
def test_laps_before_are_the_cars_own(grid, length):
    rows = [(session, car, lap) for session, car, laps in sorted(grid) for lap in range(1, laps + 1)]
    laps = pd.DataFrame(rows, columns=["session_id", "vehicle_id", "lap_number"])
    inputs = np.arange(len(laps), dtype=float)[:, None] + [0.0, 0.5]
    before = with_previous_laps(inputs, laps, length)
    assert before.shape == (len(laps), length, 2)
    for i, (session, car, lap) in enumerate(rows):
        driven = min(lap, length)
        np.testing.assert_array_equal(before[i, length - driven :], inputs[i - driven + 1 : i + 1], (session, car))
        assert np.isnan(before[i, : length - driven]).all()


@given(st.lists(st.integers(0, 12), min_size=2, max_size=80), st.integers(0, 5))
def test_folds_hold_whole_tracks_and_about_as_many_laps_each(numbers, seed):
    tracks = np.array([f"track-{number}" for number in numbers], dtype=object)
    folds = _folds(tracks, seed)
    frame = pd.DataFrame({"track": tracks, "fold": folds})
    assert frame.groupby("track")["fold"].nunique().max() == 1
    assert set(folds) == set(range(min(5, len(set(numbers)))))
    laps = frame["fold"].value_counts()
    assert laps.max() - laps.min() <= frame["track"].value_counts().max()


def test_a_line_is_found_and_what_says_nothing_is_left_out():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 12))
    target = np.stack([inputs @ np.r_[2.0, -1.0, np.zeros(10)] + 3.0, inputs[:, 5] - 1.0], axis=1)
    line = fit_log_lines(inputs, target + 0.05 * rng.normal(size=target.shape), np.arange(300) % 5)
    np.testing.assert_allclose(line(inputs), target, atol=0.15)
    assert np.abs(line.weights[2:, 0]).max() < 0.02


@given(st.floats(0.1, 0.3), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.5, 0.95), st.integers(0, 100))
@settings(max_examples=25)
def test_an_interval_holds_its_share_of_new_laps(floor, gain, interval, seed):
    rng = np.random.default_rng(seed)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        disagree = rng.uniform(0.0, 0.4, (n, 2))
        return rng.normal(size=(n, 2)) * np.sqrt(floor**2 + (gain * disagree) ** 2), disagree

    found = fit_spread(*drawn(3_000), interval)
    error, disagree = drawn(3_000)
    within = np.abs(error) <= found.reach * found.sigma(disagree)
    assert within.mean() == pytest.approx(interval, abs=0.04)
    # Where members disagree most the interval is as good as where they agree.
    apart = disagree > 0.3
    assert within[apart].mean() == pytest.approx(interval, abs=0.1)


def test_who_disagrees_knows_less_where_that_has_a_say():
    spread = ErrorSpread(floor=np.array([0.1, 0.1]), gain=np.array([0.0, 2.0]), reach=np.ones(2))
    sigma = spread.sigma(np.linspace(0.0, 0.5, 9)[:, None])
    assert (sigma[:, 0] == 0.1).all()
    assert sigma[0, 1] == pytest.approx(0.1)
    assert (np.diff(sigma[:, 1]) > 0).all()


def test_nobody_is_surer_than_two_percent():
    found = fit_spread(np.zeros((50, 1)), np.zeros((50, 1)), 0.9)
    assert found.sigma(np.zeros((1, 1))) == pytest.approx(0.02)


def test_without_its_learner_an_answer_is_the_line(fitted, dataset):
    laps, _ = dataset.part(TEST)
    one = fitted["random_forest"]
    inputs = one.scaling.to_inputs(laps)
    bare = replace(one, share=np.zeros(len(COMPONENTS)))
    np.testing.assert_array_equal(bare.answer(inputs, inputs[:, None])[0], one.line(inputs))
