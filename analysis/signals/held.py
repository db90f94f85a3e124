"""Held signals: the value of a channel at every instant, from samples at instants of its own.

A channel's value holds from its sample until the channel's next sample, but for at most ``max_age``; after that the
channel is missing. Every statistic here is one of that held signal, weighted by time, so it does not change when a
channel is sent more often with the same value. Times are integer microseconds (the resolution of ``event_ts``):
lengths of time add up without rounding, which is what lets a batch over a race and a live engine agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from conf.arrays import FloatArray, IntArray

Channels = Mapping[str, ArrayLike]

US_PER_S = 1_000_000
MAX_AGE_S = 0.3
TREND_MIN_S = 1.0  # a slope over less than this says nothing of a trend
GRID_US = 100_000  # deltas are taken on a 10 Hz grid, because a delta between samples depends on the sample rate (BX5)


@dataclass(frozen=True, slots=True)
class HeldSignal:
    """A piecewise constant signal: ``value[i]`` on ``[start_us[i], end_us[i])``, ascending and disjoint.

    Attributes:
        start_us: Shape (n,), microseconds.
        end_us: Shape (n,), microseconds, above ``start_us``.
        value: Shape (n,), in the channel's unit.
    """

    start_us: IntArray
    end_us: IntArray
    value: FloatArray

    @property
    def seconds(self) -> FloatArray:
        """How long each value holds, s."""
        return (self.end_us - self.start_us) / US_PER_S

    def map(self, function: Callable[[FloatArray], FloatArray]) -> HeldSignal:
        """The signal with ``function`` applied to its values."""
        return HeldSignal(self.start_us, self.end_us, function(self.value))


@dataclass(frozen=True, slots=True)
class GearShifts:
    """Changes between engaged gears.

    Attributes:
        at_us: Shape (n,), instant of the first sample in the new gear.
        since_us: Shape (n,), instant of the last sample in the old gear.
        before: Shape (n,), old gear.
        after: Shape (n,), new gear.
    """

    at_us: IntArray
    since_us: IntArray
    before: FloatArray
    after: FloatArray


@dataclass(frozen=True, slots=True)
class SignalStats:
    """Time-weighted statistics of a held signal; NaN where it holds nothing. ``std`` is the population's."""

    seconds: float
    mean: float
    std: float
    min: float
    max: float


def seconds_to_us(t_s: ArrayLike) -> IntArray:
    """Seconds to whole microseconds.

    Raises:
        ValueError: If a time is not finite.
    """
    seconds = np.atleast_1d(np.asarray(t_s, dtype=np.float64))
    bad = np.flatnonzero(~np.isfinite(seconds))
    if bad.size:
        raise ValueError(f"t_s[{bad[0]}] is {seconds[bad[0]]}: a sample needs a finite time; drop it first")
    return np.asarray(np.rint(seconds * US_PER_S), dtype=np.int64)


