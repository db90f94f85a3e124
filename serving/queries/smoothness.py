"""How still a driver keeps pedals, wheel and speed, by lap and beside the field, from ``gold.dptad_scores``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Row = Mapping[str, Any]

RATES: Final = (
    ("brake", "brake_rate_rms_bar_per_s", "bar/s"),
    ("throttle", "throttle_rate_rms_pct_per_s", "%/s"),
    ("steering", "steering_rate_rms_deg_per_s", "°/s"),
    ("speed in corners", "accel_rate_rms_g_per_s", "g/s"),
)
MIN_FIELD: Final = 3
"""Fewer drivers with a figure are no field to compare with."""


@dataclass(frozen=True)
class Smoothness:
    """One category: how fast it changes where it is at work, as the root mean square of its rate.

    Attributes:
        name: What is moved.
        unit: Unit of the rates.
        laps: Lap number and rate of each judged lap.
        field: Median rate of every driver of the session, by vehicle, this one among them.
        vehicle_id: This driver's vehicle.
    """

    name: str
    unit: str
    laps: tuple[tuple[int, float], ...]
    field: dict[str, float]
    vehicle_id: str

    @property
    def median(self) -> float:
        """Median of the driver's laps."""
        return float(np.median([rate for _, rate in self.laps]))

    @property
    def base(self) -> float:
        """What the driver is compared with: the median of the field's drivers; his own where there is no field."""
        return float(np.median(list(self.field.values()))) if self.has_field else self.median

    @property
    def has_field(self) -> bool:
        """Whether there are drivers enough to compare with."""
        return len(self.field) >= MIN_FIELD

    @property
    def above(self) -> float:
        """By what share the driver's median lies above what it is compared with, negative where he is smoother."""
        return self.median / self.base - 1.0

    @property
    def rank(self) -> int:
        """Place in the field, 1 the smoothest."""
        return 1 + sum(rate < self.field[self.vehicle_id] for rate in self.field.values())

    def format_rate(self, rate: float) -> str:
        """A rate with its unit, all of one category to as many decimal places."""
        digits = 2 if self.base < 1.0 else 1 if self.base < 10.0 else 0
        return f"{rate:.{digits}f} {self.unit}"


def compare_smoothness(vehicle_id: str, scores: Sequence[Row], field: Iterable[Row]) -> list[Smoothness]:
    """Each category that the driver has a figure of, the driver beside the field.

    Args:
        vehicle_id: The driver's vehicle.
        scores: Rows of the driver's judged laps.
        field: Rows of all cars of the session.
    """
    rows = list(field)
    found = []
    for name, column, unit in RATES:
        laps = tuple((row["lap_number"], row[column]) for row in scores if row[column])
        if not laps:
            continue
        by_car: defaultdict[str, list[float]] = defaultdict(list)
        for row in rows:
            if row[column]:
                by_car[row["vehicle_id"]].append(row[column])
        medians = {car: float(np.median(rates)) for car, rates in by_car.items()}
        medians[vehicle_id] = float(np.median([rate for _, rate in laps]))
        found.append(Smoothness(name, unit, laps, medians, vehicle_id))
    return found
