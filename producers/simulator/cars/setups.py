"""How the cars of a grid differ: set-ups, which change how a car drives and wears, and parts, which only wear."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from conf.arrays import FloatArray
from conf.vehicle import VehicleSpec
from conf.wear import COMPONENTS, Component, WearRules
from producers.simulator.rng import generator


@dataclass(frozen=True, eq=False)
class CarSetups:
    """Set-up of every car, arrays of shape (cars,).

    Attributes:
        brake_balance: Share of the brake force on the front axle.
        final_drive: Ratio of the final drive, as a multiple of the vehicle's.
        front_roll_share: Share of the load moved sideways in corners that the front axle takes.
        ride_stiffness: Wheel load per height of a kerb, as a multiple of the usual.
        cooling: The radiator's cooling, as a multiple of the vehicle's.
    """

    brake_balance: FloatArray
    final_drive: FloatArray
    front_roll_share: FloatArray
    ride_stiffness: FloatArray
    cooling: FloatArray

    def of(self, car: int) -> dict[str, float]:
        """One car's set-up by name."""
        return {f.name: float(getattr(self, f.name)[car]) for f in fields(self)}


def draw_setups(spec: VehicleSpec, rules: WearRules, cars: int, *, seed: int, varied: bool) -> CarSetups:
    """Set-ups of a grid.

    Args:
        spec: The vehicle, whose figures the set-ups vary around.
        rules: How far they do.
        cars: Size of the grid.
        seed: The session's seed.
        varied: Whether they differ at all.
    """
    middle = {
        "brake_balance": spec.brake_balance,
        "final_drive": 1.0,
        "front_roll_share": rules.suspension.front_roll_share,
        "ride_stiffness": 1.0,
        "cooling": 1.0,
    }
    spread = rules.setups.model_dump()
    draws = np.zeros((cars, len(middle)))
    if varied:
        draws = np.stack([generator(seed, car, "setup").uniform(-1.0, 1.0, len(middle)) for car in range(cars)])
    return CarSetups(**{name: value + spread[name] * draws[:, i] for i, (name, value) in enumerate(middle.items())})


def draw_parts(rules: WearRules, car: int, *, seed: int) -> dict[Component, float]:
    """How much faster than usual each of a car's components wears, by chance of its making."""
    normal = generator(seed, car, "parts").normal(size=len(COMPONENTS))
    return {name: float(np.exp(rules.scatter[name] * z)) for name, z in zip(COMPONENTS, normal, strict=True)}
