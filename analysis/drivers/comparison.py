"""Figures in which two drivers are compared with an interval, and a driver resampled once for all comparisons (B39)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.drivers.summary import DriverSummary
from analysis.pace.lap_pace import consistency_score, find_best_time
from analysis.statistics.bootstrap import Estimate, seed_of
from analysis.statistics.lap_moments import MIN_LAPS, LapMoments, ResampledLaps, difference, resample
from conf.arrays import FloatArray

_PACE, _SPEED, _EVENNESS = 3, 4, 5  # columns of the sample, after the sectors


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """A figure that is compared with an interval.

    Attributes:
        name: Column of ``gold.driver_comparison``.
        what: What it is called in a sentence.
        ahead: What is said of the driver who is better at it, before the size of the difference.
        behind: The same of the other.
        unit: Unit.
        digits: Decimals.
        better: 1 where more is better, -1 where less is.
        column: Column of the sample that it reads.
    """

    name: str
    what: str
    ahead: str
    behind: str
    unit: str
    digits: int
    better: int
    column: int

    def of(self, moments: LapMoments) -> FloatArray:
        """The figure itself: the consistency score, else the mean of its column."""
        if self.column == _EVENNESS:
            return consistency_score(moments, self.column)
        return np.asarray(moments.mean[..., self.column])


AVERAGE: Final = ComparedFigure(
    "avg_lap_delta_s", "average lap", "Quicker per lap by", "Slower per lap by", "s", digits=3, better=-1, column=_PACE
)
FIGURES: Final = (
    AVERAGE,
    ComparedFigure("s1_delta_s", "sector 1", "Quicker in sector 1 by", "Slower in sector 1 by", "s", 3, -1, 0),
    ComparedFigure("s2_delta_s", "sector 2", "Quicker in sector 2 by", "Slower in sector 2 by", "s", 3, -1, 1),
    ComparedFigure("s3_delta_s", "sector 3", "Quicker in sector 3 by", "Slower in sector 3 by", "s", 3, -1, 2),
    ComparedFigure(
        "consistency_gap", "consistency", "More consistent by", "Less consistent by", "points", 2, 1, _EVENNESS
    ),
    ComparedFigure(
        "avg_top_speed_delta_kmh", "top speed", "Higher top speed by", "Lower top speed by", "km/h", 1, 1, _SPEED
    ),
)


@dataclass(frozen=True, slots=True)
class DriverFigures:
    """A driver made ready for comparisons.

    Attributes:
        summary: The driver's session.
        sample: His laps resampled: sectors (laps fit for ``sectors``), lap times and top speeds (fit for ``pace``), lap
            times once more (fit for ``target_lap``, whose evenness the consistency score is).
        best_sectors_s: Best of each sector, from the laps fit for ``sectors``.
        dptad: Mean anomaly score by category, 0-100, where there is one.
    """

    summary: DriverSummary
    sample: ResampledLaps
    best_sectors_s: tuple[float, ...]
    dptad: Mapping[str, float]

    @property
    def vehicle_id(self) -> str:
        """Vehicle."""
        return self.summary.vehicle_id


def driver_figures(summary: DriverSummary, dptad: Mapping[str, float] | None = None) -> DriverFigures:
    """Resample a driver's laps once, for any number of comparisons.

    Args:
        summary: The driver's session.
        dptad: Mean anomaly score by category (``brake``, ``throttle``, ``steering``, ``speed``), 0-100.
    """
    laps = summary.laps
    sectors = laps.sector_times_s("sectors")
    speeds = np.where(laps.fit_for["pace"], laps.top_speed_kmh, np.nan)
    columns = [sectors, laps.times_s("pace"), speeds, laps.times_s("target_lap")]
    bests = tuple(find_best_time(laps, sectors[:, i]).time_s for i in range(3))
    return DriverFigures(summary, resample(np.column_stack(columns), seed_of(laps.name)), bests, dict(dptad or {}))


def compare_drivers(one: DriverFigures, two: DriverFigures) -> dict[str, Estimate]:
    """Compute each figure of the first driver less that of the second, by column name; NaN where either has none."""
    return {f.name: _difference(f, one, two) for f in FIGURES}


def _difference(figure: ComparedFigure, one: DriverFigures, two: DriverFigures) -> Estimate:
    if figure.column == _EVENNESS and min(d.sample.n[_EVENNESS] for d in (one, two)) < MIN_LAPS:
        return Estimate(np.nan)  # a driver with so few laps has no consistency score
    return difference(figure.of, one.sample, two.sample, (figure.column,))
