"""One driver's session in one row: laps, pace, target lap, fastest runs, and what other tables know (B7, B33)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from analysis.pace.driver_laps import DriverLaps, Row, null_if_nan, to_milliseconds
from analysis.pace.lap_pace import LapStatistics, PaceRecord, compute_lap_statistics, find_pace_records
from analysis.pace.siwtl import Siwtl, compute_siwtl
from analysis.pace.stints import StintSegment, split_stints
from analysis.statistics.bootstrap import Estimate, seed_of
from analysis.statistics.lap_moments import estimate, resample


@dataclass(frozen=True, slots=True)
class ExternalFigures:
    """Figures of a driver's session from other tables; ``None`` where they are unknown.

    Attributes:
        driver_id: Driver.
        vehicle_number: Digits of the number raced under.
        car_number: Number raced under, as text.
        vehicle_class: Class.
        position: Position in the result.
        gap_first_s: Behind the first in the result.
        dptad_overall_avg: Mean anomaly score of his laps, 0-100.
        karma_overall_last: Karma of the car in its last lap that has a score, 0-100.
        style_aggressive_share: Share of style windows called aggressive.
    """

    driver_id: str | None = None
    vehicle_number: int | None = None
    car_number: str | None = None
    vehicle_class: str | None = None
    position: int | None = None
    gap_first_s: float | None = None
    dptad_overall_avg: float | None = None
    karma_overall_last: float | None = None
    style_aggressive_share: float | None = None


@dataclass(frozen=True)
class DriverSummary:
    """One driver in one session.

    Attributes:
        laps: His laps.
        statistics: Of those fit for ``pace``.
        target: Target lap.
        segments: Stints and pace segments, in driving order.
        records: Fastest runs of consecutive laps.
        elsewhere: What other tables know.
    """

    laps: DriverLaps
    statistics: LapStatistics
    target: Siwtl
    segments: tuple[StintSegment, ...]
    records: tuple[PaceRecord, ...]
    elsewhere: ExternalFigures

    @property
    def vehicle_id(self) -> str:
        """Vehicle."""
        return self.laps.vehicle_id

    @property
    def top_speed_kmh(self) -> float:
        """Highest speed of any lap; NaN where none has one."""
        known = self.laps.top_speed_kmh[np.isfinite(self.laps.top_speed_kmh)]
        return float(known.max()) if known.size else np.nan

    @cached_property
    def mean_s(self) -> Estimate:
        """Mean lap time with its interval."""
        sample = resample(self.laps.times_s("pace")[:, None], seed_of(self.laps.name))
        return estimate(lambda m: m.mean[..., 0], sample, (0,))

    @property
    def longest_run(self) -> StintSegment | None:
        """The segment without caution that has most laps fit for ``pace``, the first of equal ones."""
        racing = [s for s in self.segments if s.kind == "racing" and s.n_pace_laps]
        return max(racing, key=lambda s: s.n_pace_laps, default=None)

    @property
    def n_pit_stops(self) -> int:
        """Laps that end in the pits."""
        return int(self.laps.pit_in.sum())

    def row(self) -> Row:
        """Columns of ``gold.driver_summary`` but for ``updated_ts`` and ``run_id``."""
        best, run = self.statistics.best, self.longest_run
        trend = run.slope_s_per_lap if run else Estimate(np.nan)
        out: Row = {
            "session_id": self.laps.session_id,
            "vehicle_id": self.vehicle_id,
            **asdict(self.elsewhere),
            "total_laps": len(self.laps),
            "valid_laps": self.statistics.n,
            "best_lap_ms": to_milliseconds(best.time_s),
            "best_lap_number": best.lap_number,
            "best_lap_gap_second_s": null_if_nan(best.gap_second_s),
            "avg_lap_ms": to_milliseconds(self.mean_s.value),
            "avg_lap_ms_low": to_milliseconds(self.mean_s.low),
            "avg_lap_ms_high": to_milliseconds(self.mean_s.high),
            "median_lap_ms": to_milliseconds(self.statistics.median_s),
            "top_speed_kmh": null_if_nan(self.top_speed_kmh),
            "n_consistency_laps": self.target.n_consistency_laps,
            **self.target.consistency.columns("consistency_score"),
            "n_siwtl_laps": self.target.n_valid_laps,
            **self.target.target_s.columns("siwtl_lap_s"),
            "potential_gain_s": null_if_nan(self.target.potential_gain_s),
            **trend.columns("trend_s_per_lap"),
            "n_pit_stops": self.n_pit_stops,
        }
        driven = {record.laps: record for record in self.records}
        for length in (3, 5, 10):
            record = driven.get(length)
            out |= {
                f"best_{length}_laps_mean_s": record.mean_s if record else None,
                f"best_{length}_laps_first_lap": record.first_lap if record else None,
            }
        return out


def summarise_driver(laps: DriverLaps, elsewhere: ExternalFigures = ExternalFigures()) -> DriverSummary:
    """Summarise one driver's session.

    Args:
        laps: The driver's laps.
        elsewhere: What other tables know of him.
    """
    return DriverSummary(
        laps, compute_lap_statistics(laps), compute_siwtl(laps), split_stints(laps), find_pace_records(laps), elsewhere
    )


def rank_by_consistency(drivers: Sequence[DriverSummary]) -> list[DriverSummary]:
    """Rank the drivers with enough laps by consistency, the most consistent first; ties by vehicle."""
    scored = [d for d in drivers if np.isfinite(d.target.consistency.low)]
    return sorted(scored, key=lambda d: (-d.target.consistency.value, d.vehicle_id))


def rank_by_best_lap(drivers: Sequence[DriverSummary]) -> list[DriverSummary]:
    """Rank the drivers with a best lap, the fastest first; ties by vehicle."""
    timed = [d for d in drivers if d.statistics.n]
    return sorted(timed, key=lambda d: (d.statistics.best.time_s, d.vehicle_id))
