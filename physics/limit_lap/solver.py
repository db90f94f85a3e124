"""The forward-backward solver: accelerate until the next bend limits the speed, then brake back from it.

Compiled, since every step depends on the one before. The arrays are those of an
:class:`~physics.limit_lap.envelope.Envelope` and of one lap of a line.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from conf.arrays import FloatArray
from physics.limit_lap.envelope import FINE_MPS, SPEED_MPS

ROUNDS = 3  # the second is the lap; the first brings it up to speed, the third has it brake for what comes after
_ROUNDS_BACK = 20
_FIRST_MPS = float(SPEED_MPS[0])
_STEP_MPS, _FINE_STEP_MPS = float(SPEED_MPS[1] - SPEED_MPS[0]), float(FINE_MPS[1] - FINE_MPS[0])
_CLOSE_MPS = 1e-4


class EnvelopeTables(NamedTuple):
    """The tables of an envelope as the solver reads them."""

    lateral: FloatArray
    drive: FloatArray
    drive_share: FloatArray
    forward: FloatArray
    brake: FloatArray
    rolling: FloatArray
    drag: float
    engine: FloatArray
    motor: FloatArray
    shaft: FloatArray


class BatteryLimits(NamedTuple):
    """A battery, per mass of the car; ``start`` below zero stands for none."""

    start: float
    most_recovered: float
    motor_efficiency: float
    brake_recovery: float
    exhaust_recovery: float
    motor_from_mps: float


@numba.njit(cache=True)
def _interpolate_even(table: FloatArray, first: float, step: float, x: float) -> float:
    """Linear interpolation on an even grid, held at its ends."""
    place = min(max((x - first) / step, 0.0), len(table) - 1.000001)
    i = int(place)
    return float(table[i] + (place - i) * (table[i + 1] - table[i]))


@numba.njit(cache=True)
def _read_surface(surface: FloatArray, t: EnvelopeTables, v: float, curvature: float) -> float:
    """Read a surface at a speed and the share of the lateral limit that a bend takes there."""
    n_v, n_theta = surface.shape
    place = min(max((v - _FIRST_MPS) / _STEP_MPS, 0.0), n_v - 1.000001)
    i = int(place)
    f = place - i
    limit = t.lateral[i] + f * (t.lateral[i + 1] - t.lateral[i])
    theta = np.arcsin(min(v * v * curvature / limit, 1.0)) / (0.5 * np.pi) * (n_theta - 1)
    j = min(int(theta), n_theta - 2)
    g = theta - j
    low = surface[i, j] + g * (surface[i, j + 1] - surface[i, j])
    high = surface[i + 1, j] + g * (surface[i + 1, j + 1] - surface[i + 1, j])
    return float(low + f * (high - low))


@numba.njit(cache=True)
def _speed_before(t: EnvelopeTables, v: float, curvature: float, step_m: float) -> float:
    """Speed one step earlier from which braking at the limit ends in ``v``."""
    before = v
    for _ in range(_ROUNDS_BACK):
        loses = _read_surface(t.brake, t, before, curvature) + _interpolate_even(
            t.rolling, _FIRST_MPS, _STEP_MPS, before
        )
        new = np.sqrt(v * v + 2.0 * step_m * (loses + t.drag * before * before))
        if abs(new - before) < _CLOSE_MPS:
            return float(new)
        before = 0.5 * (before + new)
    return before


@numba.njit(cache=True)
def _update_battery(
    t: EnvelopeTables, b: BatteryLimits, energy: float, returned: float, v: float, push: float, dt: float
) -> tuple[float, float]:
    """Energy in the battery, and what braking has returned, after a step with a force ``push`` (negative: braking)."""
    if push <= 0.0:
        back = -push * b.brake_recovery * v * dt if returned < b.most_recovered else 0.0
        return energy + back, returned + back
    engine = min(push, _interpolate_even(t.engine, _FIRST_MPS, _FINE_STEP_MPS, v))
    motor = min(push - engine, _interpolate_even(t.motor, _FIRST_MPS, _FINE_STEP_MPS, v))
    if energy <= 0.0 or v < b.motor_from_mps:
        motor = 0.0
    work = v * _interpolate_even(t.shaft, _FIRST_MPS, _FINE_STEP_MPS, v) * dt
    return max(energy + (engine * b.exhaust_recovery - motor / b.motor_efficiency) * work, 0.0), returned


@numba.njit(cache=True)
def _net_force(t: EnvelopeTables, v: float, after: float, step_m: float, drs_cut: float) -> float:
    """Force over mass that takes the speed from ``v`` to ``after`` in a step."""
    resists = t.drag * (1.0 - drs_cut) * v * v + _interpolate_even(t.rolling, _FIRST_MPS, _STEP_MPS, v)
    return float((after * after - v * v) / (2.0 * step_m) + resists)


@numba.njit(cache=True)
def solve_speed(
    t: EnvelopeTables,
    b: BatteryLimits,
    curvature: FloatArray,
    step_m: float,
    drs_cut: FloatArray,
    most_mps: FloatArray,
    start_mps: float,
) -> FloatArray:
    """Solve the speed over ``ROUNDS`` laps.

    Args:
        t: What the car can do.
        b: Its battery.
        curvature: Absolute curvature, shape (n,).
        step_m: Grid step.
        drs_cut: Share of the drag that DRS takes away at each point, shape (n,).
        most_mps: Most speed at each point, shape (n,).
        start_mps: Speed at the first point.

    Returns:
        Speed at each point of all rounds and one more, shape (ROUNDS * n + 1,).
    """
    n = len(curvature)
    v = np.empty(ROUNDS * n + 1)
    energy, returned = np.empty(ROUNDS * n + 1), np.empty(ROUNDS * n + 1)
    v[0] = min(start_mps, most_mps[0])
    energy[0], returned[0] = b.start, 0.0
    gain = 0.0
    for i in range(ROUNDS * n):
        k, speed = i % n, v[i]
        push = _interpolate_even(t.engine, _FIRST_MPS, _FINE_STEP_MPS, speed)
        if energy[i] > 0.0 and speed >= b.motor_from_mps:
            push += _interpolate_even(t.motor, _FIRST_MPS, _FINE_STEP_MPS, speed)
        # The load shifts with the acceleration of the step before; after braking, with what the bend leaves.
        forward = _read_surface(t.forward, t, speed, curvature[k])
        gain = min(gain, forward) if gain > 0.0 else forward
        push = min(
            push,
            _read_surface(t.drive, t, speed, curvature[k])
            + gain * _read_surface(t.drive_share, t, speed, curvature[k]),
        )
        gain = push - _net_force(t, speed, speed, step_m, drs_cut[k])
        v[i + 1] = np.sqrt(max(speed * speed + 2.0 * step_m * gain, 1.0))
        j = i  # from here on speeds are new
        if v[i + 1] > most_mps[(i + 1) % n]:
            v[i + 1] = most_mps[(i + 1) % n]
            gain = 0.0
            j = i + 1
            while j > 0:
                before = _speed_before(t, v[j], curvature[(j - 1) % n], step_m)
                if before >= v[j - 1]:
                    break
                v[j - 1] = before
                j -= 1
            j = max(j - 1, 0)
        for q in range(j, i + 1):
            cut = drs_cut[q % n] if q == j else 0.0
            used = _net_force(t, v[q], v[q + 1], step_m, cut)
            dt = 2.0 * step_m / (v[q] + v[q + 1])
            energy[q + 1], returned[q + 1] = _update_battery(t, b, energy[q], returned[q], v[q], used, dt)
            if (q + 1) % n == 0:
                energy[q + 1], returned[q + 1] = b.start, 0.0
    return v
