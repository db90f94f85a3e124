"""Full throttle, relative to what a car's own readings come to with the pedal down.

What a pedal reads when it is down differs by car and driver: a sensor ends at 96.5 %, a foot stops at 92. A fixed limit
takes all of such a lap for lifted. The plateau of a lap is the level that its throttle reaches for a twentieth of its
samples; every lap has more at full throttle than that, and single readings beyond it do not move it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from conf.arrays import BoolArray, FloatArray

FULL_SHARE: Final = 0.97
"""Of its plateau, from which a throttle is fully open: where it shows what the car can do."""
DOWN_SHARE: Final = 0.9
"""Of its plateau, from which a driver's foot is down: a foot wavers, and what is less is a lift."""

_PLATEAU_QUANTILE: Final = 0.95
_OWN_SHARE: Final = 0.9  # of the car's plateau, below which a lap was driven with less than full throttle
_MOST_PCT: Final = 100.0


def throttle_plateau_pct(
    throttle_pct: FloatArray, car_pct: float | None = None, seconds: FloatArray | None = None
) -> float:
    """What the throttle reads at full throttle, %; NaN where there are no readings.

    Args:
        throttle_pct: Readings of one lap, NaN where there is none.
        car_pct: Plateau of the car over the session, where it is known. A lap that comes nowhere near it, behind a
            safety car for instance, never was at full throttle: the car's plateau stands.
        seconds: How long each reading holds, where they do not come evenly.
    """
    known = np.isfinite(throttle_pct)
    if not known.any():
        own = np.nan
    else:
        weights = None if seconds is None else seconds[known]
        found = np.quantile(throttle_pct[known], _PLATEAU_QUANTILE, method="inverted_cdf", weights=weights)
        own = min(float(found), _MOST_PCT)
    return car_pct if car_pct is not None and not own >= _OWN_SHARE * car_pct else own


def is_full_throttle(throttle_pct: FloatArray, plateau_pct: float, share: float = FULL_SHARE) -> BoolArray:
    """Mark readings at full throttle, shape as given; false where there is none or no plateau is known."""
    return np.asarray(throttle_pct >= share * plateau_pct)
