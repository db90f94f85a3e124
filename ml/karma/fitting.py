"""One fit for all algorithms: a line in logarithms, a learner for its residual, and the uncertainty of both.

The line carries to tracks harder than any in training, where trees cannot follow; the learner adds what no line can say
(Zhang, Nettleton, Zhu, 2019: regression-enhanced random forests). How much of the learner is taken, and how wide
intervals are, is fixed on tracks left out in turn, so that both hold for a track that was never seen.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from conf.arrays import FloatArray, IntArray
from ml.karma.inputs import InputScaling, fit_scaling
from ml.karma.learners import Algorithm, Learner, LearnerParams, new_learner

_FOLDS: Final = 5
_LEAST_SIGMA: Final = 0.02  # of log damage: nobody knows wear to better than two percent


@dataclass(frozen=True)
class FitParams:
    """Settings of a training.

    Attributes:
        learner: Settings of the learners.
        interval: Share of laps that the intervals are to hold.
        sequence_laps: Laps that the recurrent learner sees.
        seed: Of everything random.
    """

    learner: LearnerParams = field(default_factory=LearnerParams)
    interval: float = 0.9
    sequence_laps: int = 4
    seed: int = 0


@dataclass(frozen=True, eq=False)
class LogLine:
    """Straight lines through logarithms: ``inputs @ weights + at``; shapes (columns, components) and (components,)."""

    weights: FloatArray
    at: FloatArray

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Log damage per km, shape (n, components)."""
        return np.asarray(inputs @ self.weights + self.at)


@dataclass(frozen=True, eq=False)
class ErrorSpread:
    """How wrong answers are: ``sigma^2 = floor^2 + (gain * spread)^2``, and how many sigma the interval takes.

    Attributes:
        floor: Error that is always there, shape (components,): parts differ, and nobody sees how.
        gain: Error for each unit by which the members of the learner disagree.
        reach: Sigmas from the middle to either end of the interval.
    """

    floor: FloatArray
    gain: FloatArray
    reach: FloatArray

    def sigma(self, spread: FloatArray) -> FloatArray:
        """Standard deviation of log damage, shape (n, components)."""
        return np.asarray(np.sqrt(self.floor**2 + (self.gain * spread) ** 2))


