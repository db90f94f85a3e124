"""Bootstrap over laps: how far a driver's mean and spread could have come out otherwise, had the laps been others.

Laps are drawn with replacement, whole, so that sectors of one lap stay together; statistics of means and variances get
bias-corrected and accelerated 95 % intervals (BCa: Efron, "Better bootstrap confidence intervals", JASA 82, 1987;
for two samples Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 5.3), widened for few laps
as Student's t is (Hesterberg, "What teachers should know about the bootstrap", American Statistician 69, 2015).

Simulated, 14 laps: the interval of a mean covers the truth in 94-96 % of cases, that of a variance and what follows
from it (weight, consistency) in 77-88 %. Laps count as independent, yet one lap of a real race resembles the last
(autocorrelation 0.15-0.27 in the middle of the fields of four races), which takes the mean's to about 87 %; drawing
blocks of laps gained nothing at such lengths. Read all of them as too narrow rather than too wide. A best is held
fixed, because the bootstrap of a minimum is inconsistent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.statistics.bootstrap import Estimate, bca_interval
from conf.arrays import BoolArray, FloatArray, IntArray

MIN_LAPS: Final = 5  # fewer give no interval: of four laps, one draw in 64 holds the same lap four times
_RESAMPLES: Final = (400, 2_000)
_DRAWS: Final = 4_000_000  # drawn laps in all: more laps need fewer resamples, and ten thousand stay fast
_CHUNK: Final = 200_000


@dataclass(frozen=True, slots=True)
class LapMoments:
    """Means and population variances per column, the last axis; NaN where a column has no value.

    Attributes:
        least: Least value of each column among all laps, shape (k,).
        excess: Mean of what lies above ``least``, never negative, shape (..., k).
        var: Population variance, shape (..., k).
    """

    least: FloatArray
    excess: FloatArray
    var: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Mean, shape (..., k)."""
        return self.least + self.excess


Statistic = Callable[[LapMoments], FloatArray]  # moments of shape (..., k) to shape (...)


@dataclass(frozen=True, slots=True)
class ResampledLaps:
    """Moments of the laps as they were, of the resamples, and with each lap left out in turn.

    Attributes:
        n: How many laps have a value, shape (k,).
        observed: Shape (k,).
        draws: Shape (resamples, k).
        without: Shape (laps, k).
    """

    n: IntArray
    observed: LapMoments
    draws: LapMoments
    without: LapMoments


def resample(values: FloatArray, seed: int) -> ResampledLaps:
    """Draw laps with replacement.

    Args:
        values: Shape (laps, k), NaN where a lap has no value in a column; laps without any do not count.
        seed: Seed of the draws.
    """
    x = values[np.isfinite(values).any(axis=1)]
    known = np.isfinite(x)
    n = known.sum(axis=0)
    least = np.min(x, axis=0, initial=np.inf, where=known)
    least[n == 0] = np.nan
    above = np.where(known, x - least, 0.0)
    square = above**2
    draws = _draw(above, square, known, seed) if len(x) else np.empty((3, 0, x.shape[1]))
    sums = np.stack([known.astype(np.float64), above, square])
    total = sums.sum(axis=1, keepdims=True)
    return ResampledLaps(
        n.astype(np.int64),
        observed=_moments(least, total[:, 0]),
        draws=_moments(least, draws),
        without=_moments(least, total - sums),
    )


def estimate(statistic: Statistic, sample: ResampledLaps, columns: tuple[int, ...]) -> Estimate:
    """A statistic with its interval.

    Args:
        statistic: Function of the moments.
        sample: From :func:`resample`.
        columns: Columns that the statistic reads; each needs ``MIN_LAPS`` values for an interval.
    """
    value = float(statistic(sample.observed))
    n = _fewest(sample, columns)
    if n < MIN_LAPS:
        return Estimate(value)
    return bca_interval(value, statistic(sample.draws), _influence(statistic, sample), n, n - 1)


def estimate_if_enough(statistic: Statistic, sample: ResampledLaps, columns: tuple[int, ...]) -> Estimate:
    """A statistic of how far laps spread, with its interval; NaN below ``MIN_LAPS``, where it says nothing.

    Two laps that happen to be alike are no even driver. See :func:`estimate`.
    """
    return estimate(statistic, sample, columns) if _fewest(sample, columns) >= MIN_LAPS else Estimate(np.nan)


def difference(statistic: Statistic, one: ResampledLaps, two: ResampledLaps, columns: tuple[int, ...]) -> Estimate:
    """A statistic of one driver less that of another, whose laps were drawn apart; see :func:`estimate`."""
    value = float(statistic(one.observed) - statistic(two.observed))
    n_one, n_two = _fewest(one, columns), _fewest(two, columns)
    if min(n_one, n_two) < MIN_LAPS:
        return Estimate(value)
    a, b = statistic(one.draws), statistic(two.draws)
    both = min(len(a), len(b))
    pull = np.concatenate([_influence(statistic, one), -_influence(statistic, two)])
    return bca_interval(value, a[:both] - b[:both], pull, n_one + n_two, n_one + n_two - 2)


def _fewest(sample: ResampledLaps, columns: tuple[int, ...]) -> int:
    return int(sample.n[list(columns)].min())


def _draw(above: FloatArray, square: FloatArray, known: BoolArray, seed: int) -> FloatArray:
    """Counts, sums and sums of squares of each resample, shape (3, resamples, k); in chunks, to stay in cache."""
    laps, k = above.shape
    fewest, most = _RESAMPLES
    resamples = min(max(_DRAWS // laps, fewest), most)
    rng = np.random.default_rng(seed)
    complete = [bool(column.all()) for column in known.T]
    out = np.empty((3, resamples, k))
    step = max(1, _CHUNK // laps)
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        drawn = rng.integers(0, laps, (rows.stop - start, laps), dtype=np.int32)
        for j in range(k):
            out[0, rows, j] = laps if complete[j] else known[:, j][drawn].sum(axis=1)
            out[1, rows, j] = above[:, j][drawn].sum(axis=1)
            out[2, rows, j] = square[:, j][drawn].sum(axis=1)
    return out


def _moments(least: FloatArray, sums: FloatArray) -> LapMoments:
    count, above, square = sums
    count = np.where(count > 0, count, np.nan)
    # Leaving a lap out subtracts; what rounding leaves below zero is zero.
    excess = np.maximum(above / count, 0.0)
    return LapMoments(least, excess, np.maximum(square / count - excess**2, 0.0))


def _influence(statistic: Statistic, sample: ResampledLaps) -> FloatArray:
    """How much each lap pulls at the statistic, over the number of laps (jackknife), shape (laps,)."""
    without = statistic(sample.without)
    return np.asarray((without.mean() - without) * (len(without) - 1) / len(without))
