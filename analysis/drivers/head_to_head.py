"""Compare two drivers of one session (B27, B39).

Every difference is the first driver's figure less the second's. One between means or spreads carries a bootstrap
interval and is called a strength or a weakness only where that interval leaves zero out; bests are single events and
are stated as such. Six intervals at 95 % are read at once: now and then one leaves zero out by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.drivers.comparison import AVERAGE, DriverFigures, compare_drivers
from analysis.drivers.comparison_text import describe_comparison, list_strengths, list_weaknesses
from analysis.pace.driver_laps import Row, null_if_nan
from analysis.statistics.bootstrap import Estimate

DPTAD: Final = ("brake", "throttle", "steering", "speed")


@dataclass(frozen=True, slots=True)
class HeadToHead:
    """The first driver against the second; every delta is first less second, NaN where either is unknown.

    Attributes:
        one: The first.
        two: The second.
        deltas: Column to difference of means or spreads, with its interval.
    """

    one: DriverFigures
    two: DriverFigures
    deltas: Mapping[str, Estimate]

    @property
    def best_lap_delta_s(self) -> float:
        """Between the best laps."""
        return self.one.summary.statistics.best.time_s - self.two.summary.statistics.best.time_s

    @property
    def best_sector_deltas_s(self) -> tuple[float, ...]:
        """Between the best sectors."""
        return tuple(a - b for a, b in zip(self.one.best_sectors_s, self.two.best_sectors_s, strict=True))

    @property
    def siwtl_delta_s(self) -> float:
        """Between the target laps."""
        return self.one.summary.target.target_s.value - self.two.summary.target.target_s.value

    @property
    def top_speed_delta_kmh(self) -> float:
        """Between the highest speeds of any lap."""
        return self.one.summary.top_speed_kmh - self.two.summary.top_speed_kmh

    @property
    def faster_vehicle(self) -> str | None:
        """Who laps quicker on average; ``None`` where the difference is within noise or there are too few laps."""
        sign = self.deltas[AVERAGE.name].sign
        return None if sign == 0 else (self.one if sign < 0 else self.two).vehicle_id

    @property
    def analysis_text(self) -> str:
        """The comparison in sentences."""
        return describe_comparison(self.one, self.two, self.deltas)

    def row(self) -> Row:
        """Columns of ``gold.driver_comparison`` but for ``updated_ts`` and ``run_id``."""
        one, two = self.one.summary, self.two.summary
        out: Row = {
            "session_id": one.laps.session_id,
            "vehicle_id_1": one.vehicle_id,
            "vehicle_id_2": two.vehicle_id,
            "valid_laps_1": one.statistics.n,
            "valid_laps_2": two.statistics.n,
            "best_lap_delta_s": null_if_nan(self.best_lap_delta_s),
        }
        for name, delta in self.deltas.items():
            out |= delta.columns(name)
        for i, best in enumerate(self.best_sector_deltas_s, 1):
            out[f"best_s{i}_delta_s"] = null_if_nan(best)
        for category in DPTAD:
            a, b = (side.dptad.get(category, np.nan) for side in (self.one, self.two))
            out[f"dptad_delta_{category}"] = null_if_nan(a - b)
        return out | {
            "top_speed_delta_kmh": null_if_nan(self.top_speed_delta_kmh),
            "siwtl_delta_s": null_if_nan(self.siwtl_delta_s),
            "faster_vehicle": self.faster_vehicle,
            **{f"strengths_{side}": list_strengths(self.deltas, side) for side in (1, 2)},
            **{f"weaknesses_{side}": list_weaknesses(self.deltas, side) for side in (1, 2)},
            "analysis_text": self.analysis_text,
            "text_source": "rules",
        }


def build_head_to_head(one: DriverFigures, two: DriverFigures) -> HeadToHead:
    """Compare two drivers of one session.

    Raises:
        ValueError: If their sessions differ.
    """
    a, b = one.summary.laps.session_id, two.summary.laps.session_id
    if a != b:
        raise ValueError(f"session_id differs ({a}, {b}): compare drivers of one session, on one track in one weather")
    return HeadToHead(one, two, compare_drivers(one, two))
