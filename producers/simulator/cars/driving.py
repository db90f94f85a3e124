"""The cars in time: each driver works throttle, brake and gears towards the target, the car answers.

The work between two instants is exact by construction: the force is held over the step and acts at the mean of the
speeds at its ends, so engine work minus losses equals the change of kinetic energy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import lfilter

from conf.arrays import BoolArray, FloatArray, IndexArray, IntArray
from conf.units import GRAVITY_MPS2
from physics.speed_profile import grip_left_n
from physics.vehicle import Vehicle
from producers.simulator.cars.car_faults import Mishaps
from producers.simulator.cars.driver_styles import Style
from producers.simulator.cars.speed_limits import SpeedLimits
from producers.simulator.cars.speed_plan import Road

_START_MPS = 22.0
_LEAST_MPS = 2.0  # nobody stops on the track
_STAND_MPS2 = -4.0  # the foot stays on the brake of a car that must stand
_HOLD_S = 0.35  # a driver does not shift again at once
_BRAKE_MOST = 0.985  # share of the grip left that brakes may take: no wheel locks
_BRAKE_RELEASE = 2.0  # brakes come off faster than they go on
_DITHER_MPS2, _DITHER_S = 0.25, 0.5  # nobody holds a foot still
_LIFT_MARGIN = 1.02  # over the speed wanted ahead before the throttle is let go
_SCRUB_GAIN, _SCRUB_MOST = 3.0, 0.2  # drag of tyres asked for more than their grip, as a share of it
_BLOCK = 2048


@dataclass(frozen=True)
class Trace:
    """What the cars did, before any sensor; arrays of shape (steps, cars), forces and torque held until the next step.

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

    dt_s: float
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
    stuck_n: FloatArray
    kerb_m: FloatArray
    flare_rpm: FloatArray


