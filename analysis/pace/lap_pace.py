"""Pace of one driver: best, mean and median lap, evenness, trend, and the fastest runs of laps (B7, B22)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import theilslopes

from analysis.pace.driver_laps import DriverLaps
from analysis.statistics.bootstrap import Estimate
from analysis.statistics.lap_moments import MIN_LAPS, LapMoments
from conf.arrays import FloatArray

RECORD_LAPS: Final = (3, 5, 10)
_TREND_LAPS: Final = 1_000  # half a million pairs; beyond, laps are thinned evenly


@dataclass(frozen=True, slots=True)
class BestTime:
    """The lowest of some times, and how it is supported.

    Attributes:
        time_s: The best; NaN where there is no time.
        lap_number: Lap it comes from (the first, of equal ones); ``None`` where there is no time.
        gap_second_s: How much the second best was slower: a best far ahead of the rest is one lucky lap. NaN where
            there is no second.
    """

    time_s: float
    lap_number: int | None
    gap_second_s: float


@dataclass(frozen=True, slots=True)
class PaceRecord:
    """The fastest run of consecutive laps.

    Attributes:
        laps: Length of the run.
        mean_s: Mean lap time over it.
        first_lap: Number of its first lap.
        last_lap: Number of its last lap.
    """

    laps: int
    mean_s: float
    first_lap: int
    last_lap: int


@dataclass(frozen=True, slots=True)
class LapStatistics:
    """Statistics of the laps fit for ``pace`` (B7); NaN where there are none.

    Attributes:
        n: Laps with a time.
        best: Best lap.
        mean_s: Mean.
        median_s: Median.
    """

    n: int
    best: BestTime
    mean_s: float
    median_s: float


def compute_lap_statistics(laps: DriverLaps) -> LapStatistics:
    """Best, mean and median over the laps fit for ``pace``."""
    times = laps.times_s("pace")
    known = times[np.isfinite(times)]
    if known.size == 0:
        return LapStatistics(0, find_best_time(laps, times), np.nan, np.nan)
    return LapStatistics(known.size, find_best_time(laps, times), float(known.mean()), float(np.median(known)))


def find_best_time(laps: DriverLaps, times_s: FloatArray) -> BestTime:
    """Best of some times of a driver's laps, shape (n,), NaN where a lap does not count."""
    known = np.flatnonzero(np.isfinite(times_s))
    if known.size == 0:
        return BestTime(np.nan, None, np.nan)
    first = known[np.argmin(times_s[known])]
    best, rest = float(times_s[first]), times_s[known[known != first]]
    return BestTime(best, int(laps.lap_number[first]), float(rest.min()) - best if rest.size else np.nan)


def consistency_score(moments: LapMoments, column: int) -> FloatArray:
    """``100 * (1 - std / mean)`` of a column, clipped to 0-100 (B22, BX12), with the population's deviation."""
    return np.clip(100.0 * (1.0 - np.sqrt(moments.var[..., column]) / moments.mean[..., column]), 0.0, 100.0)


def find_pace_records(laps: DriverLaps, lengths: tuple[int, ...] = RECORD_LAPS) -> tuple[PaceRecord, ...]:
    """Fastest runs of so many consecutive laps, all of them fit for ``pace``; lengths never driven are left out."""
    times, records = laps.times_s("pace"), []
    for length in lengths:
        if len(laps) < length:
            continue
        means = np.lib.stride_tricks.sliding_window_view(times, length).mean(axis=1)
        broken = laps.lap_number[length - 1 :] - laps.lap_number[: 1 - length or None] != length - 1
        means[broken] = np.nan
        if np.isfinite(means).any():
            at = int(np.nanargmin(means))
            first, last = int(laps.lap_number[at]), int(laps.lap_number[at + length - 1])
            records.append(PaceRecord(length, float(means[at]), first, last))
    return tuple(records)


def trend_s_per_lap(lap_number: FloatArray, time_s: FloatArray) -> Estimate:
    """Slope of lap times over lap numbers: the median of all slopes between two laps, which one slow lap does not bend.

    The interval is Sen's ("Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968). Fuel burnt,
    tyre wear and a changing track are all in the slope.

    Args:
        lap_number: Shape (n,), all different.
        time_s: Shape (n,), finite; more than a thousand laps are thinned evenly.

    Returns:
        NaN below two laps, no interval below five.
    """
    n = time_s.size
    if n < 2:
        return Estimate(np.nan)
    step = -(-n // _TREND_LAPS)
    slope, _, low, high = theilslopes(time_s[::step], lap_number[::step], alpha=0.95)
    return Estimate(float(slope), float(low), float(high)) if n >= MIN_LAPS else Estimate(float(slope))
