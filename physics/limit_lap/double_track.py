"""The g-g-v surface of a race car from its parameters: four tyre loads, load transfer, downforce, powertrain.

After Heilmeier et al., "A Quasi-Steady-State Lap Time Simulation for Electrified Race Cars" (EVER 2019): a point mass
whose tyre loads follow from the accelerations; friction falls with load; forces across are shared by the axles, not by
the wheels; the brakes of the front axle are limited by its lighter wheel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from conf.arrays import BoolArray, FloatArray
from conf.race_car import RaceCarSpec, TyreSpec
from conf.units import KMH_PER_MPS
from physics.limit_lap.envelope import FINE_MPS, SPEED_MPS, THETA, EnergyStore, Envelope

_LEAST_LOAD_N = 30.0
_BISECTIONS = 30
_FIXED_POINT_ROUNDS = 12

MOST_FORWARD_MPS2 = 25.0

# A Formula 1 lap under the rules of 2014 to 2025.
START_J, MOST_RECOVERED_J = 4.0e6, 2.0e6


class _Axle(NamedTuple):
    """What both wheels of an axle can do: along (inner, outer), across, and their load."""

    along_inner_n: FloatArray
    along_outer_n: FloatArray
    across_n: FloatArray
    load_n: FloatArray


class _CarForces:
    def __init__(self, spec: RaceCarSpec, grip_factor: float) -> None:
        body = spec.body
        self.spec, self.grip = spec, grip_factor
        self.mass = body.mass_kg
        wheelbase = body.cg_to_front_m + body.cg_to_rear_m
        self.share = (body.cg_to_rear_m / wheelbase, body.cg_to_front_m / wheelbase)
        self.per_long = 0.5 * self.mass * body.cg_height_m / wheelbase
        tracks = (body.track_front_m, body.track_rear_m)
        self.per_lat = [self.mass * s * body.cg_height_m / t for s, t in zip(self.share, tracks, strict=True)]
        areas = (body.downforce_area_front_m2, body.downforce_area_rear_m2)
        self.per_v2 = [0.25 * area * body.air_density_kgpm3 for area in areas]
        self.drag = 0.5 * body.drag_area_m2 * body.air_density_kgpm3

    def axle(self, which: int, v: FloatArray, a_along: FloatArray, a_across: FloatArray) -> _Axle:
        tyre: TyreSpec = (self.spec.tyres.front, self.spec.tyres.rear)[which]
        static = 0.5 * self.mass * self.spec.body.gravity_mps2 * self.share[which]
        centre = static + (1, -1)[which] * -a_along * self.per_long + v * v * self.per_v2[which]
        loads = [np.maximum(centre + side * a_across * self.per_lat[which], _LEAST_LOAD_N) for side in (-1.0, 1.0)]
        along = [self.grip * _friction(tyre.grip_along, tyre.grip_along_per_n, tyre, z) * z for z in loads]
        across = [self.grip * _friction(tyre.grip_across, tyre.grip_across_per_n, tyre, z) * z for z in loads]
        return _Axle(along[0], along[1], across[0] + across[1], loads[0] + loads[1])

    def axles(self, v: FloatArray, a_along: FloatArray, a_across: FloatArray) -> tuple[_Axle, _Axle]:
        return self.axle(0, v, a_along, a_across), self.axle(1, v, a_along, a_across)

    def holds(self, v: FloatArray, a_along: FloatArray, a_across: FloatArray) -> BoolArray:
        """Whether both axles can give their share of a lateral acceleration."""
        axles = self.axles(v, a_along, a_across)
        need = [self.mass * a_across * share for share in self.share]
        return np.asarray((need[0] <= axles[0].across_n) & (need[1] <= axles[1].across_n))

    def left_along(self, axles: tuple[_Axle, _Axle], a_across: FloatArray) -> list[FloatArray]:
        """What cornering leaves of each axle's force along, as a share."""
        p = self.spec.tyres.exponent
        used = [self.mass * a_across * s / axle.across_n for s, axle in zip(self.share, axles, strict=True)]
        return [np.maximum(1.0 - u**p, 0.0) ** (1.0 / p) for u in used]

    def drive_n(self, v: FloatArray, a_along: FloatArray, a_across: FloatArray) -> FloatArray:
        axles = self.axles(v, a_along, a_across)
        left = self.left_along(axles, a_across)
        forces = [(axle.along_inner_n + axle.along_outer_n) * x for axle, x in zip(axles, left, strict=True)]
        driven = {"FWD": forces[:1], "RWD": forces[1:], "AWD": forces}[self.spec.powertrain.driven]
        return np.asarray(sum(driven))

    def brake_n(self, v: FloatArray, a_along: FloatArray, a_across: FloatArray) -> FloatArray:
        front, rear = axles = self.axles(v, a_along, a_across)
        left = self.left_along(axles, a_across)
        return np.asarray(
            2.0 * np.minimum(front.along_inner_n, front.along_outer_n) * left[0]
            + (rear.along_inner_n + rear.along_outer_n) * left[1]
        )

    def resistance_n(self, v: FloatArray, a_across: FloatArray) -> FloatArray:
        return self.drag * v * v + self.rolling_n(v, a_across)

    def rolling_n(self, v: FloatArray, a_across: FloatArray) -> FloatArray:
        axles = self.axles(v, np.zeros_like(v), a_across)
        return np.asarray(self.spec.body.rolling_resistance * (axles[0].load_n + axles[1].load_n))


