"""The bootstrap: draws, and intervals of a figure from what it came out as in each draw.

Drivers' figures, styles, wear and ghosts all take their intervals from here. What is drawn differs (laps, cars,
vehicles within a class, blocks of rows), because what belongs together must be drawn together; each caller draws with
:func:`draw_indices` or :func:`draw_counts`, computes its figure for all draws at once, and asks for an interval.

``scipy.stats.bootstrap`` is not used: it draws in an order of its own, so intervals in tables and the verdicts on
models would change; it knows neither paired draws of groups nor draws given as counts; and its BCa does not widen for
few laps (see :func:`bca_interval`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from conf.arrays import FloatArray, IntArray

_SHARES: Final = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; NaN bounds where there is too little for one."""

    value: float
    low: float = np.nan
    high: float = np.nan

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of zero, else 0: no difference beyond noise."""
        return int(self.low > 0) - int(self.high < 0)

    def columns(self, name: str) -> dict[str, object]:
        """Three columns of a table: ``name``, ``name_low`` and ``name_high``; null for NaN (B9)."""
        figures = {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}
        return {column: None if np.isnan(figure) else float(figure) for column, figure in figures.items()}

    def metrics(self, name: str) -> dict[str, float]:
        """Three metrics of a tracker: ``name``, ``name_low`` and ``name_high``; NaN where there is none."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}

    def __str__(self) -> str:
        return self.text(".3f")

    def text(self, spec: str) -> str:
        """E.g. ``0.912 [0.874, 0.941]`` for ``.3f``."""
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def estimates_from_metrics(metrics: Mapping[str, float]) -> dict[str, Estimate]:
    """Figures by name, each with its interval where the metrics have one: the way back of :meth:`Estimate.metrics`."""
    bounds = {f"{name}_{end}" for name in metrics for end in ("low", "high")}
    return {
        name: Estimate(value, metrics.get(f"{name}_low", np.nan), metrics.get(f"{name}_high", np.nan))
        for name, value in metrics.items()
        if name not in bounds
    }


def seed_of(name: str) -> int:
    """Seed from a name such as ``session|vehicle``: the same laps give the same interval anywhere."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def draw_indices(n: int, n_resamples: int, rng: np.random.Generator) -> IntArray:
    """Which of ``n`` are drawn, with replacement, shape (n_resamples, n)."""
    return rng.integers(0, n, (n_resamples, n))


def draw_counts(n: int, n_resamples: int, rng: np.random.Generator) -> IntArray:
    """How often each of ``n`` is drawn, with replacement, shape (n_resamples, n)."""
    return rng.multinomial(n, np.full(n, 1.0 / n), size=n_resamples)


def percentile_interval(value: float, draws: FloatArray) -> Estimate:
    """A figure with the 2.5 and 97.5 % quantiles of its draws; draws in which it is not defined (NaN) are left out."""
    low, high = np.nanquantile(draws, _SHARES)
    return Estimate(float(value), float(low), float(high))


def bca_interval(value: float, draws: FloatArray, influence: FloatArray, n: int, freedom: int) -> Estimate:
    """A figure with its bias-corrected and accelerated interval, widened for small samples.

    BCa: Efron, "Better bootstrap confidence intervals", JASA 82 (1987). Widened as Student's t is: Hesterberg, "What
    teachers should know about the bootstrap", American Statistician 69 (2015).

    Args:
        value: The figure.
        draws: What it came out as in each draw; NaN where it is not defined.
        influence: How much each observation pulls at it (jackknife).
        n: Observations.
        freedom: Degrees of freedom: observations less samples.
    """
    draws = np.asarray(draws[np.isfinite(draws)])
    if not np.isfinite(value) or draws.size == 0:
        return Estimate(value)
    z = float(stdtrit(freedom, _SHARES[1])) * float(np.sqrt(n / freedom))
    below = np.count_nonzero(draws < value) + 0.5 * np.count_nonzero(draws == value)
    bias = float(ndtri((below + 0.5) / (draws.size + 1)))
    size = float(np.sum(influence**2)) ** 1.5
    skew = float(np.sum(influence**3)) / (6.0 * size) if size > 0 else 0.0
    shares = [ndtr(bias + (bias + z) / (1.0 - skew * (bias + z))) for z in (-z, z)]
    low, high = np.quantile(draws, shares)
    return Estimate(value, float(low), float(high))


def standard_error(draws: FloatArray) -> float:
    """Standard deviation of the draws of a figure."""
    return float(np.std(draws, ddof=1))
