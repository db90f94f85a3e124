"""Distribution distance between generated and real windows, which training monitors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from analysis.statistics.bootstrap import Estimate
from conf.arrays import BoolArray, Float32Array, FloatArray, IntArray

_DIRECTIONS = 200
_FEWEST_LAPS = 3
_QUANTILES = np.linspace(0.01, 0.99, 99)


def distribution_distance(real: Float32Array, drawn: Float32Array, seed: int = 0) -> float:
    """Sliced Wasserstein distance of windows and their slopes (Rabin et al., SSVM 2011).

    Windows are scaled by the real ones' deviation at each step, so that a steering wheel that hardly moves counts as
    much as a pedal, and projected on random directions; the distance is the mean over them of the distance between the
    two distributions, in deviations of the real one.

    Args:
        real: Shape (n, steps, channels).
        drawn: Shape (m, steps, channels).
        seed: Of the directions.
    """
    both = [_flat(windows) for windows in (real, drawn)]
    middle, spread = both[0].mean(axis=0), both[0].std(axis=0)
    moving = spread[spread > 0]
    spread = np.maximum(spread, 0.1 * float(np.median(moving)) if moving.size else 1.0)
    towards = np.random.default_rng(seed).normal(size=(both[0].shape[1], _DIRECTIONS))
    towards /= np.linalg.norm(towards, axis=0)
    cuts = [np.quantile(((w - middle) / spread) @ towards, _QUANTILES, axis=0) for w in both]
    return float(np.abs(cuts[0] - cuts[1]).mean())


@dataclass(frozen=True, eq=False)
class LapDistance:
    """A distance from laps, and what it is without each of them in turn.

    Attributes:
        value: From all laps.
        without: Without each lap, shape (laps,).
    """

    value: float
    without: FloatArray

    def less(self, other: LapDistance) -> LapDistance:
        """The difference from another distance from the same laps: what laps have in common cancels out."""
        return LapDistance(self.value - other.value, self.without - other.without)

    def estimate(self) -> Estimate:
        """The value with its 95 % interval by the jackknife over laps (Tukey, 1958); none with fewer than three laps.

        Not the bootstrap: it would sort all windows anew for each of hundreds of draws.
        """
        n = len(self.without)
        if n < _FEWEST_LAPS:
            return Estimate(self.value)
        error = np.sqrt((n - 1) * self.without.var())
        reach = float(stdtrit(n - 1, 0.975) * error)
        return Estimate(self.value, self.value - reach, self.value + reach)


def distance_by_lap(laps: IntArray, distance_of: Callable[[BoolArray], float]) -> LapDistance:
    """A distance from all laps, and from all but each.

    Args:
        laps: Lap of each window, shape (n,).
        distance_of: Gives the distance from the windows chosen, shape (n,).
    """
    without = [distance_of(laps != lap) for lap in np.unique(laps)]
    return LapDistance(distance_of(np.ones(len(laps), np.bool_)), np.array(without))


def _flat(windows: Float32Array) -> FloatArray:
    """Windows and their slopes as rows."""
    return np.concatenate([windows, np.diff(windows, axis=1)], axis=1).reshape(len(windows), -1).astype(np.float64)
