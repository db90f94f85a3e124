"""The true trajectory of one car through the session: position over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from conf.arrays import FloatArray, IntArray
from conf.units import KMH_PER_MPS


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Places are in laps from the first line: 2.5 is half way round the third lap.

    Attributes:
        start_us: True time of the first step.
        dt_s: Time step.
        length_m: Length of a lap on the car's own line.
        distance_m: Distance driven at each step, shape (steps,).
        speed_mps: Speed at each step, shape (steps,).
        laps: Whole laps that the car completed.
        end_m: Distance at which it stopped sending; infinite where the session just ended.
        retired: True if it did not see the finish.
    """

    start_us: int
    dt_s: float
    length_m: float
    distance_m: FloatArray
    speed_mps: FloatArray
    laps: int
    end_m: float
    retired: bool = False

    def passing_us(self, places: npt.ArrayLike) -> IntArray:
        """True times at which the car was at these places, shape of ``places``."""
        at = np.interp(np.asarray(places) * self.length_m, self.distance_m, np.arange(len(self.distance_m)) * self.dt_s)
        return np.asarray(self.start_us + np.rint(at * 1e6).astype(np.int64))

    def speed_kmh(self, places: npt.ArrayLike) -> FloatArray:
        """True speed at these places, shape of ``places``."""
        return np.asarray(KMH_PER_MPS * np.interp(np.asarray(places) * self.length_m, self.distance_m, self.speed_mps))

    @property
    def crossings_us(self) -> IntArray:
        """True times at which it crossed the line, the first sample included, shape (laps + 1,)."""
        return self.passing_us(np.arange(self.laps + 1))


def end_at_flag(courses: Sequence[Trajectory]) -> list[Trajectory]:
    """Courses of a race that the winner ends: a car finishes when it next crosses the line, laps down or not.

    The cars that go the whole way compete for the win; where none does, the race ends for each where it was.
    """
    through = [course for course in courses if not course.retired]
    if not through:
        return list(courses)
    won_us = min(int(course.crossings_us[-1]) for course in through)
    out = []
    for course in courses:
        laps = max(int(np.searchsorted(course.crossings_us, won_us)), 1)
        if laps <= course.laps:
            out.append(replace(course, laps=laps, end_m=laps * course.length_m, retired=False))
        else:
            out.append(course)
    return out
