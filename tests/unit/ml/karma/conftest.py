"""Made laps and models trained on them, once for all tests."""

from __future__ import annotations

import pytest

from ml.karma.dataset import PROMOTION, TEST, TRAIN, KarmaDataset, build_karma_dataset
from ml.karma.fitting import FitParams, FittedKarma, fit_karma
from ml.karma.learners import ALGORITHMS, LearnerParams
from ml.karma.model import KarmaModel
from tests.unit.ml.karma.made_laps import INPUTS, RULES, made_laps, tracks_of

SMALL = LearnerParams(trees=25, members=2, hidden=10, epochs=30)


@pytest.fixture(scope="session")
def made():
    """Laps and truth of tracks for every part of the split."""
    return made_laps([*tracks_of(TRAIN, 14), *tracks_of(TEST, 4), *tracks_of(PROMOTION, 2)], cars=3, laps=4)


@pytest.fixture(scope="session")
def dataset(made) -> KarmaDataset:
    return build_karma_dataset(*made, INPUTS, RULES.least_coverage)


@pytest.fixture(scope="session")
def fitted(dataset) -> dict[str, FittedKarma]:
    """All inputs, by algorithm."""
    laps, damage = dataset.part(TRAIN)
    return {name: fit_karma(laps, damage, RULES.columns("everything"), name, FitParams(SMALL)) for name in ALGORITHMS}


@pytest.fixture(scope="session")
def model(dataset, fitted) -> KarmaModel:
    """A forest for every set."""
    laps, damage = dataset.part(TRAIN)
    sets = {
        name: fitted["random_forest"]
        if name == RULES.best_set
        else fit_karma(laps, damage, RULES.columns(name), "random_forest", FitParams(SMALL))
        for name in RULES.sets
    }
    return KarmaModel("random_forest", sets, RULES.sequence_laps, SMALL)
