"""Car faults on purpose: a dragging brake, a wrong gear, a kerb strike, an over-revving engine.

A car fault acts on the car, so what a sensor would see of it is in the telemetry. It changes nothing that is drawn by
chance: a run with one and a run without are the same up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from conf.arrays import FloatArray, IntArray
from conf.errors import InputError
from producers.simulator.config import CarFault

KERB_M = 9.0
_HUMPS = 3
_WRONG_GEAR_S = 0.5  # until the driver takes the old gear again
_SLAM_S = 0.07  # no blip on the throttle brings the engine up: the wheels do, as fast as the clutch takes hold
_FLARE_S = 0.6  # such a shift takes so long
# Of a kerb's force, what pushes the car aside and back: 40 mm knock it by half a g, as hard as the hardest knock in
# half of the logged GR Cup laps.
_SIDE_SHARE, _ALONG_SHARE = 1.0, 0.2


@dataclass(eq=False)
class _PlannedFault:
    """One fault on one lap, on the scale of the car's own distance."""

    planted: CarFault
    lap: int
    car: int
    from_m: float
    lap_end_m: float
    done: bool = field(default=False)

    @property
    def size(self) -> float:
        return self.planted.size

    @property
    def to_m(self) -> float:
        return self.from_m + KERB_M if self.planted.kind == "kerb_strike" else self.lap_end_m


class _FaultPlaces:
    """Where faults may strike, looked up for all of them at once."""

    def __init__(self, faults: Sequence[_PlannedFault]) -> None:
        self.faults = faults
        self._car = np.array([fault.car for fault in faults], np.intp)
        self._from_m, self._to_m = (np.array([getattr(fault, side) for fault in faults]) for side in ("from_m", "to_m"))

    def due(self, distance_m: FloatArray) -> list[_PlannedFault]:
        """Faults whose car is where they strike."""
        if not self.faults:
            return []
        at = distance_m[self._car]
        return [self.faults[int(i)] for i in np.flatnonzero((at >= self._from_m) & (at < self._to_m))]


