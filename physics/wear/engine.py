"""Engine: fatigue of the crank train, hastened by heat.

Every other revolution loads it once. The mass of the pistons pulls with the square of the engine speed, the gas pushes
with the torque. Crank and rods swing between the two, so their stress has a part of each; the rods' bolts and the valve
train feel the pull alone, whatever the throttle does, which is what an over-rev breaks. Miner's rule adds up the cycles
(:mod:`physics.wear.miner`) and heat multiplies them (:mod:`physics.wear.heat`).
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.vehicle import EngineSpec
from conf.wear import EngineWear
from physics.wear.heat import thermal_acceleration
from physics.wear.history import LoadHistory
from physics.wear.miner import cycle_damage

_REVOLUTIONS_PER_CYCLE = 2.0


def engine_damage(history: LoadHistory, wear: EngineWear, engine: EngineSpec) -> FloatArray:
    """Damage at each step, shape (n,).

    Args:
        history: What the engine went through.
        wear: The law's constants.
        engine: For the limiter and the greatest torque, the reference.
    """
    speed = (history.rpm / engine.limiter_rpm) ** 2
    gas = np.maximum(history.engine_torque_nm, 0.0) / max(engine.curve_nm)
    stress = wear.inertia_share * speed + (1.0 - wear.inertia_share) * gas
    cycle = cycle_damage(wear.crank, 1.0, stress)
    cycle += cycle_damage(wear.bolts, 1.0, speed)
    cycles = history.rpm / 60.0 / _REVOLUTIONS_PER_CYCLE * history.dt_s
    heat = thermal_acceleration(history.engine_c, wear.reference_c, wear.doubling_k)
    return np.asarray(cycles * cycle * heat)
