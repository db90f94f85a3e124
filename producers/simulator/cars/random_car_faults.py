"""Random car faults of a season: kerbs on most laps, now and then a bad shift or a dragging brake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conf.wear import CarFaultKind
from producers.simulator.cars.driver_styles import ProfileName
from producers.simulator.config import CAR_FAULT_SIZES, CarFault
from producers.simulator.rng import generator

# Logged GR Cup laps have four to seven knocks at the median; kerbs of 25 to 45 mm knock as hard.
_KERBS_A_LAP = 4.0
_KERB_MM = (32.0, 0.35)  # median, and spread of the logarithm
_OVER_REV_SHARE, _MISSED_SHARE, _DRAG_SHARE = 0.06, 0.04, 0.05  # of laps

RACING: Final[dict[ProfileName, float]] = {"aggressive": 4.0, "normal": 2.0, "safe": 1.0, "eco": 1.0}
"""Drivers that a model of wear learns from: half of them drive as racing drivers do, so that real races are no news."""


def draw_random_car_faults(length_m: float, cars: int, laps: int, seed: int) -> tuple[CarFault, ...]:
    """CarFaultSchedule of a grid: those of a car do not depend on how many others there are.

    Args:
        length_m: Of a lap.
        cars: Size of the grid.
        laps: Laps each drives.
        seed: Of the session.
    """
    return tuple(each for car in range(cars) for each in _of_car(length_m, car, laps, seed))


def _of_car(length_m: float, car: int, laps: int, seed: int) -> Iterator[CarFault]:
    rng = generator(seed, car, "hazards")
    keenness = rng.lognormal(0.0, 0.5)  # some drivers use the kerbs more than others
    for lap in range(1, laps + 1):

        def planted(kind: CarFaultKind, at: float, size: float, lap: int = lap) -> CarFault:
            most = CAR_FAULT_SIZES[kind][1]
            at_m = round(at * (length_m - 20.0), 1)
            return CarFault(kind=kind, at_m=at_m, size=min(size, most), car=car + 1, lap=lap, by_chance=True)

        for _ in range(rng.poisson(_KERBS_A_LAP * keenness)):
            yield planted("kerb_strike", rng.uniform(), round(_KERB_MM[0] * rng.lognormal(0.0, _KERB_MM[1]), 1))
        if rng.uniform() < _OVER_REV_SHARE:
            yield planted("over_rev", 0.5 * rng.uniform(), round(rng.uniform(300.0, 1_500.0), 1))
        if rng.uniform() < _MISSED_SHARE:
            yield planted("missed_downshift", 0.8 * rng.uniform(), float(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])))
        if rng.uniform() < _DRAG_SHARE:
            yield planted("dragging_brake", 0.5 * rng.uniform(), round(rng.uniform(0.5, 4.0), 2))