class Drive:
    """All cars of a grid side by side.

    Args:
        vehicle: The type of car.
        road: What the drivers aim at.
        style: Fields of shape (cars, laps).
        dt_s: Time step.
        rng: Source of the unsteadiness of the feet.
        limits: What flags and the pit lane allow; ``None`` where there is nothing to heed.
        final_drive: Final drive of each car as a multiple of the vehicle's, shape (cars,).
        mishaps: What goes wrong; ``None`` where nothing does.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        road: Road,
        style: Style,
        dt_s: float,
        rng: np.random.Generator,
        limits: SpeedLimits | None = None,
        *,
        final_drive: FloatArray | float = 1.0,
        mishaps: Mishaps | None = None,
    ) -> None:
        self.vehicle, self.road, self.dt_s, self._rng = vehicle, road, dt_s, rng
        self._limits, self._least_mps = limits, _LEAST_MPS if limits is None else 0.0
        self._style, self._final, self._mishaps = style, final_drive, mishaps
        self.cars, total = road.target_mps.shape
        self._total, self._laps = total, total // road.points
        self._target, self._slope = road.target_mps.ravel(), np.clip(road.slope_mps2, -20.0, 6.0).ravel()
        self._lifted = None if road.lifted is None else road.lifted.ravel()
        self._bend = road.curvature_per_m.ravel()
        self._row, self._bend_row = np.arange(self.cars) * total, np.arange(self.cars) * road.points
        self._per_m = 1.0 / road.step_m
        self.distance_m = np.zeros(self.cars)
        self.speed_mps = np.full(self.cars, _START_MPS)
        self._load, self._brake = np.full(self.cars, 0.3), np.zeros(self.cars)
        self._since_shift = np.full(self.cars, 9.0)
        self._dither = np.zeros((1, self.cars))
        self._lap = np.full(self.cars, -1)
        self._take_lap(np.zeros(self.cars, np.intp))
        fits = vehicle.rpm_per_mps * _START_MPS < vehicle.spec.engine.limiter_rpm * 0.7
        self._gear = np.full(self.cars, int(np.argmax(fits)))
        self._gear_before = self._gear.copy()

    def run(self, steps: int) -> Trace:
        """Drive on for a number of steps."""
        record: dict[str, Any] = {
            name: np.zeros((steps, self.cars)) for name in Trace.__dataclass_fields__ if name != "dt_s"
        }
        record["gear"] = np.empty((steps, self.cars), np.int64)
        record["clutch_open"] = np.empty((steps, self.cars), np.bool_)
        for start in range(0, steps, _BLOCK):
            dither = self._feet(min(_BLOCK, steps - start))
            for i, unsteady in enumerate(dither, start):
                self._step(i, unsteady, record)
        return Trace(dt_s=self.dt_s, **record)

    def run_to(self, distance_m: FloatArray) -> Trace:
        """Drive on until every car has come as far as its ``distance_m``, shape (cars,)."""
        parts: list[Trace] = []
        while not parts or (self.distance_m < distance_m).any():
            parts.append(self.run(_BLOCK // 4))
        names = [name for name in Trace.__dataclass_fields__ if name != "dt_s"]
        return Trace(self.dt_s, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def _feet(self, steps: int) -> FloatArray:
        """Unsteadiness of the feet: noise of a correlation time, the same for all drivers."""
        keep = np.exp(-self.dt_s / _DITHER_S)
        shocks = self._rng.normal(0.0, _DITHER_MPS2 * np.sqrt(1 - keep * keep), (steps, self.cars))
        dither, self._dither = lfilter([1.0], [1.0, -keep], shocks, axis=0, zi=self._dither)
        return np.asarray(dither)

    def _take_lap(self, lap: IndexArray) -> None:
        """Take on each driver's style of a lap."""
        self._lap = lap
        cars = np.arange(self.cars)
        own = {name: np.asarray(getattr(self._style, name))[cars, lap] for name in Style.__dataclass_fields__}
        limiter = self.vehicle.spec.engine.limiter_rpm
        self._now = Style(**own)
        self._up_rpm, self._down_rpm = own["upshift_share"] * limiter, own["downshift_share"] * limiter
        newton = self.vehicle.mass_kg * GRAVITY_MPS2 * self.dt_s
        self._brake_on = own["brake_g_per_s"] * newton
        self._on, self._off = own["throttle_on_per_s"] * self.dt_s, own["throttle_off_per_s"] * self.dt_s
        # A driver brakes as much earlier as the own foot takes to press.
        self._ahead_s = 0.5 * own["brake_share"] * self.vehicle.spec.grip_coefficient / own["brake_g_per_s"]

    def _at(self, distance_m: FloatArray) -> IndexArray:
        return np.asarray((distance_m * self._per_m).astype(np.intp) % self._total + self._row)

    def _bend_at(self, distance_m: FloatArray) -> FloatArray:
        """Curvature of the line between its points."""
        place = distance_m * self._per_m
        before = place.astype(np.intp)
        share = place - before
        points, row = self.road.points, self._bend_row
        return np.asarray(
            (1 - share) * self._bend[before % points + row] + share * self._bend[(before + 1) % points + row]
        )

    def _step(self, i: int, unsteady: FloatArray, record: dict[str, Any]) -> None:
        """One step: look ahead, work the pedals, shift, move on."""
        car, now, v, s = self.vehicle, self._now, self.speed_mps, self.distance_m
        lap = (s * self._per_m).astype(np.intp) // self.road.points % self._laps
        if (lap != self._lap).any():
            self._take_lap(lap)
            now = self._now
        wanted, lift = self._aim(s, v, unsteady)

        speed2 = v * v
        resistance = car.drag_kgpm * speed2 + car.rolling_n
        if self._mishaps is not None:
            record["stuck_n"][i], record["kerb_m"][i] = self._mishaps.strike(s)
            resistance = resistance + record["stuck_n"][i]
        bend = self._bend_at(s)
        rpm, open_share, record["flare_rpm"][i] = self._shift(v)
        full, drag = car.engine_torque_nm(rpm)
        lever = car.newton_per_nm[self._gear] * self._final
        efficiency = car.spec.driveline_efficiency
        least = -drag * lever / efficiency
        span = full * lever * efficiency - least
        force = np.minimum(np.maximum(wanted, -15.0), 8.0) * car.inertia_kg + resistance

        load = np.minimum(np.maximum((force - least) / span, 0.0), now.full_load)
        load[lift | (rpm > car.spec.engine.limiter_rpm)] = 0.0
        load = self._load + np.minimum(np.maximum(load - self._load, -self._off), self._on)
        grip_left = grip_left_n(car, speed2, bend, 1.0, 1.0)
        load = np.minimum(load, (car.traction_n(grip_left * now.drive_share) - least) / span)
        clutch_open = open_share > 0.0
        load[clutch_open] = 0.0
        torque = load * (full + drag) - drag
        drive = np.where(torque > 0, torque * lever * efficiency, torque * lever / efficiency)
        drive[clutch_open] = 0.0

        press = np.where(load <= 0.02, least - force, 0.0)
        press = np.where((press > 400.0) | (self._brake > 0.0), np.maximum(press, 0.0), 0.0)
        brake = self._brake + np.minimum(
            np.maximum(press - self._brake, -_BRAKE_RELEASE * self._brake_on), self._brake_on
        )
        most = _BRAKE_MOST * grip_left + np.minimum(drive, 0.0)
        brake = np.maximum(np.minimum(brake, most), 0.0)

        scrub, across = self._slide(speed2, bend, drive - brake)
        accel = (drive - brake - scrub - resistance) / car.inertia_kg
        after = np.maximum(v + accel * self.dt_s, self._least_mps)
        record["distance_m"][i], record["speed_mps"][i], record["accel_mps2"][i] = s, v, (after - v) / self.dt_s
        record["gear"][i], record["rpm"][i], record["load"][i] = self._gear, rpm, load
        record["torque_nm"][i], record["brake_n"][i], record["clutch_open"][i] = torque, brake, clutch_open
        record["scrub_n"][i], record["lateral_mps2"][i] = scrub, across / car.mass_kg
        self._load, self._brake = load, brake
        self.speed_mps, self.distance_m = after, s + 0.5 * (v + after) * self.dt_s
        self._since_shift = self._since_shift + self.dt_s

    def _aim(self, s: FloatArray, v: FloatArray, unsteady: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Acceleration wanted, and who lets the throttle go for what comes."""
        wanted, lift = self._aim_at(s, v, unsteady)
        return wanted, lift if self._lifted is None else lift | self._lifted[self._at(s)]

    def _aim_at(self, s: FloatArray, v: FloatArray, unsteady: FloatArray) -> tuple[FloatArray, BoolArray]:
        """The same, where nobody lifts for no reason."""
        now = self._now
        here, there = s + v * self._ahead_s, s + v * now.coast_s
        at = self._at(here)
        target, slope, coming = self._target[at], self._slope[at], self._target[self._at(there)]
        if self._limits is None:
            return slope + now.gain_per_s * (target - v) + unsteady, v > _LIFT_MARGIN * coming
        allowed, slowing = self._limits.step(s, v, here)
        wanted = np.where(allowed < target, slowing, slope)
        wanted = wanted + now.gain_per_s * (np.minimum(target, allowed) - v) + unsteady
        wanted[allowed <= 0.0] = _STAND_MPS2
        return wanted, v > _LIFT_MARGIN * np.minimum(coming, allowed)

    def _slide(self, speed2: FloatArray, bend: FloatArray, along_n: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Drag and cornering force of the tyres: the line's, or what the grip circle has left for a car too fast."""
        grip, asked = self.vehicle.grip_n(speed2), self.vehicle.mass_kg * speed2 * bend
        scrub = grip * np.minimum(np.maximum(_SCRUB_GAIN * (np.abs(asked) / grip - 1.0), 0.0), _SCRUB_MOST)
        left = np.sqrt(np.maximum(grip * grip - (along_n - scrub) ** 2, 0.0))
        return scrub, np.minimum(np.maximum(asked, -left), left)

    def _shift(self, v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray | float]:
        """Shift where the driver would; return engine speed, how much of a shift is left (1 to 0), and the flare."""
        engine, gear, mishaps = self.vehicle.spec.engine, self._gear, self._mishaps
        per_mps, final = self.vehicle.rpm_per_mps, self._final
        top = len(per_mps) - 1
        rpm = v * (per_mps[gear] * final)
        ready = self._since_shift > self._now.shift_s + _HOLD_S
        up = ready & (rpm > self._up_rpm) & (gear < top) & (self._brake <= 0.0)
        lower = np.maximum(gear - 1, 0)
        down = ready & (rpm < self._down_rpm) & (gear > 0) & (v * (per_mps[lower] * final) < 0.92 * self._up_rpm)
        taken = gear + up - down
        if mishaps is not None:
            taken = mishaps.gear_taken(self.distance_m, gear, taken)
        moved = taken != gear
        if moved.any():
            self._gear_before = np.where(moved, gear, self._gear_before)
            self._gear = taken
            self._since_shift = np.where(moved, 0.0, self._since_shift)
        shift_s = self._now.shift_s if mishaps is None else mishaps.shift_s(self._now.shift_s)
        left = np.maximum(1.0 - self._since_shift / shift_s, 0.0)
        ratio = per_mps[self._gear] * final
        rpm = np.maximum(v * (ratio + (per_mps[self._gear_before] * final - ratio) * left), engine.idle_rpm)
        if mishaps is None:
            return np.minimum(rpm, engine.limiter_rpm), left, 0.0
        rpm, flare = mishaps.rev(rpm, left, engine.limiter_rpm)
        return rpm, left, flare