def build_race_car_envelope(spec: RaceCarSpec, grip_factor: float = 1.0) -> Envelope:
    """Tabulate what a race car can do.

    Args:
        spec: The car.
        grip_factor: Friction of the road against that of the tyre's test.
    """
    car = _CarForces(spec, grip_factor)
    v, still = SPEED_MPS, np.zeros_like(SPEED_MPS)
    lateral = _bisect(lambda a: car.holds(v, still, a), np.full_like(v, 100.0))

    def corners(a: FloatArray) -> BoolArray:
        return np.asarray(car.holds(v, still, a) & (car.drive_n(v, still, a) >= car.resistance_n(v, a)))

    along = _longitudinal_forces(car, v, lateral)
    store = None
    part = spec.powertrain
    if spec.kind == "hybrid":
        store = EnergyStore(
            START_J,
            MOST_RECOVERED_J,
            part.motor_efficiency,
            part.brake_recovery,
            part.exhaust_recovery,
            part.motor_from_mps,
        )
    engine, motor, shaft = _powertrain(spec)
    return Envelope(
        lateral_mps2=lateral,
        corner_mps2=np.maximum(_bisect(corners, lateral), 1e-3),
        drive_mps2=along.drive_n / car.mass,
        drive_share_per_mps2=along.drive_n_per_mps2 / car.mass,
        forward_mps2=along.forward_mps2,
        brake_mps2=along.brake_n / car.mass,
        rolling_mps2=car.rolling_n(v, still) / car.mass,
        drag_per_m=car.drag / car.mass,
        drs_drag_cut=spec.body.drs_drag_cut,
        engine_mps2=engine / car.mass,
        motor_mps2=motor / car.mass,
        shaft_per_wheel=shaft,
        mass_kg=car.mass,
        store=store,
    )


def _friction(at_nominal: float, per_n: float, tyre: TyreSpec, load_n: FloatArray) -> FloatArray:
    return at_nominal + per_n * (load_n - tyre.nominal_load_n)


