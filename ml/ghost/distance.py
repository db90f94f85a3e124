"""Distribution distance between generated and real windows, which training monitors."""

from __future__ import annotations

import numpy as np

from conf.arrays import Float32Array, FloatArray

_DIRECTIONS = 200
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


def _flat(windows: Float32Array) -> FloatArray:
    """Windows and their slopes as rows."""
    return np.concatenate([windows, np.diff(windows, axis=1)], axis=1).reshape(len(windows), -1).astype(np.float64)
