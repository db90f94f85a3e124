"""Smoothing of a chained lap, without steps that a 1,200 kg car or a driver's foot could not follow (seed item G13).

Savitzky and Golay, "Smoothing and Differentiation of Data by Simplified Least Squares Procedures", Analytical
Chemistry 36 (1964): a polynomial fitted to each window of distance, round the lap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.ndimage import binary_dilation, binary_opening
from scipy.signal import savgol_filter

from conf.arrays import BoolArray, FloatArray
from conf.ghost import FeasibilityRules, SmoothingRules
from conf.units import KMH_PER_MPS
from ml.ghost.search.limits import MIN_MPS

_MOST_PCT: Final = 100.0


def smooth_lap(values: FloatArray, step_m: float, rules: SmoothingRules) -> FloatArray:
    """Smooth a flying lap; pedals stay within their range.

    Args:
        values: Speed (m/s), throttle (%), brake pressure (bar) and steering (deg) from the line to the line, shape
            (n + 1, 4). Where the lap ends faster than it began, that difference is kept.
        step_m: Grid step.
        rules: The filter.
    """
    reach = filter_window_points(step_m, rules) // 2
    gap = np.zeros(values.shape[1])
    gap[0] = values[-1, 0] - values[0, 0]
    ring = np.concatenate([values[-1 - reach : -1] - gap, values, values[1 : 1 + reach] + gap])
    found = savgol_filter(ring, 2 * reach + 1, rules.polyorder, axis=0)[reach:-reach]
    speed, throttle, brake, steering = found.T
    return np.stack(
        [np.maximum(speed, MIN_MPS), np.clip(throttle, 0.0, _MOST_PCT), np.maximum(brake, 0.0), steering], axis=1
    )


def filter_window_points(step_m: float, rules: SmoothingRules) -> int:
    """Length of the filter in points of the grid, odd and more than the polynomial needs."""
    half = max(round(rules.window_m / step_m / 2.0 - 0.5), (rules.polyorder + 2) // 2)
    return 2 * half + 1


def separate_pedals(
    values: FloatArray, raw_together: BoolArray, step_m: float, rules: SmoothingRules, limits: FeasibilityRules
) -> FloatArray:
    """Release the throttle before the brake is pressed, where the filter made them overlap.

    A foot changes pedals in less than the filter's window, so smoothing makes both overlap. Where a lap pressed both
    for longer than that, it did so on purpose, and it stays.

    Args:
        values: Smoothed lap, shape (n + 1, 4).
        raw_together: Where both pedals were pressed before smoothing, shape (n + 1,).
        step_m: Grid step.
        rules: The filter.
        limits: From where a pedal counts as pressed; the throttle falls while the brake rises from half of that to it.
    """
    window = np.ones(filter_window_points(step_m, rules), dtype=bool)
    meant = binary_dilation(binary_opening(raw_together, window), window)
    pressed, released = limits.overlap_brake_bar, limits.overlap_throttle_pct
    share = np.clip(2.0 * values[:, 2] / pressed - 1.0, 0.0, 1.0)
    found = values.copy()
    most = _MOST_PCT + (released - _MOST_PCT) * share
    found[:, 1] = np.where(meant, values[:, 1], np.minimum(values[:, 1], most))
    return found


def junction_jumps_kmh(speed_mps: FloatArray, step_m: float, junctions_m: Sequence[float]) -> FloatArray:
    """Jump of speed over the step that holds each junction, beyond what the steps beside it show.

    A smooth lap has next to none; what the filter left of a gap, or made at the seam, it has.

    Args:
        speed_mps: From the line to the line, shape (n + 1,).
        step_m: Grid step.
        junctions_m: Distance of the junctions; the line is the lap's length.
    """
    change = np.diff(speed_mps)
    k = np.floor(np.asarray(junctions_m) / step_m + 1e-9).astype(np.intp) % len(change)
    beside = (change[(k - 1) % len(change)] + change[(k + 1) % len(change)]) / 2.0
    return np.asarray(np.abs(change[k] - beside) * KMH_PER_MPS)
