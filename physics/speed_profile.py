"""Speed over distance within a driver's share of the friction circle: cornering, braking, accelerating.

The quasi-steady-state method: the corners cap the speed, a backward pass brakes into them, a forward pass accelerates
out of them. A driver uses an ellipse inside the grip circle: ``corner_share`` of it across, ``brake_share`` or
``drive_share`` along. Arrays have the shape (rows, n), n points over one closed lap; the rows (cars, laps) are computed
side by side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conf.arrays import FloatArray
from physics.vehicle import Vehicle

Force = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def remaining_grip_n(
    vehicle: Vehicle,
    speed2: FloatArray,
    curvature_per_m: FloatArray,
    across: FloatArray | float,
    along: FloatArray | float,
) -> FloatArray:
    """Force along the road that cornering leaves of the ellipse.

    Args:
        vehicle: The car.
        speed2: Speed squared, m^2/s^2.
        curvature_per_m: Curvature of the line.
        across: Share of the grip circle used in corners.
        along: Share of it used along the road.
    """
    grip = vehicle.grip_n(speed2)
    used = vehicle.mass_kg * speed2 * curvature_per_m / (across * grip)
    return np.asarray(along * grip * np.sqrt(np.maximum(1.0 - used * used, 0.0)))


def braking_speed_mps(
    vehicle: Vehicle, curvature_per_m: FloatArray, step_m: FloatArray, corner_share: FloatArray, brake_share: FloatArray
) -> FloatArray:
    """Highest speed at each point from which every later corner can still be braked for, lap after lap.

    Args:
        vehicle: The car.
        curvature_per_m: Shape (rows, n).
        step_m: Grid step, shape (rows,).
        corner_share: Shape (rows, n).
        brake_share: Shape (rows,).

    Returns:
        Speed in m/s, shape (rows, n).
    """
    cap = vehicle.cornering_speed_mps(curvature_per_m, corner_share)

    def slow_down(speed2: FloatArray, bend: FloatArray, across: FloatArray) -> FloatArray:
        left = remaining_grip_n(vehicle, speed2, bend, across, brake_share)
        return np.asarray(left + vehicle.drag_kgpm * speed2 + vehicle.rolling_n)

    flip = np.s_[:, ::-1]
    return _integrate_capped(
        cap[flip], curvature_per_m[flip], corner_share[flip], 2.0 * step_m / vehicle.inertia_kg, slow_down
    )[flip]


def limit_lap_speed_mps(vehicle: Vehicle, curvature_per_m: FloatArray, step_m: float) -> FloatArray:
    """Speed of a flying lap at the limit of grip, brakes and engine, shape (n,)."""
    bend, one = curvature_per_m[None], np.ones(1)
    step, share = np.array([step_m]), np.ones((1, len(curvature_per_m)))
    cap = braking_speed_mps(vehicle, bend, step, share, one)

    def speed_up(speed2: FloatArray, curvature: FloatArray, across: FloatArray) -> FloatArray:
        tyre = vehicle.traction_n(remaining_grip_n(vehicle, speed2, curvature, across, one))
        push = np.minimum(vehicle.full_throttle_n(np.sqrt(speed2)), tyre)
        return np.asarray(push - vehicle.drag_kgpm * speed2 - vehicle.rolling_n)

    return np.asarray(_integrate_capped(cap, bend, share, 2.0 * step / vehicle.inertia_kg, speed_up)[0])


def _integrate_capped(
    cap: FloatArray, curvature: FloatArray, share: FloatArray, gain: FloatArray, force_n: Force
) -> FloatArray:
    """Integrate the squared speed over distance under a cap, twice round: the second time the start is known."""
    between = 0.5 * (curvature + np.roll(curvature, 1, axis=1))  # of the step that ends at a point
    cap2, bend, across = (np.ascontiguousarray(table.T) for table in (cap * cap, between, share))
    out = np.empty_like(cap2)
    speed2 = cap2[-1].copy()
    for i in (*range(len(cap2)), *range(len(cap2))):
        speed2 = np.minimum(cap2[i], np.maximum(speed2 + gain * force_n(speed2, bend[i], across[i]), 1.0))
        out[i] = speed2
    return np.sqrt(out.T)
