"""How good a driving-style model is, with intervals that respect that a vehicle's windows belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.inspection import permutation_importance
from sklearn.metrics import average_precision_score, balanced_accuracy_score, brier_score_loss, roc_auc_score

from analysis.statistics.bootstrap import Estimate, draw_counts, percentile_interval
from conf.arrays import BoolArray, FloatArray, IndexArray, IntArray
from conf.errors import InputError
from ml.comparison import ModelComparison
from ml.style.features import AGGRESSIVE, LABELS, NORMAL
from ml.style.model import FittedStyle, OnnxStyleModel

N_BOOTSTRAP: Final = 2000
MIN_VEHICLES: Final = 3  # of each class: fewer give a bootstrap nothing to vary


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Scores of one class; NaN where nothing is predicted or true."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class StyleEvaluation:
    """Scores on one set.

    Attributes:
        n: Windows.
        n_vehicles: Vehicles of sessions (groups).
        accuracy: Share of windows classified rightly.
        balanced_accuracy: Mean recall of the two classes.
        roc_auc: Area under the ROC curve.
        pr_auc: Average precision for AGGRESSIVE.
        brier: Mean squared error of the probability.
        classes: Scores by label.
        confusion: Rows true, columns predicted, both in the order of ``LABELS``.
        majority_accuracy: What always answering the training set's majority class reaches; its balanced accuracy is
            one half by construction.
    """

    n: int
    n_vehicles: int
    accuracy: Estimate
    balanced_accuracy: Estimate
    roc_auc: float
    pr_auc: float
    brier: float
    classes: dict[str, ClassScore]
    confusion: IntArray
    majority_accuracy: float

    def metrics(self) -> dict[str, float]:
        """Flat names and values, as a tracker logs them."""
        flat = {"n_windows": float(self.n), "n_vehicles": float(self.n_vehicles)}
        flat |= self.accuracy.metrics("accuracy") | self.balanced_accuracy.metrics("balanced_accuracy")
        flat |= {"roc_auc": self.roc_auc, "pr_auc": self.pr_auc, "brier": self.brier}
        flat["majority_accuracy"] = self.majority_accuracy
        for label, score in self.classes.items():
            prefix = label.lower()
            flat |= {f"{prefix}_precision": score.precision, f"{prefix}_recall": score.recall, f"{prefix}_f1": score.f1}
        return flat


def evaluate_style(
    y: ArrayLike, probability: ArrayLike, groups: ArrayLike, *, majority: str, threshold: float = 0.5, seed: int = 0
) -> StyleEvaluation:
    """Score probabilities of AGGRESSIVE.

    Args:
        y: True labels, shape (n,).
        probability: Probabilities of AGGRESSIVE, shape (n,).
        groups: Vehicle of a session of each window, shape (n,).
        majority: The training set's majority class, for the baseline.
        threshold: Above it a window is called aggressive.
        seed: Of the bootstrap.

    Raises:
        ValueError: If there are no windows, or the shapes differ.
    """
    truth, p, codes, vehicles = _prepare(y, probability, groups)
    cells = _cells(truth, p > threshold, codes, len(vehicles))
    confusion = cells.sum(axis=0)
    draws = _resample(_class_of(cells), seed)
    drawn = None if draws is None else np.einsum("bv,vij->bij", draws, cells)
    both = 0 < truth.sum() < truth.size
    return StyleEvaluation(
        n=truth.size,
        n_vehicles=len(vehicles),
        accuracy=_interval(_accuracy(confusion), None if drawn is None else _accuracy(drawn)),
        balanced_accuracy=_interval(_balanced(confusion), None if drawn is None else _balanced(drawn)),
        roc_auc=float(roc_auc_score(truth, p)) if both else np.nan,
        pr_auc=float(average_precision_score(truth, p)) if both else np.nan,
        brier=float(brier_score_loss(truth, p)),
        classes={label: _class_score(confusion, index) for index, label in enumerate(LABELS)},
        confusion=confusion.astype(np.int64),
        majority_accuracy=float(np.mean(truth == (majority == AGGRESSIVE))),
    )


def compare_style_models(
    candidate: ArrayLike,
    incumbent: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    threshold: float = 0.5,
    seed: int = 0,
) -> ModelComparison:
    """Whether a candidate's probabilities are better than the incumbent's, by a paired bootstrap over vehicles.

    Args:
        candidate: Probabilities of AGGRESSIVE by the candidate, shape (n,).
        incumbent: The same windows by the model in use, shape (n,).
        y: True labels, shape (n,).
        groups: Vehicle of a session of each window, shape (n,).
        threshold: Above it a window is called aggressive.
        seed: Of the bootstrap.

    Returns:
        The comparison. With fewer than three vehicles of a class no candidate is better: there is nothing to tell by.

    Raises:
        ValueError: If there are no windows, or the shapes differ.
    """
    truth, new, codes, vehicles = _prepare(y, candidate, groups)
    _, old, _, _ = _prepare(y, incumbent, groups)
    new_cells = _cells(truth, new > threshold, codes, len(vehicles))
    old_cells = _cells(truth, old > threshold, codes, len(vehicles))
    value = _balanced(new_cells.sum(axis=0)) - _balanced(old_cells.sum(axis=0))
    draws = _resample(_class_of(new_cells), seed)
    if draws is None:
        reason = f"under {MIN_VEHICLES} vehicles of a class: simulate more sessions before promoting"
        return ModelComparison(_interval(value, None), len(vehicles), False, reason)
    # The same draw for both models: what the vehicles have in common cancels out.
    drawn = _balanced(np.einsum("bv,vij->bij", draws, new_cells)) - _balanced(
        np.einsum("bv,vij->bij", draws, old_cells)
    )
    interval = _interval(value, drawn)
    verdict = "better" if interval.low > 0 else "worse" if interval.high < 0 else "not told apart"
    reason = f"{verdict}: balanced accuracy {interval.text('+.4f')}"
    return ModelComparison(interval, len(vehicles), interval.low > 0, reason)


def permutation_importances(
    fitted: FittedStyle, x: pd.DataFrame, y: ArrayLike, *, max_rows: int = 2000, n_repeats: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Importance of each feature, largest first.

    Impurity importance comes from the training data and favours features with many values; permutation importance is
    the balanced accuracy lost on held-out windows when the feature is shuffled, and is shared out among features that
    say the same.

    Args:
        fitted: The model.
        x: Held-out features.
        y: Their labels.
        max_rows: Windows used at most, drawn at random.
        n_repeats: Shuffles per feature.
        seed: Of draw and shuffles.

    Returns:
        Columns ``feature, impurity, permutation, permutation_std``.
    """
    labels = np.asarray(y, dtype=str)
    rows = np.random.default_rng(seed).permutation(len(labels))[:max_rows]
    values = x[list(fitted.features)].astype(np.float32).iloc[rows]
    quick = OnnxStyleModel(fitted.to_onnx())  # gives the forest's answers in a fraction of the time

    def score(_: object, shuffled: pd.DataFrame, truth: ArrayLike) -> float:
        answers = np.where(quick.predict_batch(shuffled) > 0.5, AGGRESSIVE, NORMAL)
        return float(balanced_accuracy_score(truth, answers))

    shuffled = permutation_importance(
        fitted.estimator, values, labels[rows], scoring=score, n_repeats=n_repeats, random_state=seed
    )
    table = pd.DataFrame(
        {
            "feature": fitted.features,
            "impurity": fitted.estimator.feature_importances_,
            "permutation": shuffled["importances_mean"],
            "permutation_std": shuffled["importances_std"],
        }
    )
    return table.sort_values("impurity", ascending=False, ignore_index=True)


