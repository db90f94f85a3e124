"""The drivers: from where each car is, the speed plan and the flags to what each driver does with the controls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.signal import lfilter

from conf.arrays import BoolArray, FloatArray, IntArray
from conf.units import GRAVITY_MPS2
from producers.simulator.cars.car import Car, CarResponse
from producers.simulator.cars.controls import Controls
from producers.simulator.cars.driver_styles import DriverStyle
from producers.simulator.cars.speed_limits import SpeedLimits
from producers.simulator.cars.speed_plan import SpeedPlan

_STAND_MPS2 = -4.0  # the foot stays on the brake of a car that must stand
_HOLD_S = 0.35  # a driver does not shift again at once
_BRAKE_RELEASE = 2.0  # brakes come off faster than they go on
_DITHER_MPS2, _DITHER_S = 0.25, 0.5  # nobody holds a foot still
_LIFT_MARGIN = 1.02  # over the speed wanted ahead before the throttle is let go
_BLOCK = 512  # steps for which the feet's unsteadiness is drawn at once


class Driver:
    """The drivers of a grid side by side.

    Args:
        car: What they drive.
        plan: What they aim at.
        style: Fields of shape (cars, laps).
        rng: Source of the unsteadiness of the feet.
        limits: What flags and the pit lane allow; ``None`` where there is nothing to heed.
    """

    def __init__(
        self, car: Car, plan: SpeedPlan, style: DriverStyle, rng: np.random.Generator, limits: SpeedLimits | None = None
    ) -> None:
        self._car, self._plan, self._style, self._rng, self._limits = car, plan, style, rng, limits
        cars, self._total = plan.target_mps.shape
        self._laps = self._total // plan.points
        self._target, self._slope = plan.target_mps.ravel(), np.clip(plan.slope_mps2, -20.0, 6.0).ravel()
        self._lifted = None if plan.lifted is None else plan.lifted.ravel()
        self._bend = plan.curvature_per_m.ravel()
        self._row, self._bend_row = np.arange(cars) * self._total, np.arange(cars) * plan.points
        self._per_m = 1.0 / plan.step_m
        self._dither_state = np.zeros((1, cars))
        self._dither: Iterator[FloatArray] = iter(())
        self._lap = np.full(cars, -1)
        self._take_lap(np.zeros(cars, np.intp))

    def control(self) -> Controls:
        """Look ahead, shift and steer, then work the pedals as the car answers: what is done at this instant."""
        car, now = self._car, self._now
        v, s = car.speed_mps, car.distance_m
        lap = (s * self._per_m).astype(np.intp) // self._plan.points % self._laps
        if (lap != self._lap).any():
            self._take_lap(lap)
            now = self._now
        wanted, lift = self._aim(s, v, self._next_dither())
        gear, bend = self._choose_gear(v), self._bend_at(s)
        shift_s = np.asarray(now.shift_s)
        response = car.respond(gear, shift_s, bend)
        force = np.minimum(np.maximum(wanted, -15.0), 8.0) * car.vehicle.inertia_kg + response.resistance_n
        load = self._work_throttle(force, lift, response)
        return Controls(gear, shift_s, bend, load, self._work_brake(force, load, response))

    def _next_dither(self) -> FloatArray:
        """Unsteadiness of the feet: noise of a correlation time, the same for all drivers."""
        dither = next(self._dither, None)
        if dither is None:
            keep = np.exp(-self._car.dt_s / _DITHER_S)
            shape = (_BLOCK, len(self._row))
            shocks = self._rng.normal(0.0, _DITHER_MPS2 * np.sqrt(1 - keep * keep), shape)
            block, self._dither_state = lfilter([1.0], [1.0, -keep], shocks, axis=0, zi=self._dither_state)
            self._dither = iter(block)
            dither = next(self._dither)
        return dither

    def _take_lap(self, lap: IntArray) -> None:
        """Take on each driver's style of a lap."""
        self._lap = lap
        cars, vehicle = np.arange(len(lap)), self._car.vehicle
        own = {name: np.asarray(getattr(self._style, name))[cars, lap] for name in DriverStyle.__dataclass_fields__}
        limiter = vehicle.spec.engine.limiter_rpm
        self._now = DriverStyle(**own)
        self._up_rpm, self._down_rpm = own["upshift_share"] * limiter, own["downshift_share"] * limiter
        newton = vehicle.mass_kg * GRAVITY_MPS2 * self._car.dt_s
        self._brake_on = own["brake_g_per_s"] * newton
        self._on, self._off = own["throttle_on_per_s"] * self._car.dt_s, own["throttle_off_per_s"] * self._car.dt_s
        # A driver brakes as much earlier as the own foot takes to press.
        self._ahead_s = 0.5 * own["brake_share"] * vehicle.spec.grip_coefficient / own["brake_g_per_s"]

    def _at(self, distance_m: FloatArray) -> IntArray:
        """Index into the plan's flat tables."""
        return np.asarray((distance_m * self._per_m).astype(np.intp) % self._total + self._row)

    def _bend_at(self, distance_m: FloatArray) -> FloatArray:
        """Curvature of the line between its points."""
        place = distance_m * self._per_m
        before = place.astype(np.intp)
        share = place - before
        points, row = self._plan.points, self._bend_row
        return np.asarray(
            (1 - share) * self._bend[before % points + row] + share * self._bend[(before + 1) % points + row]
        )

    def _aim(self, s: FloatArray, v: FloatArray, unsteady: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Acceleration wanted, and who lets the throttle go for what comes or for no reason."""
        now = self._now
        here, there = s + v * self._ahead_s, s + v * now.coast_s
        at = self._at(here)
        target, slope, coming = self._target[at], self._slope[at], self._target[self._at(there)]
        limit = None if self._limits is None else self._limits.step(s, v, here)
        if limit is None:
            wanted = slope + now.gain_per_s * (target - v) + unsteady
        else:
            allowed, slowing = limit
            wanted = np.where(allowed < target, slowing, slope)
            wanted = wanted + now.gain_per_s * (np.minimum(target, allowed) - v) + unsteady
            wanted[allowed <= 0.0] = _STAND_MPS2
            coming = np.minimum(coming, allowed)
        lift = v > _LIFT_MARGIN * coming
        return wanted, lift if self._lifted is None else lift | self._lifted[self._at(s)]

    def _choose_gear(self, v: FloatArray) -> IntArray:
        """Gear that each driver wants at a speed."""
        car, gear = self._car, self._car.gear
        per_mps, final = car.vehicle.rpm_per_mps, car.final_drive
        rpm = v * (per_mps[gear] * final)
        ready = car.since_shift_s > self._now.shift_s + _HOLD_S
        up = ready & (rpm > self._up_rpm) & (gear < len(per_mps) - 1) & (car.brake_n <= 0.0)
        lower = np.maximum(gear - 1, 0)
        down = ready & (rpm < self._down_rpm) & (gear > 0) & (v * (per_mps[lower] * final) < 0.92 * self._up_rpm)
        return np.asarray(gear + up - down)

    def _work_throttle(self, force_n: FloatArray, lift: BoolArray, response: CarResponse) -> FloatArray:
        """Engine load for a force wanted: no faster than the foot, no more than the tyres take, none in a shift."""
        car, now = self._car, self._now
        load = np.minimum(np.maximum((force_n - response.least_n) / response.span_n, 0.0), now.full_load)
        load[lift | (response.rpm > car.vehicle.spec.engine.limiter_rpm)] = 0.0
        load = car.load + np.minimum(np.maximum(load - car.load, -self._off), self._on)
        traction_n = car.vehicle.traction_n(response.grip_left_n * now.drive_share)
        load = np.asarray(np.minimum(load, (traction_n - response.least_n) / response.span_n))
        load[response.clutch_left > 0.0] = 0.0
        return load

    def _work_brake(self, force_n: FloatArray, load: FloatArray, response: CarResponse) -> FloatArray:
        """Brake force for what the engine's drag leaves of a force wanted, no faster than the foot."""
        before = self._car.brake_n
        press = np.where(load <= 0.02, response.least_n - force_n, 0.0)
        press = np.where((press > 400.0) | (before > 0.0), np.maximum(press, 0.0), 0.0)
        return before + np.minimum(np.maximum(press - before, -_BRAKE_RELEASE * self._brake_on), self._brake_on)
