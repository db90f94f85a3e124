"""Scores of a lap, 0 to 100, higher is more anomalous (B17, section "Formulas" 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.dptad.availability import missing_channel_reason
from analysis.dptad.even_lap import DptadLap
from analysis.dptad.events import DptadEvent
from analysis.dptad.rules import CATEGORIES, Category
from analysis.dptad.smoothness import smoothness_score
from analysis.dptad.thresholds import Thresholds
from conf.reasons import ReasonCode, Refusal

# Columns of the lap that each roughness is computed from.
NEEDS: Final[Mapping[Category, tuple[str, ...]]] = {
    "brake": ("brake_bar",),
    "throttle": ("throttle_pct",),
    "steering": ("steering_deg",),
    "speed": ("speed_kmh", "long_g", "lat_g", "brake_bar"),
}
_NOTHING_TO_SEE: Final[Mapping[Category, ReasonCode]] = {
    "brake": ReasonCode.NO_BRAKING,
    "throttle": ReasonCode.THROTTLE_CONSTANT,
    "steering": ReasonCode.STEERING_CONSTANT,
    "speed": ReasonCode.NO_TURNS,
}


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """One category of a lap. What is not available is ``None``, with the reason, and never 0.

    Attributes:
        score: 0 to 100, higher is more anomalous.
        smoothness: 0 to 1, higher is smoother.
        roughness: The root mean square rate behind it.
        events: Number of events; ``None`` where the channel is missing.
        reason: Why there is no score.
    """

    score: float | None
    smoothness: float | None
    roughness: float | None
    events: int | None
    reason: Refusal | None = None


def score_lap(
    lap: DptadLap, rough: Mapping[Category, float], events: Sequence[DptadEvent], thresholds: Thresholds
) -> dict[Category, CategoryScore]:
    """Compute ``100 * (0.5 * (1 - smoothness) + 0.5 * min(1, events per km / reference))`` for each category."""
    return {category: _score_category(category, lap, rough[category], events, thresholds) for category in CATEGORIES}


def overall_score(scores: Mapping[Category, CategoryScore]) -> float | None:
    """Mean of the scores there are; ``None`` where there is none."""
    known = [one.score for one in scores.values() if one.score is not None]
    return float(np.mean(known)) if known else None


def _score_category(
    category: Category, lap: DptadLap, rough: float, events: Sequence[DptadEvent], thresholds: Thresholds
) -> CategoryScore:
    lack = missing_channel_reason(lap, NEEDS[category])
    if lack is not None:
        return CategoryScore(None, None, None, None, lack)
    count = sum(event.category == category for event in events)
    if np.isnan(rough):
        return CategoryScore(None, None, None, count, Refusal.of(_NOTHING_TO_SEE[category]))
    if lap.length_km <= 0.0:
        return CategoryScore(None, None, rough, count, Refusal.of(ReasonCode.NO_LENGTH))
    smooth = smoothness_score(rough, thresholds.scales[category])
    share = min(1.0, count / lap.length_km / thresholds.events_per_km[category])
    return CategoryScore(100.0 * (0.5 * (1.0 - smooth) + 0.5 * share), smooth, rough, count)
