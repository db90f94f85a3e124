"""Coaching as facts and rows for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import numpy as np

from analysis.coaching.insights import CoachingInsight
from analysis.coaching.rows import insight_rows
from analysis.comparison.rows import ComparedPair
from serving.queries.coaching import CoachedLap

Row = dict[str, Any]


_EVERY_M: Final = 5.0


def pair_of(found: CoachedLap) -> ComparedPair:
    """Lap and target as the gold tables name them."""
    lap, target = found.lap.row, found.target
    return ComparedPair(
        lap_uid=lap.uid, reference_uid=target.uid, session_id=lap.session_id, vehicle_id=lap.vehicle_id,
        lap_number=lap.lap_number, reference_kind=target.kind, track_id=found.circuit.track_id,
        is_synthetic=lap.is_synthetic or target.is_synthetic,
    )  # fmt: skip


def rows_of(found: CoachedLap, created_ts: datetime | None = None) -> list[Row]:
    """Rows of ``gold.insights``."""
    track = (found.circuit, found.pieces)
    return insight_rows(pair_of(found), found.insights, found.aimed, track, found.rules.coaching, created_ts)


def values_of(insight: CoachingInsight) -> tuple[str, str]:
    """What was measured of the lap and of the target, with its unit."""
    digits = 1 if insight.unit == "km/h" else 0
    human, target = (f"{value:,.{digits}f} {insight.unit}" for value in (insight.human_value, insight.target_value))
    return human, target


def coaching_facts(found: CoachedLap) -> Row:
    """Insights for programs, with both laps' inputs and the time lost over distance."""
    of_pair = {*ComparedPair.__dataclass_fields__, "created_ts", "is_live"}
    every = max(1, round(_EVERY_M / found.driven.step_m))
    columns = {
        "distance_m": found.distance_m, "delta_s": found.delta_s,
        "speed_kmh": found.driven.speed_kmh, "speed_target_kmh": found.aimed.speed_kmh,
        "throttle_pct": found.driven.throttle_pct, "throttle_target_pct": found.aimed.throttle_pct,
        "brake_bar": found.driven.brake_bar, "brake_target_bar": found.aimed.brake_bar,
    }  # fmt: skip
    return {
        "lap": found.lap.row.uid,
        "target": found.target.uid,
        "target_kind": found.target.kind,
        "track_id": found.circuit.track_id,
        "lap_time_s": found.lap.time_s,
        "target_time_s": found.target.time_s,
        "delta_s": found.lap_delta_s,
        "notes": list(found.notes),
        "insights": [{k: v for k, v in row.items() if k not in of_pair} for row in rows_of(found)],
        "trace": {name: np.round(values[::every], 4).tolist() for name, values in columns.items()},
    }