def _bisect(holds: Callable[[FloatArray], BoolArray], most: FloatArray) -> FloatArray:
    """Greatest value up to ``most`` that still holds, elementwise, for a condition that fails from some value on."""
    low, high = np.zeros_like(most), most.copy()
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        good = holds(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return low


class _LongitudinalForces(NamedTuple):
    """Forces of the tyres along the road, each of shape (n, N_THETA)."""

    drive_n: FloatArray
    drive_n_per_mps2: FloatArray
    forward_mps2: FloatArray
    brake_n: FloatArray


def _longitudinal_forces(car: _CarForces, speeds: FloatArray, lateral: FloatArray) -> _LongitudinalForces:
    """What the tyres give forward, how it grows with the load that accelerating shifts, and what they give backward."""
    v = np.repeat(speeds, len(THETA))
    across = (lateral[:, None] * np.sin(THETA)).ravel()
    resists = car.resistance_n(v, across)
    most = _bisect(lambda a: car.holds(v, a, across), np.full_like(v, MOST_FORWARD_MPS2))
    still = car.drive_n(v, np.zeros_like(v), across)
    forward, backward = np.ones_like(v), np.zeros_like(v)
    shifted, brake = still, np.zeros_like(v)
    for _ in range(_FIXED_POINT_ROUNDS):
        shifted = car.drive_n(v, forward, across)
        forward = np.maximum(0.5 * (forward + (shifted - resists) / car.mass), 0.1)
        brake = car.brake_n(v, backward, across)
        backward = 0.5 * (backward - (brake + resists) / car.mass)
    shifted = car.drive_n(v, forward, across)
    parts = (still, (shifted - still) / forward, most, brake)
    return _LongitudinalForces(*(part.reshape(len(speeds), len(THETA)) for part in parts))


def _powertrain(spec: RaceCarSpec) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Force at the wheels of engine (an electric car's motor) and hybrid motor; shaft power per wheel power."""
    gears, part = spec.gearbox, spec.powertrain
    tyres = {"FWD": [spec.tyres.front], "RWD": [spec.tyres.rear]}.get(part.driven, [spec.tyres.front, spec.tyres.rear])
    # A tyre grows with speed; its circumference is stated for 60 km/h.
    around = np.mean([t.circumference_m for t in tyres]) * (1.0 + (FINE_MPS * KMH_PER_MPS - 60.0) * 0.045 / 200.0)
    ratio, shift = np.array(gears.wheel_per_engine), np.array(gears.shift_rpm)
    rpm_all = 60.0 * FINE_MPS[:, None] / (around[:, None] * ratio)
    below = rpm_all < shift
    gear = np.where(below.any(axis=1), below.argmax(axis=1), len(ratio) - 1)
    rpm = rpm_all[np.arange(len(FINE_MPS)), gear]
    shaft = np.array(gears.mass_factor)[gear] / gears.efficiency
    newton_per_nm = 2.0 * np.pi / (ratio[gear] * around * shaft)
    motor = np.zeros_like(rpm)
    if part.motor_power_w is not None and part.motor_torque_nm is not None:
        motor = np.minimum(part.motor_power_w / (rpm * 2.0 * np.pi / 60.0), part.motor_torque_nm) * newton_per_nm
    if spec.kind == "electric":
        return motor, np.zeros_like(motor), shaft
    engine = engine_power_w(spec, rpm) / (rpm * 2.0 * np.pi / 60.0) * newton_per_nm
    return engine, motor if spec.kind == "hybrid" else np.zeros_like(motor), shaft


def engine_power_w(spec: RaceCarSpec, rpm: FloatArray) -> FloatArray:
    """Power of the combustion engine: a cubic through its peak and the equal drops on both sides of it."""
    part = spec.powertrain
    assert part.power_w and part.power_drop_w and part.rpm_begin and part.rpm_peak and part.rpm_end  # noqa: S101, PT018
    begin, peak, end = (x / 60.0 for x in (part.rpm_begin, part.rpm_peak, part.rpm_end))
    low = part.power_w - part.power_drop_w
    rows = [[begin**3, begin**2, begin, 1], [3 * peak**2, 2 * peak, 1, 0], [peak**3, peak**2, peak, 1]]
    cubic = np.linalg.solve([*rows, [end**3, end**2, end, 1]], [low, 0.0, part.power_w, low])
    return np.maximum(np.polyval(cubic, np.clip(rpm / 60.0, 0.75 * begin, 1.2 * end)), 0.0)
