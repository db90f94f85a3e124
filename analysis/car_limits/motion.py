"""Speed and accelerations of a car over a lap, from its speed and the curvature of its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.laps.full_throttle import is_full_throttle, throttle_plateau_pct
from analysis.laps.trace import LapTrace
from conf.arrays import BoolArray, FloatArray, IndexArray
from conf.units import KMH_PER_MPS
from physics.centre_line import Line

WINDOW_S = 1.0
_FEWEST_SAMPLES = 4
_LEAST_SPAN = 0.7  # of the window that its samples must cover


@dataclass(frozen=True)
class Motion:
    """Instants of one or several laps, each shape (n,).

    Attributes:
        speed_mps: Speed.
        along_mps2: Slope of the speed over a window of a second: a car's speed comes a few times a second, and single
            differences would be more noise than acceleration.
        across_mps2: Speed squared times the line's curvature; not negative.
        full_throttle: Whether the throttle was open throughout the window; false where nothing says.
    """

    speed_mps: FloatArray
    along_mps2: FloatArray
    across_mps2: FloatArray
    full_throttle: BoolArray

    def __len__(self) -> int:
        return len(self.speed_mps)

    def take(self, index: IndexArray) -> Motion:
        """Select some of the instants."""
        return Motion(self.speed_mps[index], self.along_mps2[index], self.across_mps2[index], self.full_throttle[index])


def compute_motion(trace: LapTrace, line: Line, window_s: float = WINDOW_S, plateau_pct: float | None = None) -> Motion:
    """Compute speed and accelerations at the lap's speed samples; windows with a gap are left out.

    Args:
        trace: The lap, from line to line.
        line: The line that it is taken to have driven.
        window_s: Time over which the speed's slope is taken.
        plateau_pct: What the throttle reads at full throttle; by this lap if left out.
    """
    plateau_pct = highest_plateau_pct([trace]) if plateau_pct is None else plateau_pct
    speed_kmh = trace.channels["speed_kmh"]
    seen = np.isfinite(speed_kmh)
    t, v = trace.t_s[seen], speed_kmh[seen] / KMH_PER_MPS
    at = trace.distance_m[seen] * (line.length_m / trace.end_m)
    bend = np.interp(at, line.s_m, line.curvature_per_m, period=line.length_m)
    first = np.searchsorted(t, t - window_s / 2.0, side="left")
    last = np.searchsorted(t, t + window_s / 2.0, side="right")
    count = last - first

    def over(values: npt.NDArray[Any]) -> FloatArray:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(sums[last] - sums[first])

    n = np.maximum(count, 1)
    mean_t, mean_v = over(t) / n, over(v) / n
    spread = over(t * t) / n - mean_t**2
    slope = (over(t * v) / n - mean_t * mean_v) / np.where(spread > 0, spread, np.inf)
    is_whole = (count >= _FEWEST_SAMPLES) & (t[last - 1] - t[first] >= _LEAST_SPAN * window_s)
    is_whole &= over(np.diff(t, prepend=t[:1]) > window_s / 2.0) == 0
    throttle = _throttle_at(trace, t)
    is_full = over(~is_full_throttle(throttle, plateau_pct)) == 0
    fitted = mean_v + slope * (t - mean_t)
    across = fitted * fitted * np.abs(bend)
    return Motion(fitted[is_whole], slope[is_whole], across[is_whole], is_full[is_whole])


def highest_plateau_pct(traces: Sequence[LapTrace]) -> float:
    """What the throttle reads at full throttle by those of several laps that give most; NaN where none has one.

    What a car can do is what it does at full throttle, so a driver who never gives it does not show that.
    """
    plateaus = [throttle_plateau_pct(_read_throttle(trace)) for trace in traces]
    return max((plateau for plateau in plateaus if np.isfinite(plateau)), default=np.nan)


def scale_line(line: Line, length_m: float) -> Line:
    """Scale a line to the length that the cars' own speeds give.

    Wheels and positions differ by a percent: a limit lap in one measure beside a human lap in the other would be faster
    or slower by that.
    """
    factor = length_m / line.length_m
    return Line(line.s_m * factor, line.x_m, line.y_m, line.curvature_per_m / factor, length_m)


def join_motions(laps: Sequence[Motion]) -> Motion:
    """Join several laps into one."""
    return Motion(
        np.concatenate([m.speed_mps for m in laps]),
        np.concatenate([m.along_mps2 for m in laps]),
        np.concatenate([m.across_mps2 for m in laps]),
        np.concatenate([m.full_throttle for m in laps]),
    )


def _throttle_at(trace: LapTrace, t: FloatArray) -> FloatArray:
    """Throttle at instants, NaN where no channel has it."""
    values = _read_throttle(trace)
    known = np.isfinite(values)
    return np.interp(t, trace.t_s[known], values[known]) if known.any() else np.full_like(t, np.nan)


def _read_throttle(trace: LapTrace) -> FloatArray:
    """The throttle channel that a lap has, NaN where it has none."""
    return trace.channels.get(trace.throttle_channel, np.full(len(trace.t_s), np.nan))
