"""Per-second summaries of a held signal that merge into windows.

Each second is summarised once into moments that merge (Chan, Golub and LeVeque, 1983) and each window merges its
seconds. No running sum reaches across a race, so a window's value depends on nothing outside it, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.signals.held import GRID_US, TREND_MIN_S, US_PER_S, HeldSignal, values_at
from conf.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class WindowMoments:
    """Mergeable statistics, one entry per second (or per window, once merged); NaN where nothing is held.

    Attributes:
        held_us: Time held, whole microseconds: such sums are exact in floating point, so shares of time are too.
        mean: Time-weighted mean.
        m2: Time-weighted sum of squared deviations from the mean.
        min: Least value held.
        max: Greatest value held.
    """

    held_us: FloatArray
    mean: FloatArray
    m2: FloatArray
    min: FloatArray
    max: FloatArray

    @property
    def std(self) -> FloatArray:
        """Time-weighted population standard deviation."""
        return np.sqrt(_ratio(self.m2, self.held_us))

    @property
    def rms(self) -> FloatArray:
        """Time-weighted root mean square."""
        return np.sqrt(self.mean**2 + _ratio(self.m2, self.held_us))


@dataclass(frozen=True, slots=True)
class WindowSeconds:
    """The seconds that the windows need.

    Attributes:
        seconds: Shape (b,), ascending: each is ``[second, second + 1)`` of event time.
        index: Shape (w, window_s): each window's seconds, as positions in ``seconds``.
        ends_us: Shape (w,), microseconds.
        window_us: Length of a window, microseconds.
    """

    seconds: IntArray
    index: IntArray
    ends_us: IntArray
    window_us: int


def layout_window_seconds(ends_s: ArrayLike, window_s: float, max_age_s: float) -> WindowSeconds:
    """Lay out the seconds under windows that end at ``ends_s``.

    Raises:
        ValueError: If an end or the length is not whole seconds, or a value may hold for more than a second.
    """
    ends = np.atleast_1d(np.asarray(ends_s, dtype=np.float64))
    odd = np.flatnonzero(~(np.isfinite(ends) & (ends == np.floor(ends))))
    if odd.size:
        raise ValueError(f"ends_s[{odd[0]}] is {ends[odd[0]]}: a window ends on a whole second; round it down")
    if window_s < 1 or window_s != int(window_s):
        raise ValueError(f"window_s is {window_s}: a window is a whole number of seconds, at least 1")
    if not 0 < max_age_s <= 1:
        raise ValueError(f"max_age_s is {max_age_s}: give a time above 0 and at most 1 second")
    wanted = ends.astype(np.int64)[:, None] + np.arange(-int(window_s), 0, dtype=np.int64)
    seconds, index = np.unique(wanted, return_inverse=True)
    return WindowSeconds(
        seconds, index.reshape(wanted.shape), ends.astype(np.int64) * US_PER_S, int(window_s) * US_PER_S
    )


def _cut_at_seconds(held: HeldSignal, frame: WindowSeconds) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Cut at whole seconds: (position in ``frame.seconds``, us held, middle within its second in s, value)."""
    first, last = held.start_us // US_PER_S, (held.end_us - 1) // US_PER_S
    parts = last - first + 1
    second = np.repeat(first, parts) + concatenate_ranges(parts)
    start = np.maximum(np.repeat(held.start_us, parts), second * US_PER_S) - second * US_PER_S
    end = np.minimum(np.repeat(held.end_us, parts), (second + 1) * US_PER_S) - second * US_PER_S
    position = np.searchsorted(frame.seconds, second)
    wanted = frame.seconds[np.minimum(position, frame.seconds.size - 1)] == second
    keep = np.flatnonzero(wanted)
    start, end = start[keep], end[keep]
    return (
        position[keep],
        (end - start).astype(np.float64),
        (end + start) / (2 * US_PER_S),
        np.repeat(held.value, parts)[keep],
    )


