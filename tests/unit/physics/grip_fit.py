"""Is the car believable? One grip coefficient is fitted on laps of one track and tried on laps of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from conf.arrays import FloatArray
from conf.vehicle import VehicleSpec
from physics.speed_profile import limit_lap_speed_mps
from physics.vehicle import Vehicle
from tests.unit.physics.gps_line import line_from_gps

_STEP_M = 2.0
_GRIP_RANGE = (0.6, 2.4)


@dataclass(frozen=True)
class RealLap:
    """One whole lap as logged, line to line; arrays of shape (n,).

    Attributes:
        distance_m: Distance driven since the line.
    """

    distance_m: FloatArray
    speed_mps: FloatArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    lap_time_s: float


@dataclass(frozen=True)
class Bends:
    """Curvature of a track as it is driven, on an even grid over one lap."""

    curvature_per_m: FloatArray
    length_m: float


@dataclass(frozen=True)
class Comparison:
    """A simulated lap beside a real one.

    Attributes:
        lap_time_error: (simulated - real) / real.
        speed_rmse_kmh: Root mean square of the speed difference over distance.
    """

    lap_time_error: float
    speed_rmse_kmh: float


def driven_bends(laps: Sequence[RealLap], smoothing_m: float = 8.0) -> Bends:
    """Curvature at each share of the lap, the median over laps: one lap's fixes are too coarse (0.4-0.7 m, 10 Hz).

    Raises:
        ValueError: If there are no laps.
    """
    if not laps:
        raise ValueError("no laps to take the line from: choose other laps")
    length = float(np.mean([lap.distance_m[-1] - lap.distance_m[0] for lap in laps]))
    share = np.arange(round(length / _STEP_M)) / round(length / _STEP_M)
    bends = []
    for lap in laps:
        line = line_from_gps(lap.distance_m, lap.lat_deg, lap.lon_deg, smoothing_m)
        bends.append(np.interp(share, line.s_m / line.length_m, line.curvature_per_m, period=1.0))
    return Bends(np.median(bends, axis=0), length)


def simulate(spec: VehicleSpec, bends: Bends) -> tuple[FloatArray, float]:
    """Flying lap at the limit: speed in m/s on the grid of the bends, and the lap time in seconds."""
    step = bends.length_m / len(bends.curvature_per_m)
    speed = limit_lap_speed_mps(Vehicle(spec), bends.curvature_per_m, step)
    return speed, float(np.sum(2.0 * step / (speed + np.roll(speed, -1))))


def fit_grip(spec: VehicleSpec, laps: Sequence[RealLap]) -> float:
    """Grip coefficient with which the simulated lap takes as long as the laps do on average.

    Raises:
        ValueError: If no coefficient between 0.6 and 2.4 does.
    """
    bends, real = driven_bends(laps), float(np.mean([lap.lap_time_s for lap in laps]))

    def excess_s(grip: float) -> float:
        return simulate(spec.model_copy(update={"grip_coefficient": grip}), bends)[1] - real

    return float(brentq(excess_s, *_GRIP_RANGE, xtol=1e-3))


def compare(spec: VehicleSpec, laps: Sequence[RealLap]) -> list[Comparison]:
    """Simulate the track of the laps once and set it beside each of them."""
    speed, lap_time_s = simulate(spec, bends := driven_bends(laps))
    share = np.arange(len(speed)) / len(bends.curvature_per_m)
    results = []
    for lap in laps:
        driven = lap.distance_m - lap.distance_m[0]
        real = np.interp(share, driven / driven[-1], lap.speed_mps)
        rmse = float(np.sqrt(np.mean((speed - real) ** 2))) * 3.6
        results.append(Comparison(lap_time_s / lap.lap_time_s - 1.0, rmse))
    return results
