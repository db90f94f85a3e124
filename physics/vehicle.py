"""A car's forces: engine, gearbox, drag, tyres. SI units throughout, arrays of any shape."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from conf.arrays import FloatArray, IndexArray
from conf.units import GRAVITY_MPS2
from conf.vehicle import VehicleSpec

AIR_DENSITY_KGPM3 = 1.2
FUEL_J_PER_KG = 43.0e6
_RPM_STEP = 10.0


class Vehicle:
    """Forces of one type of car, tabulated once from its :class:`~conf.vehicle.VehicleSpec`.

    Args:
        spec: The car.
        fuel_kg: Fuel on board, part of the mass.
    """

    def __init__(self, spec: VehicleSpec, fuel_kg: float = 20.0) -> None:
        self.spec = spec
        self.mass_kg = spec.mass_kg + fuel_kg
        self.inertia_kg = self.mass_kg * (1.0 + spec.rotating_mass_share)
        area = 0.5 * AIR_DENSITY_KGPM3 * spec.frontal_area_m2
        self.drag_kgpm = area * spec.drag_coefficient
        self.downforce_kgpm = -area * spec.lift_coefficient
        self.rolling_n = spec.rolling_resistance * self.mass_kg * GRAVITY_MPS2

    @cached_property
    def rpm_per_mps(self) -> FloatArray:
        """Engine speed per road speed, one value a gear."""
        ratios = np.asarray(self.spec.gear_ratios) * self.spec.final_drive
        return ratios / self.spec.wheel_radius_m * 60.0 / (2.0 * math.pi)

    @cached_property
    def newton_per_nm(self) -> FloatArray:
        """Force at the tyres per engine torque without losses, one value a gear."""
        return np.asarray(self.spec.gear_ratios) * self.spec.final_drive / self.spec.wheel_radius_m

    @cached_property
    def _torque_table(self) -> tuple[FloatArray, FloatArray]:
        engine = self.spec.engine
        rpm = np.arange(0.0, engine.curve_rpm[-1] + 20 * _RPM_STEP, _RPM_STEP)
        full = np.interp(rpm, engine.curve_rpm, engine.curve_nm)
        return full, engine.drag_nm + engine.drag_nm_per_krpm * rpm / 1000.0

    def engine_torque_nm(self, rpm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Full-throttle torque and drag torque (positive) at an engine speed."""
        full, drag = self._torque_table
        index = np.minimum((rpm / _RPM_STEP + 0.5).astype(np.intp), len(full) - 1)
        return full[index], drag[index]

    def wheel_force_n(self, torque_nm: FloatArray, gear: IndexArray) -> FloatArray:
        """Force at the tyres of an engine torque; the driveline takes its share whichever way the power flows.

        Args:
            torque_nm: Engine torque, negative when the engine brakes.
            gear: Index of the gear, 0 is first.
        """
        efficiency = self.spec.driveline_efficiency
        return torque_nm * self.newton_per_nm[gear] * np.where(torque_nm > 0, efficiency, 1.0 / efficiency)

    def resistance_n(self, speed_mps: FloatArray) -> FloatArray:
        """Air drag plus rolling resistance."""
        return self.drag_kgpm * speed_mps * speed_mps + self.rolling_n

    def grip_n(self, speed2: FloatArray) -> FloatArray:
        """Radius of the grip circle at a squared speed: the most force all tyres together can give."""
        return self.spec.grip_coefficient * (self.mass_kg * GRAVITY_MPS2 + self.downforce_kgpm * speed2)

    def cornering_speed_mps(self, curvature_per_m: FloatArray, share: FloatArray | float = 1.0) -> FloatArray:
        """Speed at which cornering alone takes ``share`` of the grip; at most 120 m/s.

        From ``m v^2 |k| = share mu (m g + c v^2)``, solved for ``v``.
        """
        use = np.asarray(share) * self.spec.grip_coefficient
        room = self.mass_kg * np.abs(curvature_per_m) - use * self.downforce_kgpm
        weight = use * self.mass_kg * GRAVITY_MPS2
        return np.sqrt(weight / np.maximum(room, weight / 120.0**2))

    def traction_n(self, grip_left_n: FloatArray) -> FloatArray:
        """Drive force the driven axle can put down out of what cornering leaves of the grip circle.

        The axle carries its static share plus the load that the acceleration itself shifts onto it:
        ``F = mu (w W + F h / l)`` solved for ``F``.
        """
        spec = self.spec
        shift = spec.grip_coefficient * spec.cg_height_m / spec.wheelbase_m
        return grip_left_n * min(1.0, spec.driven_weight_share / (1.0 - shift))

    def full_throttle_n(self, speed_mps: FloatArray) -> FloatArray:
        """Drive force at full throttle in the best gear."""
        rpm = speed_mps[..., None] * self.rpm_per_mps
        torque, _ = self.engine_torque_nm(np.clip(rpm, self.spec.engine.idle_rpm, None))
        force = torque * self.newton_per_nm * self.spec.driveline_efficiency
        force = np.where(rpm <= self.spec.engine.limiter_rpm, force, 0.0)
        return np.asarray(force.max(axis=-1))
