"""Acceleration of many speed profiles at once, by the same definition as for driven laps: the slope over a second.

``analysis.car_limits.motion`` takes the least-squares slope of the samples in a window; here the speed is known
everywhere (constant acceleration between two points, as the integrator has it), so the sums are integrals:
``slope = 12 / T^3 * integral of (t - t_c) v dt``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.car_limits.motion import WINDOW_S
from conf.arrays import BoolArray, FloatArray, IndexArray

_APART_S = 1e4  # between rows, so that one sorted search serves all of them


@dataclass(frozen=True)
class SpeedSlopes:
    """Speed and acceleration at each point of each profile, shape (rows, points).

    Attributes:
        speed_mps: Mean over the window.
        along_mps2: Slope of the speed over the window.
        whole: Whether the window lies inside the profile; the figures mean nothing elsewhere.
    """

    speed_mps: FloatArray
    along_mps2: FloatArray
    whole: BoolArray


def speed_slopes(at_m: FloatArray, speed_mps: FloatArray, window_s: float = WINDOW_S) -> SpeedSlopes:
    """Least-squares slope of the speed over a window of time round each point.

    Args:
        at_m: Distance of the points, rising, shape (points,) or (rows, points).
        speed_mps: Shape (rows, points), above zero.
        window_s: The window.
    """
    v = speed_mps
    dt = 2.0 * np.diff(at_m, axis=-1) / (v[:, 1:] + v[:, :-1])
    gain = np.diff(v, axis=1) / dt
    t = _cumulative(dt)
    s = _cumulative(v[:, :-1] * dt + 0.5 * gain * dt * dt)
    # Integral of t v dt over each interval, its own start being zero.
    moment = _cumulative(t[:, :-1] * np.diff(s, axis=1) + v[:, :-1] * dt**2 / 2.0 + gain * dt**3 / 3.0)

    def read(when: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Integrals of v and of t v up to an instant of each row."""
        k = _interval_index(t, when)
        u = when - np.take_along_axis(t, k, 1)
        v0, a0, t0 = (np.take_along_axis(x, k, 1) for x in (v, gain, t))
        run = v0 * u + 0.5 * a0 * u * u
        return np.take_along_axis(s, k, 1) + run, (
            np.take_along_axis(moment, k, 1) + t0 * run + v0 * u**2 / 2.0 + a0 * u**3 / 3.0
        )

    half = window_s / 2.0
    whole = (t >= half) & (t <= t[:, -1:] - half)
    middle = np.clip(t, half, np.maximum(t[:, -1:] - half, half))
    (s0, m0), (s1, m1) = read(middle - half), read(middle + half)
    slope = 12.0 / window_s**3 * (m1 - m0 - middle * (s1 - s0))
    return SpeedSlopes((s1 - s0) / window_s, slope, whole)


def _cumulative(values: FloatArray) -> FloatArray:
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def _interval_index(t: FloatArray, when: FloatArray) -> IndexArray:
    """Index of the interval that holds each instant, row by row."""
    rows, points = t.shape
    shift = _APART_S * np.arange(rows)[:, None]
    found = np.searchsorted((t + shift).ravel(), (when + shift).ravel(), side="right").reshape(when.shape) - 1
    return np.asarray(np.clip(found - points * np.arange(rows)[:, None], 0, points - 2), dtype=np.intp)
