"""Hold one trip out at a time, and set the figure beside the one that a random split of windows would give.

Neighbouring windows share most of their rows, so a random split asks the forest about rows it has all but seen. A trip
that was held out whole is the question a new trip asks. Intervals come from a block bootstrap within each trip: they
say how sure the figure of *that* trip is, not how much trips differ, for which three or four trips are too few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split

from analysis.statistics.bootstrap import percentile_interval
from conf.arrays import FloatArray
from conf.errors import InputError
from ml.style.obd.block_draws import block_weights, make_blocks, weighted_metrics
from ml.style.obd.features import drive_features
from ml.style.obd.model import BASELINE, BETTER, Recipe, fit_forest, fit_obd, score_trip, stack_windows
from ml.style.obd.order import TripOrder, order_agreement, restore_order, stored_order
from ml.style.obd.reader import ObdTrip
from ml.style.obd.report import POOLED, HeldOutScore, ObdReport, RandomSplit, RecipeGain, TripFacts

RULE_WINDOWS = (5, 10, 15, 18, 19, 20, 21, 22, 25, 30, 45, 60)
RANDOM_TEST_SHARE = 0.25


@dataclass(frozen=True)
class _Draws:
    """One recipe on one held-out trip: the figures, the scores by file row, and each bootstrap draw."""

    result: HeldOutScore
    probability: FloatArray
    auc: FloatArray
    pr_auc: FloatArray


def evaluate_recipes(
    trips: Sequence[ObdTrip],
    recipes: Recipe | Sequence[Recipe] = BETTER,
    *,
    baseline: Recipe = BASELINE,
    block_rows: int = 120,
    n_resamples: int = 500,
    seed: int = 0,
) -> ObdReport:
    """Leave one trip out for the baseline and each recipe, with intervals, paired gains and the random split.

    Every row of a held-out trip is scored, whatever step a recipe was trained with, so recipes meet on the same rows.

    Args:
        trips: two or more labelled trips with distinct names.
        recipes: one recipe or several, each compared with the baseline.
        baseline: what gains are measured against.
        block_rows: rows of a bootstrap block, contiguous in the restored order of driving.
        n_resamples: bootstrap draws.
        seed: seed of the draws and of the random split.

    Raises:
        InputError: fewer than two trips, names that are not distinct, or a trip with one style only.
    """
    every = [baseline, *([recipes] if isinstance(recipes, Recipe) else recipes)]
    if len(trips) < 2 or len({trip.name for trip in trips}) != len(trips):
        raise InputError("leave-one-trip-out needs two or more trips with distinct names")
    if len({recipe.name for recipe in every}) != len(every):
        raise ValueError("two recipes have the same name; name each differently, the baseline too")
    for trip in trips:
        if trip.labels.all() or not trip.labels.any():
            raise InputError(
                f"trip {trip.name} holds one style only: it can be trained on, not evaluated; leave it out"
            )
    orders = {trip.name: restore_order(trip) for trip in trips}
    weights = {trip.name: _weights(orders[trip.name], block_rows, n_resamples, seed) for trip in trips}
    draws = {
        (recipe.name, trip.name): _hold_out(trips, trip, recipe, weights[trip.name])
        for recipe in every
        for trip in trips
    }
    return ObdReport(
        held_out=[one.result for one in draws.values()],
        gains=[gain for recipe in every[1:] for gain in _gains(draws, recipe.name, baseline.name, trips)],
        random_split=[random_split(trips, _most_chosen_recipe(recipe, draws), seed) for recipe in every],
        trips=[trip_facts(trip, orders[trip.name]) for trip in trips],
        block_rows=block_rows,
        n_resamples=n_resamples,
        seed=seed,
        scores=_scores(draws, trips, orders),
    )


def random_split(trips: Sequence[ObdTrip], recipe: Recipe, seed: int = 0) -> RandomSplit:
    """Figures of a recipe when windows of all trips are shuffled before the split; its first window set is used."""
    X, y, _ = stack_windows(trips, recipe, recipe.window_rows[0])
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=RANDOM_TEST_SHARE, random_state=seed, stratify=y
    )
    score = fit_forest(recipe, X_train, y_train).predict_proba(X_test.to_numpy(np.float32))[:, 1]
    return RandomSplit(recipe.name, float(roc_auc_score(y_test, score)), float(average_precision_score(y_test, score)))


def trip_facts(trip: ObdTrip, order: TripOrder | None = None) -> TripFacts:
    """How far the file is from time order, and how near its label is to a threshold on engine speed's spread."""
    order = order or restore_order(trip)
    spread = pd.concat([drive_features(trip.signals.iloc[drive], RULE_WINDOWS, "v22") for drive in order.drives])
    y = trip.labels[order.rows]
    aucs = {rows: float(roc_auc_score(y, spread[f"rpm_std_{rows}"].fillna(0.0))) for rows in RULE_WINDOWS}
    return TripFacts(
        trip=trip.name,
        cuts=order.cuts,
        drives=len(order.drives),
        agreement_stored=order_agreement(trip, stored_order(trip)),
        agreement_driven=order_agreement(trip, order),
        rpm_spread_auc=aucs,
    )


