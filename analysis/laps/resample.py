"""A lap on an even grid of 100 Hz (G7), and the rule by which channels are read between their samples.

Continuous channels are linear between samples, the gear is the previous sample's. Nothing is read across a gap: five
of the channel's own sample intervals, but at least 0.3 s and at most 1 s. At GR Cup's rates that is 0.3 s for the
channels at 23 Hz and 1 s for speed and engine speed at 4.6 Hz. Before its first and after its last sample a channel
holds for up to 0.3 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.laps.distance import MAX_SPEED_GAP_S, distance_at_time_m
from analysis.laps.trace import LapTrace
from analysis.signals.held import MAX_AGE_S
from conf.arrays import BoolArray, FloatArray, IntArray

RATE_HZ: Final = 100
HELD_CHANNELS: Final = frozenset({"gear", "position"})
_GAP_INTERVALS = 5.0


@dataclass(frozen=True)
class EvenLap:
    """A lap on an even grid of time; arrays of shape (n,).

    Attributes:
        sample_idx: 0, 1, ...
        t_lap_s: Time since the start of the lap.
        lap_distance_m: Distance from the line.
        channels: Canonical channel name to values, NaN inside gaps.
        is_interpolated: Whether no sample was taken within half a step.
    """

    sample_idx: IntArray
    t_lap_s: FloatArray
    lap_distance_m: FloatArray
    channels: dict[str, FloatArray]
    is_interpolated: BoolArray


def resample_lap(trace: LapTrace, rate_hz: int = RATE_HZ) -> EvenLap:
    """Put a lap on an even grid from its start to the last step before its end.

    The sensor's own ``lap_distance_m`` is left out: the trace's distance stands for it.
    """
    index = np.arange(int(np.floor(trace.lap_time_s * rate_hz + 1e-9)) + 1, dtype=np.int64)
    t = index / rate_hz
    channels = {
        name: interpolate_samples(trace.t_s, values, t, held=name in HELD_CHANNELS)
        for name, values in trace.channels.items()
        if name != "lap_distance_m"
    }
    return EvenLap(index, t, distance_at_time_m(trace, t), channels, _far_from(trace.t_s, t, 0.5 / rate_hz))


def interpolate_samples(t_s: FloatArray, values: FloatArray, at_s: FloatArray, *, held: bool = False) -> FloatArray:
    """A channel's values at given instants, NaN inside gaps.

    Args:
        t_s: Rising, shape (n,).
        values: NaN where the channel has no value, shape (n,).
        at_s: Instants, shape (k,).
        held: Take the previous sample in place of the line between two.

    Returns:
        Shape (k,).
    """
    known = np.isfinite(values)
    t, x = t_s[known], values[known]
    if not t.size:
        return np.full(at_s.shape, np.nan)
    before = np.searchsorted(t, at_s, side="right") - 1
    left, right = np.maximum(before, 0), np.minimum(before + 1, len(t) - 1)
    read = x[left] if held else np.interp(at_s, t, x)
    outside = (before < 0) | (before == len(t) - 1)
    apart = np.where(outside, np.abs(at_s - t[left]), t[right] - t[left])
    allowed = np.where(outside, MAX_AGE_S, max_gap_s(t))
    return np.where((apart <= allowed) | (at_s == t[left]), read, np.nan)


def max_gap_s(t_s: FloatArray) -> float:
    """Longest interval between two samples of a channel that is read across."""
    if t_s.size < 2:
        return MAX_AGE_S
    return float(np.clip(_GAP_INTERVALS * np.median(np.diff(t_s)), MAX_AGE_S, MAX_SPEED_GAP_S))


def _far_from(t_s: FloatArray, at_s: FloatArray, reach_s: float) -> BoolArray:
    if not t_s.size:
        return np.ones(at_s.shape, dtype=bool)
    after = np.searchsorted(t_s, at_s)
    nearest = np.minimum(
        np.abs(at_s - t_s[np.maximum(after - 1, 0)]), np.abs(at_s - t_s[np.minimum(after, len(t_s) - 1)])
    )
    return np.asarray(nearest > reach_s + 1e-9)
