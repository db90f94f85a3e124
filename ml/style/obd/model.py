"""Recipes: which windows, which features, which forest; fitting one and scoring a trip with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score

from conf.arrays import BoolArray, FloatArray, IndexArray
from conf.errors import InputError
from ml.style.obd.features import FeatureSet, RowOrder, TripWindows, make_windows
from ml.style.obd.reader import ObdTrip

# Choosing a window length needs an order of merit, not the last digit: fewer trees on every second window.
SELECTION_TREES = 50
SELECTION_STEP_ROWS = 2


@dataclass(frozen=True)
class Recipe:
    """A way from trips to a model; the defaults of the forest are V16.

    Attributes:
        name: shown in tables and figures.
        window_rows: sets of window lengths to choose from. With more than one, the choice is made on the training
            trips alone (see `choose_windows`); the held-out trip has no say.
        feature_set: which statistics (see `features.FEATURE_SETS`).
        row_order: file as stored, or the restored order of driving.
        step_rows: rows from one training window to the next.
        n_trees: trees of the forest.
        max_depth: depth of the trees.
        seed: seed of the forest.
    """

    name: str
    window_rows: tuple[tuple[int, ...], ...]
    feature_set: FeatureSet = "v22"
    row_order: RowOrder = "driven"
    step_rows: int = 1
    n_trees: int = 300
    max_depth: int = 12
    seed: int = 0


CANDIDATES = ((10,), (15,), (20,), (30,), (60,), (10, 30, 60))
BASELINE = Recipe("baseline", ((60,),), row_order="stored")
"""V16 and V22 on 60-row windows of the file as it stands."""
TIME_ORDER = Recipe("baseline, time order", ((60,),))
CHOSEN_WINDOW = Recipe("V22, chosen window", CANDIDATES)
BETTER = Recipe("better", CANDIDATES, feature_set="motion")
"""Restored order, window length chosen by training trips, acceleration, jerk, gear and manifold beside V22."""
NO_ENGINE_SPEED = Recipe("without engine speed", CANDIDATES, feature_set="no_engine_speed")
"""The better recipe blind to engine speed and what follows from it: what is left if the label leans on rpm."""
LADDER = (TIME_ORDER, CHOSEN_WINDOW, BETTER, NO_ENGINE_SPEED)


@dataclass(frozen=True)
class FittedObd:
    """A fitted recipe: the recipe, the window lengths chosen, the columns in order and the forest."""

    recipe: Recipe
    window_rows: tuple[int, ...]
    columns: tuple[str, ...]
    model: RandomForestClassifier

    def windows(self, trip: ObdTrip, step_rows: int = 1) -> TripWindows:
        """Windows of a trip as this pipeline sees them."""
        return make_windows(trip, self.window_rows, self.recipe.feature_set, self.recipe.row_order, step_rows)

    def probability(self, X: pd.DataFrame) -> FloatArray:
        """Probability of aggressive style (n,) for features (n, n_features)."""
        return np.asarray(self.model.predict_proba(X[list(self.columns)].to_numpy(np.float32))[:, 1], dtype=float)


def fit_obd(trips: Sequence[ObdTrip], recipe: Recipe = BETTER) -> FittedObd:
    """Fit a recipe to labelled trips.

    Args:
        trips: at least one labelled trip with both styles.
        recipe: what to fit.

    Raises:
        InputError: no trip, a trip without labels, or one style only.
    """
    if not trips:
        raise InputError("no trip to fit; give at least one labelled trip")
    chosen = recipe.window_rows[0] if len(recipe.window_rows) == 1 else choose_windows(trips, recipe)
    X, y, _ = stack_windows(trips, recipe, chosen)
    return FittedObd(recipe, chosen, tuple(X.columns), fit_forest(recipe, X, y))


def score_trip(pipeline: FittedObd, trip: ObdTrip, step_rows: int = 1) -> pd.DataFrame:
    """Score a trip of the same form, labelled or not.

    Args:
        pipeline: a fitted recipe.
        trip: the trip.
        step_rows: rows from one score to the next; 1 scores every row.

    Returns:
        One line a window, sorted by `row` (file row, 0-based): `row`, `probability` of aggressive style.
    """
    windows = pipeline.windows(trip, step_rows)
    scores = pd.DataFrame({"row": windows.row, "probability": pipeline.probability(windows.X)})
    return scores.sort_values("row", ignore_index=True)


def choose_windows(trips: Sequence[ObdTrip], recipe: Recipe) -> tuple[int, ...]:
    """Window lengths with the best mean PR-AUC when each trip is held out in turn.

    A single trip is split by its drives instead. Folds without both styles are left out. Ties go to the first.

    Raises:
        InputError: the trips cannot be split into two parts that both hold both styles.
    """
    small = replace(
        recipe, n_trees=min(recipe.n_trees, SELECTION_TREES), step_rows=max(recipe.step_rows, SELECTION_STEP_ROWS)
    )
    quality = [_inner_quality(trips, small, windows) for windows in recipe.window_rows]
    return recipe.window_rows[int(np.argmax(quality))]


def stack_windows(
    trips: Sequence[ObdTrip], recipe: Recipe, window_rows: Sequence[int]
) -> tuple[pd.DataFrame, BoolArray, IndexArray]:
    """Training windows of several trips.

    Returns:
        Features (n, n_features), labels (n,), and the group (n,) that must stay on one side of a split: the trip, or
        the drive where there is one trip only.
    """
    parts = [make_windows(trip, window_rows, recipe.feature_set, recipe.row_order, recipe.step_rows) for trip in trips]
    X = pd.concat([part.X for part in parts], ignore_index=True)
    y = np.concatenate([trip.labels[part.row] for trip, part in zip(trips, parts, strict=True)])
    group = np.repeat(np.arange(len(parts)), [len(part.row) for part in parts])
    return X, y, group if len(trips) > 1 else parts[0].drive


def fit_forest(recipe: Recipe, X: pd.DataFrame, y: BoolArray) -> RandomForestClassifier:
    """The recipe's forest (V16) on features (n, n_features) and labels (n,).

    Raises:
        InputError: the labels hold one style only.
    """
    if y.all() or not y.any():
        raise InputError("the training rows hold one style only; add a trip that has both")
    forest = RandomForestClassifier(
        recipe.n_trees, max_depth=recipe.max_depth, class_weight="balanced", random_state=recipe.seed, n_jobs=-1
    )
    return forest.fit(X.to_numpy(np.float32), y)


def _inner_quality(trips: Sequence[ObdTrip], recipe: Recipe, window_rows: tuple[int, ...]) -> float:
    X, y, group = stack_windows(trips, recipe, window_rows)
    quality = []
    for held_out in np.unique(group):
        test = group == held_out
        if 0 < y[test].sum() < test.sum() and 0 < y[~test].sum() < (~test).sum():
            probability = fit_forest(recipe, X[~test], y[~test]).predict_proba(X[test].to_numpy(np.float32))[:, 1]
            quality.append(average_precision_score(y[test], probability))
    if not quality:
        raise InputError("window lengths cannot be chosen: no split of the trips has both styles on both sides")
    return float(np.mean(quality))