@dataclass(frozen=True, eq=False)
class FittedKarma:
    """A model of one set of inputs.

    Attributes:
        scaling: From columns to inputs.
        line: What a line says.
        learner: What it leaves over.
        share: How much of the learner's answer is taken, by component: 0 to 1.
        spread: How wrong the sum of both is on tracks left out.
        r2: R2 of log damage on tracks left out, by component.
    """

    algorithm: Algorithm
    scaling: InputScaling
    line: LogLine
    learner: Learner
    share: FloatArray
    spread: ErrorSpread
    r2: FloatArray

    def predict(self, laps: pd.DataFrame, sequence_laps: int) -> tuple[FloatArray, FloatArray]:
        """Log damage per km and its standard deviation, each of shape (n_laps, components).

        Args:
            laps: Rows with the columns, in any order of vehicles, each vehicle's laps sorted.
            sequence_laps: Laps that the recurrent learner sees.
        """
        inputs = self.scaling.to_inputs(laps)
        return self.answer(inputs, with_previous_laps(inputs, laps, sequence_laps))

    def answer(self, inputs: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same from inputs."""
        rest, spread = self.learner.predict(inputs, before)
        return self.line(inputs) + self.share * rest, self.spread.sigma(spread)


def fit_karma(
    laps: pd.DataFrame,
    damage: FloatArray,
    columns: Sequence[str],
    algorithm: Algorithm,
    params: FitParams = FitParams(),
) -> FittedKarma:
    """Learn from laps.

    Args:
        laps: Rows with the columns, ``track_id``, ``session_id``, ``vehicle_id``, ``lap_number``; sorted by key.
        damage: Damage per km, shape (n_laps, components), above zero.
        columns: Columns to learn from.
        algorithm: Which learner.
        params: Settings.
    """
    target = np.log(damage)
    scaling = fit_scaling(laps, columns)
    inputs = scaling.to_inputs(laps)
    before = with_previous_laps(inputs, laps, params.sequence_laps)
    folds = _folds(laps["track_id"].to_numpy(), params.seed)
    line, learner = _fit_both(inputs, before, target, folds, algorithm, params)
    straight, rest, spread = (np.empty_like(target) for _ in range(3))
    for fold in np.unique(folds):
        out = folds == fold
        own_line, own = _fit_both(inputs[~out], before[~out], target[~out], folds[~out], algorithm, params)
        straight[out] = own_line(inputs[out])
        rest[out], spread[out] = own.predict(inputs[out], before[out])
    share = np.clip(((target - straight) * rest).sum(axis=0) / np.maximum((rest**2).sum(axis=0), 1e-12), 0.0, 1.0)
    error = target - straight - share * rest
    r2 = 1.0 - (error**2).mean(axis=0) / target.var(axis=0)
    return FittedKarma(algorithm, scaling, line, learner, share, fit_spread(error, spread, params.interval), r2)


def fit_spread(error: FloatArray, spread: FloatArray, interval: float) -> ErrorSpread:
    """Fit how wrong answers are to errors on laps left out.

    Args:
        error: Of log damage, shape (n, components).
        spread: Of the learner's members on the same laps.
        interval: Share of laps that intervals are to hold.
    """
    floor, gain = [], []
    for e, u in zip(error.T, spread.T, strict=True):
        best = min(_GAINS, key=partial(_misfit, e, u))
        floor.append(_floor(e, u, best))
        gain.append(best)
    found = ErrorSpread(np.array(floor), np.array(gain), np.ones(error.shape[1]))
    reach = np.quantile(np.abs(error) / found.sigma(spread), interval, axis=0)
    return ErrorSpread(found.floor, found.gain, reach)


_GAINS: Final = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)


def _floor(error: FloatArray, spread: FloatArray, gain: float) -> float:
    """Error that spread does not tell, from the mean square."""
    unexplained = float(np.mean(error**2) - np.mean((gain * spread) ** 2))
    return max(math.sqrt(max(unexplained, 0.0)), _LEAST_SIGMA)


def _misfit(error: FloatArray, spread: FloatArray, gain: float) -> float:
    """Negative log likelihood of errors that are normal."""
    variance = _floor(error, spread, gain) ** 2 + (gain * spread) ** 2
    return float(np.mean(np.log(variance) + error**2 / variance))


def _fit_both(
    inputs: FloatArray, before: FloatArray, target: FloatArray, folds: IntArray, algorithm: Algorithm, params: FitParams
) -> tuple[LogLine, Learner]:
    line = fit_log_lines(inputs, target, folds)
    learner = new_learner(algorithm, params.learner)
    learner.fit(inputs, before, target - line(inputs), params.seed)
    return line, learner


def fit_log_lines(inputs: FloatArray, target: FloatArray, folds: IntArray) -> LogLine:
    """Straight lines with as few inputs as tracks left out allow (lasso; Tibshirani, 1996)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LassoCV

    splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in np.unique(folds)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        lines = [LassoCV(cv=splits, alphas=40, max_iter=5_000, eps=1e-3).fit(inputs, column) for column in target.T]
    return LogLine(np.stack([line.coef_ for line in lines], axis=1), np.array([line.intercept_ for line in lines]))


def with_previous_laps(inputs: FloatArray, laps: pd.DataFrame, length: int) -> FloatArray:
    """Each lap behind those that the same car drove before it, shape (n, length, columns); NaN where there was none."""
    n = len(inputs)
    out = np.full((n, length, inputs.shape[1]), np.nan)
    out[:, -1] = inputs
    car = laps.groupby(["session_id", "vehicle_id"], sort=False).ngroup().to_numpy()
    for back in range(1, length):
        same = np.zeros(n, np.bool_)
        same[back:] = car[back:] == car[:-back]
        out[same, length - 1 - back] = inputs[np.flatnonzero(same) - back]
    return out


def _folds(tracks: npt.NDArray[np.object_], seed: int) -> IntArray:
    """Fold of each lap: whole tracks, as many laps in each as can be."""
    names, counts = np.unique(tracks.astype(str), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    filled, fold_of = np.zeros(min(_FOLDS, len(names))), {}
    for i in order:
        fold = int(np.argmin(filled))
        filled[fold] += counts[i]
        fold_of[names[i]] = fold
    return np.array([fold_of[str(track)] for track in tracks], np.int64)
