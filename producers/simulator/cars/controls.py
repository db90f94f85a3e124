"""What a driver does with a car: the one thing that goes from a driver, simulated or not, to :class:`Car.step`."""

from __future__ import annotations

from typing import NamedTuple

from conf.arrays import FloatArray, IntArray


class Controls(NamedTuple):
    """Controls of all cars of a grid at one instant, arrays of shape (cars,).

    Attributes:
        gear: Gear that the lever is moved to, 0 is first.
        shift_s: How long the clutch is open in a shift.
        curvature_per_m: Where the steering points: curvature of the line that the driver means to follow.
        throttle: Engine load asked for, 0 to 1.
        brake_n: Brake force asked for, at the tyres.
    """

    gear: IntArray
    shift_s: FloatArray
    curvature_per_m: FloatArray
    throttle: FloatArray
    brake_n: FloatArray
