"""Gearbox: fatigue of teeth and shafts by Miner's rule (:mod:`physics.wear.miner`).

A tooth is loaded once a revolution, from zero to the force at its gear, however steady the torque; the calculation of
service life under variable load in ISO 6336-6 adds those pulses up. A shaft feels only that the torque changes, which
rainflow counting turns into cycles: every shift takes the torque away and brings it back, and engaging a gear stops or
spins up what turns with the input shaft, at a torque of its inertia times the change of its speed.
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.vehicle import VehicleSpec
from conf.wear import GearboxWear
from physics.wear.history import LoadHistory
from physics.wear.miner import MinerDamage, cycle_damage


def sync_torque_nm(input_rpm: FloatArray, dt_s: float, inertia_kgm2: float) -> FloatArray:
    """Torque into the gearbox that changes the speed of its input shaft, shape of ``input_rpm``.

    Args:
        input_rpm: Speed of the input shaft, time along the first axis.
        dt_s: Time step.
        inertia_kgm2: What turns with the shaft.
    """
    change = np.diff(input_rpm, axis=0, append=input_rpm[-1:])
    return np.asarray(inertia_kgm2 * change * (np.pi / 30.0) / dt_s)


class GearboxDamage:
    """Damage of one gearbox, piece by piece.

    Args:
        wear: The law's constants.
        spec: The car; its greatest torque in first gear is the reference.
    """

    def __init__(self, wear: GearboxWear, spec: VehicleSpec) -> None:
        torque, first = max(spec.engine.curve_nm), spec.gear_ratios[0]
        # On shafts a fixed distance apart the torque acts on the teeth at a radius of distance / (1 + ratio).
        self._tooth, self._tooth_nm = wear.tooth, torque * (1.0 + first)
        self._shaft = MinerDamage(wear.shaft, torque * first)

    def add(self, history: LoadHistory) -> float:
        """Damage that a piece of history adds."""
        torque, ratio = history.input_torque_nm, history.gear_ratio
        pulses = history.input_rpm / 60.0 * history.dt_s
        teeth = float((pulses * cycle_damage(self._tooth, self._tooth_nm, torque * (1.0 + ratio))).sum())
        return teeth + self._shaft.add(torque * ratio)