def _weights(order: TripOrder, block_rows: int, n_resamples: int, seed: int) -> FloatArray:
    """Draws (1 + n_resamples, n_rows) by file row; the first is the trip as it is."""
    position = np.concatenate([np.arange(len(drive)) for drive in order.drives])
    block = np.empty(len(position), dtype=np.intp)
    block[order.rows] = make_blocks(order.drive_of_row, position, block_rows)
    drawn = block_weights(block, n_resamples, np.random.default_rng(seed))
    return np.vstack([np.ones(len(block)), drawn])


def _hold_out(trips: Sequence[ObdTrip], held_out: ObdTrip, recipe: Recipe, weights: FloatArray) -> _Draws:
    pipeline = fit_obd([trip for trip in trips if trip.name != held_out.name], recipe)
    probability = score_trip(pipeline, held_out)["probability"].to_numpy()
    auc, pr_auc = weighted_metrics(held_out.labels, probability, weights)
    result = HeldOutScore(
        recipe=recipe.name,
        trip=held_out.name,
        auc=percentile_interval(auc[0], auc[1:]),
        pr_auc=percentile_interval(pr_auc[0], pr_auc[1:]),
        prevalence=float(held_out.labels.mean()),
        n_rows=len(held_out.labels),
        window_rows=pipeline.window_rows,
    )
    return _Draws(result, probability, auc, pr_auc)


def _gains(
    draws: dict[tuple[str, str], _Draws], recipe: str, baseline: str, trips: Sequence[ObdTrip]
) -> list[RecipeGain]:
    """Gain per trip and pooled: differences on the same draws, so what both find hard cancels out."""
    auc = np.stack([draws[recipe, trip.name].auc - draws[baseline, trip.name].auc for trip in trips])
    pr_auc = np.stack([draws[recipe, trip.name].pr_auc - draws[baseline, trip.name].pr_auc for trip in trips])
    lines = [(trip.name, auc[i], pr_auc[i]) for i, trip in enumerate(trips)]
    lines.append((POOLED, auc.mean(axis=0), pr_auc.mean(axis=0)))
    return [
        RecipeGain(recipe, name, percentile_interval(a[0], a[1:]), percentile_interval(p[0], p[1:]))
        for name, a, p in lines
    ]


def _most_chosen_recipe(recipe: Recipe, draws: dict[tuple[str, str], _Draws]) -> Recipe:
    """The recipe with the window lengths that most folds chose."""
    chosen = Counter(one.result.window_rows for (name, _), one in draws.items() if name == recipe.name)
    return replace(recipe, window_rows=(chosen.most_common(1)[0][0],))


def _scores(
    draws: dict[tuple[str, str], _Draws], trips: Sequence[ObdTrip], orders: dict[str, TripOrder]
) -> pd.DataFrame:
    """Scores of all recipes on all held-out trips, in the order of driving."""
    by_name = {trip.name: trip for trip in trips}
    frames = []
    for (recipe, name), one in draws.items():
        rows = orders[name].rows
        frames.append(
            pd.DataFrame(
                {
                    "recipe": recipe,
                    "trip": name,
                    "row": rows,
                    "drive": orders[name].drive_of_row,
                    "probability": one.probability[rows],
                    "aggressive": by_name[name].labels[rows],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
