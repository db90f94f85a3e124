"""The score: from damage per km to karma, what made it, and how long parts last; pure (K12).

``karma = 100 * 2^(-d / d_ref)``: 100 for no wear, 50 for a lap that wears as the reference does, 25 for twice that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from conf.arrays import FloatArray

_FEWEST_FOR_TREND: Final = 3


def karma_score(damage_per_km: npt.ArrayLike, reference: npt.ArrayLike) -> FloatArray:
    """Score of a damage per km, 0 to 100.

    Args:
        damage_per_km: Any shape.
        reference: Damage per km that scores 50, above zero.
    """
    return np.asarray(100.0 * np.exp2(-np.asarray(damage_per_km) / np.asarray(reference)))


def overall_karma(scores: Sequence[float]) -> float:
    """Return the mean of the components, counting the weakest twice."""
    return (sum(scores) + min(scores)) / (len(scores) + 1)


@dataclass(frozen=True)
class RemainingLife:
    """Remaining life of a part that was new at the start of the session.

    Attributes:
        laps: From here, at the rate of the last laps; zero once it is worn.
        low: Lower end of the interval.
        high: Upper end.
    """

    laps: float
    low: float
    high: float


def estimate_remaining_life(damages: Sequence[float], factor: float, rate_laps: int) -> RemainingLife:
    """Estimate the remaining laps.

    Args:
        damages: Of the laps so far, each a share of a life.
        factor: By what damages may be too low or too high, all of them alike: a part that wears faster than others
            did so from its first lap on, and nobody sees it.
        rate_laps: Laps that the rate is the mean of.
    """
    total, recent = sum(damages), damages[-rate_laps:]
    rate = sum(recent) / len(recent)

    def remaining(times: float) -> float:
        return max(1.0 - times * total, 0.0) / (times * rate) if rate > 0 else math.inf

    return RemainingLife(remaining(1.0), remaining(factor), remaining(1.0 / factor))


def karma_trend(scores: Sequence[float], rate_laps: int) -> float | None:
    """Slope over the last scores, points a lap; ``None`` before the third."""
    recent = scores[-rate_laps:]
    if len(recent) < _FEWEST_FOR_TREND:
        return None
    return float(np.polyfit(np.arange(len(recent)), recent, 1)[0])