def hold_samples(t_us: IntArray, values: ArrayLike, max_age_s: float = MAX_AGE_S) -> HeldSignal:
    """Hold a channel's samples; the order in which they are given does not matter.

    Args:
        t_us: Shape (n,), instants in microseconds.
        values: Shape (n,), NaN where the channel has no sample at that instant.
        max_age_s: Longest time a value holds, s.

    Returns:
        The held signal. Of several values at one instant the largest holds (the others have no time to hold for).

    Raises:
        ValueError: If the shapes differ.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.shape != t_us.shape:
        raise ValueError(f"it has shape {x.shape} but t_s has {t_us.shape}: give one value (or NaN) per instant")
    known = np.isfinite(x)
    t, x = t_us[known], x[known]
    if t.size > 1 and not bool(np.all(t[1:] > t[:-1])):
        order = np.lexsort((x, t))
        t, x = t[order], x[order]
        last = np.append(t[1:] != t[:-1], True)
        t, x = t[last], x[last]
    end = t + round(max_age_s * US_PER_S)
    np.minimum(end[:-1], t[1:], out=end[:-1])
    return HeldSignal(t, end, x)


def clip_signal(held: HeldSignal, start_us: int, end_us: int) -> HeldSignal:
    """The part of the signal inside ``[start_us, end_us)``."""
    start, end = np.maximum(held.start_us, start_us), np.minimum(held.end_us, end_us)
    inside = start < end
    return HeldSignal(start[inside], end[inside], held.value[inside])


def values_at(held: HeldSignal, instants_us: IntArray) -> FloatArray:
    """Values at given instants, in their shape; NaN where nothing holds."""
    if held.start_us.size == 0:
        return np.full(instants_us.shape, np.nan)
    index = np.searchsorted(held.start_us, instants_us, side="right") - 1
    safe = np.maximum(index, 0)
    holds = (index >= 0) & (instants_us < held.end_us[safe])
    return np.where(holds, held.value[safe], np.nan)


def align_signals(*signals: HeldSignal) -> tuple[IntArray, IntArray, list[FloatArray]]:
    """Cut several signals at the union of their instants.

    Returns:
        ``(start_us, end_us, values)``: the pieces and, for each signal, its value on each piece (NaN where it holds
        nothing).
    """
    cuts = np.unique(np.concatenate([edge for s in signals for edge in (s.start_us, s.end_us)]))
    start, end = cuts[:-1], cuts[1:]
    return start, end, [values_at(s, start) for s in signals]


def combine_signals(
    function: Callable[[FloatArray, FloatArray], FloatArray], a: HeldSignal, b: HeldSignal
) -> HeldSignal:
    """``function(a, b)`` wherever both signals hold, on the union of their instants."""
    start, end, (x, y) = align_signals(a, b)
    both = np.isfinite(x) & np.isfinite(y)
    return HeldSignal(start[both], end[both], function(x[both], y[both]))


def time_weighted_stats(held: HeldSignal) -> SignalStats:
    """Time-weighted mean, population standard deviation, least and greatest value."""
    seconds = held.seconds
    total = float(seconds.sum())
    if total <= 0.0:
        return SignalStats(0.0, np.nan, np.nan, np.nan, np.nan)
    mean = float(np.dot(seconds, held.value)) / total
    variance = float(np.dot(seconds, (held.value - mean) ** 2)) / total
    return SignalStats(total, mean, float(np.sqrt(variance)), float(held.value.min()), float(held.value.max()))


def time_weighted_slope(held: HeldSignal) -> float:
    """Least-squares slope over the time held, unit per second (VX5); NaN when that is under ``TREND_MIN_S``."""
    if (held.end_us - held.start_us).sum() < TREND_MIN_S * US_PER_S:
        return np.nan
    seconds = held.seconds
    total = float(seconds.sum())
    middle = (held.start_us + held.end_us - 2 * held.start_us[0]) / (2 * US_PER_S)
    t = middle - np.dot(seconds, middle) / total
    x = held.value - np.dot(seconds, held.value) / total
    # The twelfth: the spread of time within a piece.
    return float(np.dot(seconds, t * x) / (np.dot(seconds, t**2) + np.sum(seconds**3) / 12.0))


def find_shifts(gear: HeldSignal) -> GearShifts:
    """Gear changes; a change through neutral (0) or reverse is one, from forward gear to forward gear."""
    engaged = gear.value >= 1
    t, g = gear.start_us[engaged], gear.value[engaged]
    changed = np.flatnonzero(g[1:] != g[:-1])
    return GearShifts(t[changed + 1], t[changed], g[changed], g[changed + 1])


def grid_rates(held: HeldSignal, start_us: int, end_us: int) -> FloatArray:
    """Rates of change on the 10 Hz grid inside ``[start_us, end_us]``, unit per second; NaN beside a gap (BX5)."""
    first, last = -(-start_us // GRID_US), end_us // GRID_US  # the grid is absolute: multiples of 0.1 s of event time
    values = values_at(held, np.arange(first, last + 1, dtype=np.int64) * GRID_US)
    return np.asarray(np.diff(values) / (GRID_US / US_PER_S), dtype=np.float64)