def summarise_seconds(held: HeldSignal, frame: WindowSeconds) -> WindowMoments:
    """Summarise each of the frame's seconds."""
    n = frame.seconds.size
    if held.value.size == 0 or n == 0:
        empty = np.full(n, np.nan)
        return WindowMoments(np.zeros(n), empty, np.zeros(n), empty, empty)
    where, weight, _, value = _cut_at_seconds(held, frame)
    held_us = _sums(where, weight, n)
    mean = _ratio(_sums(where, weight * value, n), held_us)
    m2 = _sums(where, weight * (value - mean[where]) ** 2, n)
    low, high = np.full(n, np.nan), np.full(n, np.nan)
    if where.size:
        begins = np.flatnonzero(np.diff(where, prepend=-1))
        low[where[begins]] = np.minimum.reduceat(value, begins)
        high[where[begins]] = np.maximum.reduceat(value, begins)
    return WindowMoments(held_us, mean, m2, low, high)


def merge_seconds(part: WindowMoments, frame: WindowSeconds) -> WindowMoments:
    """Merge each window's seconds (rows of ``frame.index``)."""
    weight = part.held_us[frame.index]
    held_us = weight.sum(axis=1)
    means = np.where(weight > 0, part.mean[frame.index], 0.0)
    mean = _ratio((weight * means).sum(axis=1), held_us)
    offset = np.where(weight > 0, means - mean[:, None], 0.0)
    m2 = part.m2[frame.index].sum(axis=1) + (weight * offset**2).sum(axis=1)
    low = np.fmin.reduce(part.min[frame.index], axis=1)
    high = np.fmax.reduce(part.max[frame.index], axis=1)
    return WindowMoments(held_us, mean, m2, low, high)


def window_trend(held: HeldSignal, frame: WindowSeconds) -> FloatArray:
    """Least-squares slope of the held signal over each window, unit per second (VX5); NaN under ``TREND_MIN_S``."""
    n = frame.seconds.size
    if held.value.size == 0 or n == 0:
        return np.full(frame.ends_us.size, np.nan)
    where, weight, middle, value = _cut_at_seconds(held, frame)
    held_us = _sums(where, weight, n)
    t_mean = _ratio(_sums(where, weight * middle, n), held_us)
    x_mean = _ratio(_sums(where, weight * value, n), held_us)
    dt, dx = middle - t_mean[where], value - x_mean[where]
    # The twelfth: the spread of time within the piece itself.
    tt = _sums(where, weight * (dt**2 + (weight / US_PER_S) ** 2 / 12.0), n)
    tx = _sums(where, weight * dt * dx, n)

    w = held_us[frame.index]
    total = w.sum(axis=1)
    elapsed = np.arange(frame.index.shape[1], dtype=np.float64)
    times = np.where(w > 0, t_mean[frame.index] + elapsed, 0.0)
    values = np.where(w > 0, x_mean[frame.index], 0.0)
    d_t = times - _ratio((w * times).sum(axis=1), total)[:, None]
    d_x = values - _ratio((w * values).sum(axis=1), total)[:, None]
    cov = (tx[frame.index] + np.where(w > 0, w * d_t * d_x, 0.0)).sum(axis=1)
    var = (tt[frame.index] + np.where(w > 0, w * d_t**2, 0.0)).sum(axis=1)
    slope: FloatArray = np.where(total >= TREND_MIN_S * US_PER_S, _ratio(cov, var), np.nan)
    return slope


def window_rate_rms(held: HeldSignal, frame: WindowSeconds) -> FloatArray:
    """Root mean square rate of change on the 10 Hz grid, unit per second (BX5); NaN where there is none."""
    steps = np.arange(0, US_PER_S + 1, GRID_US, dtype=np.int64)
    grid = values_at(held, frame.seconds[:, None] * US_PER_S + steps)
    step = np.diff(grid, axis=1) / (GRID_US / US_PER_S)
    known = np.isfinite(step)
    squares = np.where(known, step**2, 0.0).sum(axis=1)
    counts = known.sum(axis=1).astype(np.float64)
    return np.sqrt(_ratio(squares[frame.index].sum(axis=1), counts[frame.index].sum(axis=1)))


def concatenate_ranges(lengths: IntArray) -> IntArray:
    """0..lengths[0]-1, then 0..lengths[1]-1 and so on, in one array."""
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    quotient: FloatArray = np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b > 0)
    return quotient


def _sums(where: IntArray, x: FloatArray, n: int) -> FloatArray:
    return np.bincount(where, x, n).astype(np.float64)
