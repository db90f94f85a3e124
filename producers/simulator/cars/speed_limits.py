"""The speed that flags and the pit lane leave each car, step by step."""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.units import KMH_PER_MPS
from producers.simulator.cars.race_incidents import PIT_AFTER_M, PIT_BEFORE_M, PIT_BOX_M, IncidentPlan

YELLOW_MPS = 80.0 / KMH_PER_MPS
PIT_MPS = 60.0 / KMH_PER_MPS
_FASTEST_MPS, _EASE_MPS2 = (
    70.0,
    2.5,
)  # drivers ease off when the yellow comes out: the limit falls from the one by the other
_BRAKE_MPS2 = 4.0  # on the way into the pit lane and to the box
_ROLLS_MPS = 0.05  # slower than this is standing
_BOX_M = 1.5  # a driver stops within this of the mark


class SpeedLimits:
    """Yellow flags by time, pit lane and box by place; remembers who has stood long enough.

    Args:
        incidents: What happens to whom.
        length_m: Length of a lap on each car's own line, shape (cars,).
        centre_m: Length of a lap along the centre line.
        start_s: How long after the start of the race each car's first step is, shape (cars,).
        dt_s: Time step.
        fastest_mps: No driver aims at more anywhere, so a limit above it is none.
    """

    def __init__(
        self,
        incidents: IncidentPlan,
        length_m: FloatArray,
        *,
        centre_m: float,
        start_s: FloatArray,
        dt_s: float,
        fastest_mps: float,
    ) -> None:
        stops, scale = incidents.pit_lap > 0, length_m / centre_m
        line = np.where(stops, incidents.pit_lap * length_m, np.inf)
        self._enter_m, self._leave_m = line - PIT_BEFORE_M * scale, line + PIT_AFTER_M * scale
        self._box_m = line - PIT_BOX_M * scale
        self._yellows_s, self._time_s, self._dt_s = incidents.yellows_s, start_s, dt_s
        self._any_stop, self._left_s = bool(stops.any()), incidents.stand_s.copy()
        self._near_m = self._enter_m - max(fastest_mps**2 - PIT_MPS**2, 0.0) / (2.0 * _BRAKE_MPS2) - 1.0

    def step(
        self, distance_m: FloatArray, speed_mps: FloatArray, ahead_m: FloatArray
    ) -> tuple[FloatArray, FloatArray] | None:
        """Allow for one step; to be called once for each.

        Args:
            distance_m: Where each car is, shape (cars,).
            speed_mps: How fast it is, shape (cars,).
            ahead_m: Where the driver's eyes are, shape (cars,).

        Returns:
            Speed allowed (infinite where nothing limits it, 0 where a car must stand) and the acceleration that
            follows it, zero or below; shapes (cars,). ``None`` where nothing limits any car.
        """
        time_s, self._time_s = self._time_s, self._time_s + self._dt_s
        yellows = [each for each in self._yellows_s if ((time_s >= each[0]) & (time_s < each[1])).any()]
        nearing = self._any_stop and self._is_near_pit(distance_m, ahead_m)
        if not (yellows or nearing):
            return None
        allowed, slowing = np.full(len(distance_m), np.inf), np.zeros(len(distance_m))
        for begin, end in yellows:
            out = (time_s >= begin) & (time_s < end)
            falling = _FASTEST_MPS - _EASE_MPS2 * (time_s - begin)
            allowed = np.where(out, np.maximum(falling, YELLOW_MPS), allowed)
            slowing = np.where(out & (falling > YELLOW_MPS), -_EASE_MPS2, slowing)
        if nearing:
            allowed, slowing = self._pit(distance_m, speed_mps, ahead_m, allowed, slowing)
        return allowed, slowing

    def _is_near_pit(self, distance_m: FloatArray, ahead_m: FloatArray) -> bool:
        """Whether a car that comes in is so near the pit lane, or in it, that this limits it."""
        inside = (distance_m <= self._leave_m) | (self._left_s > 0)
        return bool(((ahead_m > self._near_m) & inside).any())

    def _pit(
        self,
        distance_m: FloatArray,
        speed_mps: FloatArray,
        ahead_m: FloatArray,
        allowed: FloatArray,
        slowing: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        at_box = (self._left_s > 0) & (distance_m > self._box_m - _BOX_M)
        self._left_s = self._left_s - self._dt_s * (at_box & (speed_mps < _ROLLS_MPS))
        to_box = np.where(self._left_s > 0, np.maximum(self._box_m - ahead_m, 0.0), np.inf)
        to_lane = np.maximum(self._enter_m - ahead_m, 0.0)
        lane = np.sqrt(PIT_MPS**2 + 2.0 * _BRAKE_MPS2 * to_lane)
        lane[distance_m > self._leave_m] = np.inf
        box = np.sqrt(2.0 * _BRAKE_MPS2 * to_box)
        box[at_box & (self._left_s > 0)] = 0.0
        pit = np.minimum(lane, box)
        braking = (box < lane) | (to_lane > 0)
        return np.minimum(allowed, pit), np.where(pit < allowed, np.where(braking, -_BRAKE_MPS2, 0.0), slowing)
