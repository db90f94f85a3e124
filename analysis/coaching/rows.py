"""Build rows of ``gold.insights`` from a lap compared with its target; pure, without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from analysis.coaching.insights import CoachingInsight
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.rows import ComparedPair, Row
from analysis.pace.driver_laps import null_if_nan
from analysis.segmentation.zones import Microsector
from conf.ghost import CoachingRules


def insight_rows(
    pair: ComparedPair,
    found: Sequence[CoachingInsight],
    aimed: LapInputs,
    pieces: Sequence[Microsector],
    rules: CoachingRules,
    created_ts: datetime | None = None,
    *,
    is_live: bool = False,
) -> list[Row]:
    """Rows of ``gold.insights``, the costliest first.

    Args:
        pair: Which lap against which target.
        found: The insights.
        aimed: Speed and pedals of the target; its hardest braking is 100 %.
        pieces: Micro-sectors of the track.
        rules: What is severe.
        created_ts: When the insight was made.
        is_live: Whether the lap was being driven then.
    """
    hardest_bar = max(float(np.nanmax(aimed.brake_bar)), 1e-9)
    shared = dict(vars(pair)) | {"is_live": is_live, "created_ts": created_ts}
    return [shared | _columns(insight, pieces, hardest_bar, rules) for insight in found]


def _columns(insight: CoachingInsight, pieces: Sequence[Microsector], hardest_bar: float, rules: CoachingRules) -> Row:
    starts = [piece.start_m for piece in pieces]
    piece = pieces[max(0, int(np.searchsorted(starts, insight.start_m + 1e-6, side="right")) - 1)]
    return {
        "microsector_id": piece.number,
        "sector_id": piece.sector,
        "zone_type": insight.kind,
        "corner": insight.place.label,
        "start_m": insight.start_m,
        "end_m": insight.end_m,
        "verdict_code": insight.code,
        "verdict_text": insight.text,
        "severity": rules.severity(insight.time_loss_s),
        "rank": insight.rank,
        "time_loss_s": insight.time_loss_s,
        "metric": insight.metric,
        "human_value": insight.human_value,
        "target_value": insight.target_value,
        "unit": insight.unit,
        "throttle_applied_pct": null_if_nan(insight.throttle_applied_pct),
        "throttle_target_pct": null_if_nan(insight.throttle_target_pct),
        "brake_applied_pct": null_if_nan(100.0 * insight.brake_applied_bar / hardest_bar),
        "brake_target_pct": null_if_nan(100.0 * insight.brake_target_bar / hardest_bar),
    }