class CarFaultSchedule:
    """All car faults of a session; remembers which have struck.

    Args:
        planted: Whose, where and which.
        line_m: Length of a lap on each car's own line, shape (cars,).
        centre_m: Length of a lap on the scale of the faults' places.
        laps: Most laps that any car drives.
        front_n_per_bar: Brake force of the front axle per bar.
        dt_s: Time step.

    Raises:
        InputError: If a fault lies beyond the lap.
    """

    def __init__(
        self,
        planted: Sequence[CarFault],
        line_m: FloatArray,
        *,
        centre_m: float,
        laps: int,
        front_n_per_bar: float,
        dt_s: float,
    ) -> None:
        cars = len(line_m)
        faults = [fault for each in planted for fault in _plan_faults(each, line_m, centre_m, laps)]
        by_place = ("dragging_brake", "kerb_strike")
        self._by_place = _FaultPlaces([fault for fault in faults if fault.planted.kind in by_place])
        self._by_gear = _FaultPlaces([fault for fault in faults if fault.planted.kind not in by_place])
        self._n_per_bar, self._dt_s, self._cars = front_n_per_bar, dt_s, cars
        self._wrong_s, self._old_gear = np.zeros(cars), np.zeros(cars, np.int64)
        self._flare_rpm, self._over = np.zeros(cars), np.zeros(cars, np.bool_)

    def strike(self, distance_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Force of brakes that drag, N, and height of the kerb under the left wheels, m; shapes (cars,)."""
        stuck_n, kerb_m = np.zeros(self._cars), np.zeros(self._cars)
        for fault in self._by_place.due(distance_m):
            fault.done = True
            if fault.planted.kind == "dragging_brake":
                stuck_n[fault.car] += fault.size * self._n_per_bar
            else:
                past = distance_m[fault.car] - fault.from_m
                kerb_m[fault.car] += fault.size / 1000.0 * np.sin(np.pi * _HUMPS * past / KERB_M) ** 2
        return stuck_n, kerb_m

    def gear_taken(self, distance_m: FloatArray, gear: IntArray, wanted: IntArray) -> IntArray:
        """Gear that each driver ends up in, shape (cars,); to be called once a step.

        Args:
            distance_m: Where the cars are.
            gear: What they are in.
            wanted: What the drivers would take.
        """
        back = (self._wrong_s > 0) & (self._wrong_s <= self._dt_s)
        taken = np.where(self._wrong_s > 0, np.where(back, self._old_gear, gear), wanted)
        self._wrong_s = np.maximum(self._wrong_s - self._dt_s, 0.0)
        for fault in self._by_gear.due(distance_m):
            car, kind = fault.car, fault.planted.kind
            if fault.done:
                continue
            if kind == "missed_downshift" and gear[car] > 0:
                self._old_gear[car], self._wrong_s[car] = gear[car], _WRONG_GEAR_S
                taken[car] = max(gear[car] - int(fault.size), 0)
            elif kind == "over_rev" and taken[car] > gear[car]:
                self._flare_rpm[car] = fault.size
            else:
                continue
            self._over[car] = fault.done = True
        return taken

    def shift_s(self, usual_s: FloatArray | float) -> FloatArray:
        """Time that a shift takes each driver, shape (cars,)."""
        slow = np.where(self._flare_rpm > 0, np.maximum(usual_s, _FLARE_S), usual_s)
        return np.where(self._wrong_s > 0, np.minimum(slow, _SLAM_S), slow)

    def rev(self, rpm: FloatArray, left: FloatArray, limiter_rpm: float) -> tuple[FloatArray, FloatArray]:
        """Engine speed that wheels and throttle bring about, and how much of it is the engine alone, shapes (cars,).

        Args:
            rpm: Engine speed by the wheels.
            left: How much of a shift is left, 1 to 0.
            limiter_rpm: What the limiter allows where the driver has the engine in hand.
        """
        self._flare_rpm = np.where(left > 0, self._flare_rpm, 0.0)
        peak = np.maximum(limiter_rpm + self._flare_rpm - rpm, 0.0) * (self._flare_rpm > 0)
        flare = peak * np.sin(np.pi * left)
        self._over &= (self._wrong_s > 0) | (self._flare_rpm > 0) | (rpm > limiter_rpm)
        return np.where(self._over, rpm + flare, np.minimum(rpm, limiter_rpm)), np.where(self._over, flare, 0.0)

    def missed(self, distance_m: FloatArray) -> list[str]:
        """Faults that were asked for and could not strike although the car drove the lap, in words."""
        return [
            f"{fault.planted.kind} at {fault.planted.at_m:g} m did not come about in lap {fault.lap} "
            f"of car {fault.car + 1}: {_NEEDS[fault.planted.kind]}"
            for fault in [*self._by_place.faults, *self._by_gear.faults]
            if not fault.done and not fault.planted.by_chance and fault.lap_end_m <= distance_m[fault.car]
        ]


_NEEDS = {
    "missed_downshift": "the car was in first gear from there on",
    "over_rev": "there was no upshift from there to the end of the lap",
    "dragging_brake": "the car passed the place within one step",
    "kerb_strike": "the car passed the place within one step",
}


def kerb_shake_mps2(kerb_m: FloatArray, ride_n_per_m: float, mass_kg: float) -> tuple[FloatArray, FloatArray]:
    """Acceleration along and across the road while the left wheels run over a kerb, shapes of ``kerb_m``."""
    push = 2.0 * ride_n_per_m * kerb_m / mass_kg
    return -_ALONG_SHARE * push, -_SIDE_SHARE * push


def _plan_faults(planted: CarFault, line_m: FloatArray, centre_m: float, laps: int) -> list[_PlannedFault]:
    if planted.at_m >= centre_m:
        raise InputError(f"car fault at {planted.at_m:g} m: a lap of this track is {centre_m:,.0f} m")
    length = float(line_m[planted.car - 1])
    at = planted.at_m / centre_m * length
    return [
        _PlannedFault(planted, lap, planted.car - 1, (lap - 1) * length + at, lap * length)
        for lap in range(1, laps + 1)
        if planted.lap in (None, lap)
    ]