def majority_class(y: ArrayLike) -> str:
    """The more frequent label of a training set; NORMAL in a tie."""
    return AGGRESSIVE if np.mean(np.asarray(y, dtype=str) == AGGRESSIVE) > 0.5 else NORMAL


def _prepare(
    y: ArrayLike, probability: ArrayLike, groups: ArrayLike
) -> tuple[BoolArray, FloatArray, IndexArray, NDArray[np.str_]]:
    truth = np.asarray(y, dtype=str) == AGGRESSIVE
    p = np.asarray(probability, dtype=np.float64)
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if truth.size == 0:
        raise InputError("there are no windows to score: this split holds no vehicle; simulate more sessions")
    if not truth.shape == p.shape == codes.shape:
        raise ValueError(
            f"y has shape {truth.shape}, probability {p.shape}, groups {codes.shape}: give one each per window"
        )
    return truth, p, codes, names


def _cells(truth: BoolArray, said: BoolArray, codes: IndexArray, n: int) -> FloatArray:
    """Confusion matrix of each vehicle, shape (vehicles, true, predicted)."""
    flat = codes * 4 + truth * 2 + said
    return np.bincount(flat, minlength=4 * n).reshape(n, 2, 2).astype(np.float64)


def _class_of(cells: FloatArray) -> BoolArray:
    """Whether each vehicle is (mostly) driven aggressively."""
    windows = cells.sum(axis=2)
    return np.asarray(windows[:, 1] > windows[:, 0])


def _resample(is_aggressive: BoolArray, seed: int) -> FloatArray | None:
    """How often each vehicle is drawn, shape (draws, vehicles): with replacement, within each class."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((N_BOOTSTRAP, is_aggressive.size))
    for members in (np.flatnonzero(is_aggressive), np.flatnonzero(~is_aggressive)):
        if members.size < MIN_VEHICLES:
            return None
        counts[:, members] = draw_counts(members.size, N_BOOTSTRAP, rng)
    return counts


def _accuracy(confusion: FloatArray) -> FloatArray:
    return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1)))


def _balanced(confusion: FloatArray) -> FloatArray:
    totals = confusion.sum(axis=-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.asarray(np.divide(hits, totals, out=np.full(totals.shape, np.nan), where=totals > 0).mean(axis=-1))


def _interval(value: ArrayLike, drawn: FloatArray | None) -> Estimate:
    if drawn is None:
        return Estimate(float(np.asarray(value)))
    return percentile_interval(float(np.asarray(value)), drawn)


def _class_score(confusion: FloatArray, index: int) -> ClassScore:
    hits, said, support = confusion[index, index], confusion[:, index].sum(), confusion[index].sum()
    return ClassScore(
        precision=float(hits / said) if said else np.nan,
        recall=float(hits / support) if support else np.nan,
        f1=float(2 * hits / (said + support)) if said + support else np.nan,
        support=int(support),
    )
