"""What the cars did, step by step, before any sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray
from producers.simulator.cars.car import CarMotion


@dataclass(frozen=True)
class Trace:
    """A stretch of a drive; arrays of shape (steps, cars), the fields of :class:`CarMotion` step by step."""

    dt_s: float
    distance_m: FloatArray
    speed_mps: FloatArray
    accel_mps2: FloatArray
    gear: IntArray
    rpm: FloatArray
    load: FloatArray
    torque_nm: FloatArray
    brake_n: FloatArray
    clutch_open: BoolArray
    scrub_n: FloatArray
    lateral_mps2: FloatArray
    stuck_n: FloatArray
    kerb_m: FloatArray
    flare_rpm: FloatArray

    @classmethod
    def join(cls, parts: Sequence[Trace]) -> Self:
        """One trace of several that follow each other."""
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in CarMotion._fields}
        return cls(parts[0].dt_s, **joined)

    def __len__(self) -> int:
        return len(self.speed_mps)


class TraceRecorder:
    """Takes down a number of steps.

    Args:
        steps: How many.
        cars: Size of the grid.
        dt_s: Time step.
    """

    def __init__(self, steps: int, cars: int, dt_s: float) -> None:
        kinds: dict[str, Any] = {"gear": np.int64, "clutch_open": np.bool_}
        self._dt_s = dt_s
        self._columns = [np.empty((steps, cars), kinds.get(name, np.float64)) for name in CarMotion._fields]

    def record(self, step: int, motion: CarMotion) -> None:
        """Take down one step, counted from the first one recorded."""
        for column, values in zip(self._columns, motion, strict=True):
            column[step] = values

    def trace(self) -> Trace:
        """All that was recorded."""
        return Trace(self._dt_s, *self._columns)
