"""A small model of wear, learned from simulated laps in seconds: for what needs one in use and does not judge it."""

from __future__ import annotations

import pandas as pd

from conf.karma import load_karma_rules
from jobs.train_karma import register_karma_model
from ml.karma import MODEL
from ml.karma.dataset import TRAIN, build_karma_dataset
from ml.karma.fitting import FitParams, fit_karma
from ml.karma.learners import LearnerParams
from ml.karma.model import KarmaModel
from ml.tracking import Tracker


def register_small_model(tracker: Tracker, laps: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Fit a few trees for each set of inputs, register them, and give them the alias of the model in use.

    Args:
        tracker: Where.
        laps: Features of laps, as :func:`benchmarks.karma_laps.session` gives them.
        truth: What each lap did to the car.
    """
    rules, params = load_karma_rules(), FitParams(LearnerParams(trees=10))
    data = build_karma_dataset(laps, truth, rules.columns(rules.best_set), rules.least_coverage)
    sets = {name: fit_karma(*data.part(TRAIN), rules.columns(name), "random_forest", params) for name in rules.sets}
    with tracker.run(MODEL, "small", {}) as run:
        model = KarmaModel("random_forest", sets, params.sequence_laps, params.learner)
        version = register_karma_model(run, model, data.part(TRAIN)[0].head(3))
    tracker.promote(MODEL, version)
