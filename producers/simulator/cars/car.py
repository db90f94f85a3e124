"""The cars' physics: what engine, gearbox, brakes and tyres make of the controls, step by step.

The work between two instants is exact by construction: the force is held over the step and acts at the mean of the
speeds at its ends, so engine work minus losses equals the change of kinetic energy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray
from physics.vehicle import Vehicle
from producers.simulator.cars.car_faults import CarFaultSchedule
from producers.simulator.cars.controls import Controls

START_MPS = 22.0
LEAST_MPS = 2.0
"""Nobody stops on the track where no flag or pit stop asks for it."""

_BRAKE_MOST = 0.985  # share of the grip left that brakes may take: no wheel locks
_SCRUB_GAIN, _SCRUB_MOST = 3.0, 0.2  # drag of tyres asked for more than their grip, as a share of it


class CarResponse(NamedTuple):
    """How the cars answer lever and wheel at one instant, before any pedal; arrays of shape (cars,).

    Attributes:
        rpm: Engine speed.
        clutch_left: How much of a shift is left, 1 to 0.
        flare_rpm: Engine speed that is not the gearbox's.
        full_nm: Torque at full throttle.
        drag_nm: Torque without, positive.
        newton_per_nm: Force at the tyres per engine torque, without losses.
        least_n: Force at the tyres without throttle, negative.
        span_n: From there to full throttle.
        resistance_n: Drag of air, tyres and brakes that are stuck.
        grip_n: Radius of the grip circle.
        asked_n: Cornering force that the line asks for, signed.
        grip_left_n: Force along the road that cornering leaves.
        stuck_n: Force of brakes that drag, at the tyres.
        kerb_m: Height of the kerb under the left wheels.
    """

    rpm: FloatArray
    clutch_left: FloatArray
    flare_rpm: FloatArray | float
    full_nm: FloatArray
    drag_nm: FloatArray
    newton_per_nm: FloatArray
    least_n: FloatArray
    span_n: FloatArray
    resistance_n: FloatArray
    grip_n: FloatArray
    asked_n: FloatArray
    grip_left_n: FloatArray
    stuck_n: FloatArray | float
    kerb_m: FloatArray | float


class CarMotion(NamedTuple):
    """What the cars did in one step, arrays of shape (cars,); forces and torque are held until the next one.

    Attributes:
        gear: Index of the gear, 0 is first.
        load: Engine load, 0 to 1.
        clutch_open: True while a shift cuts the drive.
        scrub_n: Drag of tyres that were asked for more than their grip.
        lateral_mps2: Acceleration across the road; a car too fast for its line runs wide at what the grip gives.
        stuck_n: Force of brakes that drag, at the tyres.
        kerb_m: Height of the kerb under the left wheels.
        flare_rpm: Engine speed that is not the gearbox's.
    """

    distance_m: FloatArray
    speed_mps: FloatArray
    accel_mps2: FloatArray
    gear: IntArray
    rpm: FloatArray
    load: FloatArray
    torque_nm: FloatArray
    brake_n: FloatArray
    clutch_open: BoolArray
    scrub_n: FloatArray
    lateral_mps2: FloatArray
    stuck_n: FloatArray | float
    kerb_m: FloatArray | float
    flare_rpm: FloatArray | float


class Car:
    """All cars of a grid side by side, each at one place with one speed; moved by :meth:`step` alone.

    Args:
        vehicle: The type of car.
        cars: Size of the grid.
        dt_s: Time step.
        final_drive: Final drive of each car as a multiple of the vehicle's, shape (cars,).
        faults: What goes wrong; ``None`` where nothing does.
        least_mps: No car is slower.

    Attributes:
        distance_m: Distance driven.
        speed_mps: Speed.
        gear: Gear engaged, 0 is first.
        load: Engine load of the last step, 0 to 1.
        brake_n: Brake force of the last step.
        since_shift_s: Time since the last shift.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        cars: int,
        dt_s: float,
        *,
        final_drive: FloatArray | float = 1.0,
        faults: CarFaultSchedule | None = None,
        least_mps: float = LEAST_MPS,
    ) -> None:
        self.vehicle, self.dt_s, self.final_drive = vehicle, dt_s, final_drive
        self._faults, self._least_mps = faults, least_mps
        self.distance_m = np.zeros(cars)
        self.speed_mps = np.full(cars, START_MPS)
        self.load, self.brake_n = np.full(cars, 0.3), np.zeros(cars)
        self.since_shift_s = np.full(cars, 9.0)
        fits = vehicle.rpm_per_mps * START_MPS < vehicle.spec.engine.limiter_rpm * 0.7
        self.gear = np.full(cars, int(np.argmax(fits)))
        self._gear_before = self.gear.copy()
        self._response: CarResponse | None = None

    def __len__(self) -> int:
        return len(self.speed_mps)

    def respond(self, gear: IntArray, shift_s: FloatArray, curvature_per_m: FloatArray) -> CarResponse:
        """Move lever and wheel, and feel how the car answers; the first call of an instant is the one that counts.

        Args:
            gear: Gear wanted.
            shift_s: How long the clutch is open in a shift.
            curvature_per_m: Curvature of the line wanted.
        """
        if self._response is not None:
            return self._response
        car, v = self.vehicle, self.speed_mps
        speed2 = v * v
        resistance = car.drag_kgpm * speed2 + car.rolling_n
        stuck_n: FloatArray | float = 0.0
        kerb_m: FloatArray | float = 0.0
        if self._faults is not None:
            stuck_n, kerb_m = self._faults.strike(self.distance_m)
            resistance = resistance + stuck_n
        rpm, clutch_left, flare_rpm = self._shift(gear, shift_s)
        full, drag = car.engine_torque_nm(rpm)
        lever = car.newton_per_nm[self.gear] * self.final_drive
        efficiency = car.spec.driveline_efficiency
        least = -drag * lever / efficiency
        span = full * lever * efficiency - least
        grip, asked = car.grip_n(speed2), car.mass_kg * speed2 * curvature_per_m
        used = asked / grip
        left = grip * np.sqrt(np.maximum(1.0 - used * used, 0.0))
        self._response = CarResponse(
            rpm, clutch_left, flare_rpm, full, drag, lever, least, span, resistance, grip, asked, left, stuck_n, kerb_m
        )
        return self._response

    def step(self, controls: Controls) -> CarMotion:
        """Move on by one time step.

        Args:
            controls: What the drivers do, held over the step.

        Returns:
            Where the cars were at its beginning, how fast, and what happened in it.
        """
        car, now, v, s = self.vehicle, self.respond(*controls[:3]), self.speed_mps, self.distance_m
        load, efficiency = controls.throttle, car.spec.driveline_efficiency
        torque = load * (now.full_nm + now.drag_nm) - now.drag_nm
        force = torque * now.newton_per_nm
        drive = np.where(torque > 0, force * efficiency, force / efficiency)
        clutch_open = now.clutch_left > 0.0
        drive[clutch_open] = 0.0
        most = _BRAKE_MOST * now.grip_left_n + np.minimum(drive, 0.0)
        brake = np.maximum(np.minimum(controls.brake_n, most), 0.0)
        scrub, across = _slide(now, drive - brake)
        accel = (drive - brake - scrub - now.resistance_n) / car.inertia_kg
        after = np.maximum(v + accel * self.dt_s, self._least_mps)
        moved = CarMotion(
            s,
            v,
            (after - v) / self.dt_s,
            self.gear,
            now.rpm,
            load,
            torque,
            brake,
            clutch_open,
            scrub,
            across / car.mass_kg,
            now.stuck_n,
            now.kerb_m,
            now.flare_rpm,
        )
        self.load, self.brake_n, self._response = load, brake, None
        self.speed_mps, self.distance_m = after, s + 0.5 * (v + after) * self.dt_s
        self.since_shift_s = self.since_shift_s + self.dt_s
        return moved

    def _shift(self, wanted: IntArray, shift_s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray | float]:
        """Take a gear; return engine speed, how much of a shift is left (1 to 0), and the flare."""
        engine, faults, gear, v = self.vehicle.spec.engine, self._faults, self.gear, self.speed_mps
        per_mps, final = self.vehicle.rpm_per_mps, self.final_drive
        taken = wanted if faults is None else faults.gear_taken(self.distance_m, gear, wanted)
        moved = taken != gear
        if moved.any():
            self._gear_before = np.where(moved, gear, self._gear_before)
            self.gear = taken
            self.since_shift_s = np.where(moved, 0.0, self.since_shift_s)
        takes_s = shift_s if faults is None else faults.shift_s(shift_s)
        left = np.maximum(1.0 - self.since_shift_s / takes_s, 0.0)
        ratio = per_mps[self.gear] * final
        rpm = np.maximum(v * (ratio + (per_mps[self._gear_before] * final - ratio) * left), engine.idle_rpm)
        if faults is None:
            return np.minimum(rpm, engine.limiter_rpm), left, 0.0
        rpm, flare = faults.rev(rpm, left, engine.limiter_rpm)
        return rpm, left, flare


def _slide(now: CarResponse, along_n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Drag and cornering force of the tyres: the line's, or what the grip circle has left for a car too fast."""
    grip, asked = now.grip_n, now.asked_n
    scrub = grip * np.minimum(np.maximum(_SCRUB_GAIN * (np.abs(asked) / grip - 1.0), 0.0), _SCRUB_MOST)
    left = np.sqrt(np.maximum(grip * grip - (along_n - scrub) ** 2, 0.0))
    return scrub, np.minimum(np.maximum(asked, -left), left)
