"""The target of each driver: curvature and target speed along the whole run, one row a car."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from conf.arrays import BoolArray, FloatArray
from physics.centre_line import Line, build_driven_line
from physics.speed_profile import braking_speed_mps
from physics.vehicle import Vehicle
from producers.simulator.cars.driver_styles import DriverStyle

_CORNER_SPREAD = 0.02  # how much better or worse than usual a driver takes a stretch of road, as a share of its grip
_STRETCH_M = 60.0


@dataclass(frozen=True)
class SpeedPlan:
    """The run ahead of each car on the grid of its own line.

    Attributes:
        lines: The driven line of each car.
        points: Grid points of one lap.
        step_m: Grid step of each car, shape (cars,).
        curvature_per_m: Shape (cars, points).
        target_mps: Speed that corners and braking points allow, shape (cars, laps * points).
        slope_mps2: Acceleration that follows the target, same shape.
        lifted: Where the foot leaves the throttle for no reason, same shape; ``None`` where it never does.
    """

    lines: list[Line]
    points: int
    step_m: FloatArray
    curvature_per_m: FloatArray
    target_mps: FloatArray
    slope_mps2: FloatArray
    lifted: BoolArray | None = None


def plan_speed(vehicle: Vehicle, centre: Line, style: DriverStyle, rng: np.random.Generator) -> SpeedPlan:
    """Lay out every lap of every car.

    Args:
        vehicle: The car.
        centre: Centre line of the track.
        style: Fields of shape (cars, laps).
        rng: Source of the variation from corner to corner.
    """
    cars, laps = np.shape(style.corner_share)
    lines = [build_driven_line(centre, float(np.mean(row))) for row in np.asarray(style.line_m)]
    points = len(centre.s_m)
    step = np.array([line.step_m for line in lines])
    curvature = np.stack([line.curvature_per_m for line in lines])
    form = gaussian_filter1d(rng.normal(size=(cars * laps, points)), _STRETCH_M / centre.step_m, axis=1, mode="wrap")
    form *= _CORNER_SPREAD / form.std()
    every = np.repeat(curvature, laps, axis=0)
    corner = np.minimum(np.reshape(style.corner_share, (-1, 1)) * (1.0 + form), 0.975)
    brake = np.reshape(style.brake_share, -1)
    target = braking_speed_mps(vehicle, every, np.repeat(step, laps), corner, brake).reshape(cars, laps * points)
    return SpeedPlan(lines, points, step, curvature, target, acceleration_along(target, step))


def acceleration_along(target_mps: FloatArray, step_m: FloatArray) -> FloatArray:
    """Acceleration that follows a target speed, shape (cars, n).

    Args:
        target_mps: Shape (cars, n).
        step_m: Grid step of each car, shape (cars,).
    """
    return np.asarray(np.gradient(target_mps * target_mps, axis=1) / (2.0 * step_m[:, None]))
