"""Where a track's sectors end, from official sector times; and a lap's sector times from where they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.laps.distance import distance_at_time_m, time_at_distance_s
from analysis.laps.trace import LapTrace
from conf.arrays import FloatArray
from conf.errors import InputError


@dataclass(frozen=True)
class SectorEnds:
    """Where each sector but the last ends.

    Attributes:
        ends_m: Median over laps of the distance reached when the timing says that the sector ended.
        spread_m: 1.4826 times the median deviation from it.
        laps: How many laps each end comes from.
    """

    ends_m: tuple[float, ...]
    spread_m: tuple[float, ...]
    laps: tuple[int, ...]


def find_sector_ends(laps: Sequence[LapTrace], sectors_s: ArrayLike) -> SectorEnds:
    """Find the sector ends on the laps' scale of distance.

    Args:
        laps: Laps on one circuit's scale.
        sectors_s: Official sector times of each lap, NaN where one is missing, shape (laps, sectors).

    Raises:
        InputError: If no lap has a time for a sector.
        ValueError: If the shapes differ.
    """
    times = np.asarray(sectors_s, dtype=np.float64)
    if times.ndim != 2 or len(times) != len(laps) or times.shape[1] < 2:
        raise ValueError(f"sectors_s has shape {times.shape} for {len(laps)} laps: give one row of two or more a lap")
    reached = np.cumsum(times, axis=1)[:, :-1]
    ends, spreads, counts = [], [], []
    for number, column in enumerate(reached.T, start=1):
        known = np.flatnonzero(np.isfinite(column))
        if not known.size:
            raise InputError(f"no lap has a time for sector {number}: choose laps with official sector times")
        at_m = np.array([float(distance_at_time_m(laps[int(k)], column[k])) for k in known])
        middle = float(np.median(at_m))
        ends.append(middle)
        spreads.append(float(1.4826 * np.median(np.abs(at_m - middle))))
        counts.append(known.size)
    return SectorEnds(tuple(ends), tuple(spreads), tuple(counts))


def lap_sector_times_s(trace: LapTrace, ends_m: Sequence[float]) -> FloatArray:
    """Sector times of a lap; they add up to its lap time, shape (ends + 1,)."""
    edges = time_at_distance_s(trace, [0.0, *ends_m, trace.end_m])
    return np.diff(edges)
