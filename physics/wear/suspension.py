"""Suspension: fatigue by the rainflow cycles of each wheel's load, Miner's rule (:mod:`physics.wear.miner`)."""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.units import GRAVITY_MPS2
from conf.vehicle import VehicleSpec
from conf.wear import SuspensionWear
from physics.wear.history import LoadHistory
from physics.wear.miner import MinerDamage

WHEELS = 4


def static_load_n(spec: VehicleSpec, mass_kg: float) -> FloatArray:
    """Load of each wheel at rest, front left, front right, rear left, rear right, shape (4,)."""
    rear = spec.driven_weight_share
    return np.array([1.0 - rear, 1.0 - rear, rear, rear]) * mass_kg * GRAVITY_MPS2 / 2.0


def wheel_loads_n(
    spec: VehicleSpec,
    mass_kg: float,
    accel_mps2: FloatArray,
    lateral_mps2: FloatArray,
    *,
    track_m: float,
    front_roll_share: float,
) -> FloatArray:
    """Load of each wheel of a rigid car on a level road: at rest, and what acceleration moves.

    Moments about the axles and about the middle of the track; every textbook of vehicle dynamics has them, e.g.
    W. F. Milliken, D. L. Milliken, "Race Car Vehicle Dynamics" (1995), chapter 18.

    Args:
        spec: The car.
        mass_kg: With fuel and driver.
        accel_mps2: Along the road, shape (n,).
        lateral_mps2: Across it, positive to the left, same shape.
        track_m: Width between the wheels' middles.
        front_roll_share: Share of the load moved sideways that the front axle takes.

    Returns:
        Shape (n, 4), never below zero: a wheel that lifts carries nothing.
    """
    moment = mass_kg * spec.cg_height_m
    back = moment * accel_mps2 / spec.wheelbase_m / 2.0
    out = moment * lateral_mps2 / track_m
    front, rear = out * front_roll_share, out * (1.0 - front_roll_share)
    moved = np.stack([-back - front, -back + front, back - rear, back + rear], axis=-1)
    return np.maximum(static_load_n(spec, mass_kg) + moved, 0.0)


class SuspensionDamage:
    """Damage of one car's suspension, piece by piece: the mean of its four corners.

    Args:
        wear: The law's constants.
        static_n: Load of each wheel at rest, the reference, shape (4,).
    """

    def __init__(self, wear: SuspensionWear, static_n: FloatArray) -> None:
        self._corners = [MinerDamage(wear.curve, float(load)) for load in static_n]

    def add(self, history: LoadHistory) -> float:
        """Damage that a piece of history adds."""
        loads = history.wheel_load_n.T
        return sum(corner.add(load) for corner, load in zip(self._corners, loads, strict=True)) / WHEELS
