"""Where a car's own distance begins anew, and the laps of its samples moved to there.

A sample's time is good to some hundredths of a second, and a reading of the distance may be older than its sample, by
up to 0.2 s in GR Cup's data. So the first samples after the line, by the clock, may still say the distance of the lap
before. Such a sample is of the lap before: the line is moved, for samples only, as little as the readings demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conf.arrays import FloatArray, IntArray

Interval = tuple[int, int, int]  # lap number, first and last microsecond
MOST_MOVED_US: Final = 500_000
"""A reset further from the line than this is another matter: a sensor that contradicts the timing."""
_LEAST_DROP_M: Final = 200.0  # no circuit is shorter, and no noise as large


@dataclass(frozen=True)
class DistanceResets:
    """Where the distance of a car fell back to the beginning of a lap.

    Attributes:
        before_us: Instant of the last reading before, ascending, shape (n,).
        after_us: Instant of the first reading after, shape (n,).
    """

    before_us: IntArray
    after_us: IntArray


def find_resets(t_us: IntArray, distance_m: FloatArray) -> DistanceResets:
    """Find where a car's distance falls by more than half, and by no less than 200 m.

    Args:
        t_us: Instants, ascending, shape (n,).
        distance_m: Distance from the line, NaN where there is no reading, shape (n,).
    """
    known = np.isfinite(distance_m)
    t, along = t_us[known], distance_m[known]
    fall = along[:-1] - along[1:]
    reset = np.flatnonzero((fall > _LEAST_DROP_M) & (fall > 0.5 * along[:-1]))
    return DistanceResets(t[reset], t[reset + 1])


def move_to_resets(laps: Sequence[Interval], resets: DistanceResets) -> list[Interval]:
    """Laps that begin and end where their car's distance does.

    Args:
        laps: Laps by timing.
        resets: Of the same car.

    Returns:
        The laps in their order. An end is moved just behind the last reading of the lap before it, or to the first of
        the lap after it, whichever is on its wrong side; by no more than ``MOST_MOVED_US``.
    """
    if not resets.before_us.size:
        return list(laps)

    def moved(at_us: int) -> int:
        reached = np.clip(at_us, resets.before_us + 1, np.maximum(resets.after_us, resets.before_us + 1))
        nearest = int(reached[np.argmin(np.abs(reached - at_us))])
        return nearest if abs(nearest - at_us) <= MOST_MOVED_US else at_us

    return [(number, moved(start), moved(end)) for number, start, end in laps]
