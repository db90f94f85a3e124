"""Summarise a session's field: best laps, consistency, trends and highlights as plain sentences (B26, B28, B40)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.drivers.fleet_text import describe_highlights, describe_trends
from analysis.drivers.formatting import format_count, join_names
from analysis.drivers.summary import DriverSummary, rank_by_best_lap, rank_by_consistency
from analysis.pace.driver_laps import Row, null_if_nan, to_milliseconds


@dataclass(frozen=True, slots=True)
class SessionConditions:
    """Weather of the session; ``None`` where unknown.

    Attributes:
        air_temp_c: Mean air temperature.
        track_temp_c: Mean track temperature.
        track_condition: ``dry`` or ``wet``.
    """

    air_temp_c: float | None = None
    track_temp_c: float | None = None
    track_condition: str | None = None


@dataclass(frozen=True)
class FleetSummary:
    """The field of one session.

    Attributes:
        session_id: Session.
        drivers: Every driver, in the order given.
        conditions: Weather.
    """

    session_id: str
    drivers: tuple[DriverSummary, ...]
    conditions: SessionConditions

    @property
    def n_laps(self) -> int:
        """Laps of all drivers."""
        return sum(len(d.laps) for d in self.drivers)

    @property
    def n_valid_laps(self) -> int:
        """Of these, laps fit for ``pace``."""
        return sum(d.statistics.n for d in self.drivers)

    @cached_property
    def highlights(self) -> list[str]:
        """What stands out, in sentences."""
        return describe_highlights(self.drivers)

    @cached_property
    def trends(self) -> list[str]:
        """Trends of lap times over the session, in sentences."""
        return describe_trends(self.drivers)

    @property
    def insights_text(self) -> str:
        """The session in sentences."""
        field = (
            f"{format_count(len(self.drivers), 'driver')} drove {format_count(self.n_laps, 'lap')}, "
            f"{self.n_valid_laps} of them fit for pace."
        )
        return " ".join([field, *self.highlights, *self.trends])

    def row(self) -> Row:
        """Columns of ``gold.fleet_summary`` but for ``updated_ts`` and ``run_id``."""
        ranking = rank_by_best_lap(self.drivers)
        times = [t for d in self.drivers for t in d.laps.times_s("pace") if np.isfinite(t)]
        first, even = next(iter(ranking), None), next(iter(rank_by_consistency(self.drivers)), None)
        scores = [d.target.consistency.value for d in self.drivers]
        reach = [d.target.achievability.value for d in self.drivers]
        return {
            "session_id": self.session_id,
            "n_drivers": len(self.drivers),
            "n_laps": self.n_laps,
            "n_valid_laps": self.n_valid_laps,
            "fleet_best_ms": to_milliseconds(min(times, default=np.nan)),
            "fleet_avg_ms": to_milliseconds(_mean(times)),
            "fleet_median_ms": to_milliseconds(float(np.median(times)) if times else np.nan),
            "fastest_vehicle_id": first.vehicle_id if first else None,
            "top3": [
                {"rank": i, "vehicle_id": d.vehicle_id, "best_lap_ms": to_milliseconds(d.statistics.best.time_s)}
                for i, d in enumerate(ranking[:3], 1)
            ],
            "most_consistent_vehicle_id": even.vehicle_id if even else None,
            "n_consistency_drivers": int(np.isfinite(scores).sum()),
            "avg_consistency": null_if_nan(_mean(scores)),
            "avg_achievability": null_if_nan(_mean(reach)),
            "air_temp_c": self.conditions.air_temp_c,
            "track_temp_c": self.conditions.track_temp_c,
            "track_condition": self.conditions.track_condition,
            "trends": self.trends,
            "highlights": self.highlights,
            "insights_text": self.insights_text,
            "text_source": "rules",
        }


def summarise_fleet(
    session_id: str, drivers: Sequence[DriverSummary], conditions: SessionConditions = SessionConditions()
) -> FleetSummary:
    """Summarise a session.

    Args:
        session_id: Session.
        drivers: Every driver of it.
        conditions: Weather.

    Raises:
        ValueError: If a driver is from another session, or there twice.
    """
    strangers = [d.laps.name for d in drivers if d.laps.session_id != session_id]
    if strangers:
        raise ValueError(f"{join_names(strangers)}: not of session_id {session_id}; give the drivers of one session")
    ids = [d.vehicle_id for d in drivers]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{session_id}: a vehicle_id comes twice among {join_names(ids)}; give each driver once")
    return FleetSummary(session_id, tuple(drivers), conditions)


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else np.nan
