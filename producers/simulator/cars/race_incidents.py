"""What befalls the cars of a race: yellow flags, pit stops, retirements; drawn before the start.

Each kind has a random generator of its own, so switching one on leaves the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from conf.arrays import FloatArray, IntArray
from producers.simulator.config import RaceIncidents
from producers.simulator.rng import generator

PIT_BEFORE_M, PIT_BOX_M, PIT_AFTER_M = 150.0, 60.0, 150.0
"""The pit lane runs beside the road from so far before the line to so far after it, the boxes lie before it."""

_YELLOW_FROM, _YELLOW_TO = 0.2, 0.75  # of the race's length
_YELLOW_LAPS = (1.8, 2.6)  # of a green lap's time: a lap under yellow takes about 1.6 of them
_STAND_SPREAD = 0.2


@dataclass(frozen=True, eq=False)
class IncidentPlan:
    """What happens to whom.

    Attributes:
        yellows_s: Begin and end of each yellow period, seconds since the start of the race.
        pit_lap: Lap at whose end a car comes in, 0 for never, shape (cars,).
        stand_s: How long it stands there, shape (cars,).
        retires_after: Laps and part of a lap after which a car stops for good, infinite for never, shape (cars,).
    """

    yellows_s: tuple[tuple[float, float], ...]
    pit_lap: IntArray
    stand_s: FloatArray
    retires_after: FloatArray


def draw_race_incidents(race: RaceIncidents, laps: int, cars: int, *, lap_s: float, seed: int) -> IncidentPlan:
    """Draw the incidents of a race.

    Args:
        race: How many of which kind.
        laps: Length of the race.
        cars: Size of the grid.
        lap_s: Lap time to expect under green.
        seed: The session's seed.
    """
    pit_lap, stand_s, retires = np.zeros(cars, np.int64), np.zeros(cars), np.full(cars, np.inf)
    for car in range(cars):
        stop, stops = generator(seed, car, "pit"), generator(seed, car, "retire")
        if stop.random() < race.pit_stop_share:
            pit_lap[car] = stop.integers(2, laps - 1)
            stand_s[car] = race.pit_stand_s * np.exp(stop.normal(0.0, _STAND_SPREAD))
        if stops.random() < race.retirement_share:
            retires[car] = stops.uniform(1.2, laps - 0.3)
    return IncidentPlan(_yellows(race.full_course_yellows, laps * lap_s, lap_s, seed), pit_lap, stand_s, retires)


def _yellows(periods: int, race_s: float, lap_s: float, seed: int) -> tuple[tuple[float, float], ...]:
    """Yellow periods spread over the middle of the race, none over another."""
    rng = generator(seed, 0, "yellow")
    edges = np.linspace(_YELLOW_FROM, _YELLOW_TO, periods + 1) * race_s
    out = []
    for first, last in pairwise(edges):
        begin = rng.uniform(first, 0.75 * first + 0.25 * last)
        out.append((float(begin), float(min(begin + rng.uniform(*_YELLOW_LAPS) * lap_s, last))))
    return tuple(out)
