"""Scores: nought where there is no difference, high where there is, and copies are found out."""

from __future__ import annotations

import numpy as np
import pytest

from ml.ghost import scores
from ml.ghost.distance import distribution_distance
from ml.ghost.scores import discriminative_score, measure_memorisation, predictive_score, split_laps


def waves(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, 32)
    phase, height = rng.uniform(0, 6.28, (n, 1, 4)), rng.uniform(0.2, 0.5, (n, 1, 4))
    return (0.5 + height * np.sin(6.28 * t[None, :, None] + phase)).astype(np.float32)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_STEPS", 80)


def test_real_from_real_is_hard_to_tell_and_another_level_is_easy() -> None:
    laps = np.arange(400) % 20
    real = split_laps(waves(400, 1), laps)
    same = discriminative_score(real, split_laps(waves(400, 2), laps), 8, seeds=(0,))
    moved = discriminative_score(real, split_laps(waves(400, 3) + np.float32(0.3), laps), 8, seeds=(0,))
    assert same.value < 0.12
    assert moved.value > 0.3
    assert moved.low <= moved.value <= moved.high


def test_halves_share_no_lap_and_one_lap_is_refused() -> None:
    laps = np.repeat(np.arange(6), 5)
    values = np.zeros((30, 32, 4), dtype=np.float32)
    values[:, 0, 0] = laps
    found = split_laps(values, laps)
    assert not set(found.train[:, 0, 0]) & set(found.test[:, 0, 0])
    with pytest.raises(ValueError, match="hold out more laps"):
        split_laps(values[:5], laps[:5])


def test_a_forecaster_learns_from_laps_and_not_from_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_STEPS", 150)
    real = waves(200, 4)
    learned = predictive_score(waves(200, 5), real, seeds=(0,))
    nothing = predictive_score(np.random.default_rng(0).uniform(size=real.shape).astype(np.float32), real, seeds=(0,))
    assert learned.value < 0.5 * nothing.value


def test_copies_are_found_out() -> None:
    train, aside = waves(300, 6), waves(100, 7)
    fresh = measure_memorisation(train, aside, waves(100, 8))
    copied = measure_memorisation(train, aside, train[:100] + np.float32(1e-4))
    assert 0.7 < fresh.ratio < 1.4
    assert fresh.copies < 0.1
    assert copied.ratio < 0.01
    assert copied.copies == 1.0


def test_the_distance_is_small_between_equals_and_grows_with_what_differs() -> None:
    real = waves(500, 1)
    near, far = (distribution_distance(real, waves(500, 2) + np.float32(off)) for off in (0.0, 0.3))
    assert distribution_distance(real, real) == 0.0
    assert near < 0.1
    assert far > 3 * near
