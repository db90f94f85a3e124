"""Headline smoothness: how still pedals, wheel and speed are kept where they are at work, against what is usual.

The literal ``1 - std / mean`` (B13-B16) tells a track's shape rather than a driver's touch, and is far below zero on
any brake trace. Here roughness is the root mean square of a rate: of the brake pressure while braking, of the throttle
pedal and of the steering wheel over the lap, and of the longitudinal acceleration (over a quarter of a second) in turns
off the brake, where a steady car changes its speed evenly. Smoothness is

    1 / (1 + 4 ** (ln(roughness / usual) / ln(rough / usual)))

1/2 for the usual lap, 1/5 for one at the roughest twentieth, 1 for perfect stillness; it never saturates.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.dptad.brake import find_braking_runs
from analysis.dptad.even_lap import DptadLap, grid_steps, rate_of_change, rolling_mean, root_mean_square
from analysis.dptad.handling import TURNING_G, HandlingBalance
from analysis.dptad.rules import Category
from analysis.dptad.thresholds import RoughnessScale
from conf.arrays import FloatArray

_EDGE_S: Final = 0.1
_ALONG_S: Final = 0.25
_OFF_BRAKE_BAR: Final = 2.0
_LEAST_POINTS: Final = 20  # a second


def measure_roughness(lap: DptadLap, handling: HandlingBalance) -> dict[Category, float]:
    """Root mean square rates of a lap: bar/s, %/s, deg/s, g/s; NaN where what they are taken of does not occur."""
    working = np.zeros(lap.t_s.shape, bool)
    edge = grid_steps(_EDGE_S)
    for start, end in find_braking_runs(lap):
        working[max(start - edge, 0) : end + edge] = True
    turning = (np.abs(handling.lat_g) >= TURNING_G) & (lap.brake_bar < _OFF_BRAKE_BAR)
    along = rate_of_change(rolling_mean(lap.long_g, grid_steps(_ALONG_S)))
    return {
        "brake": _rms_rates(rate_of_change(lap.brake_bar)[working]),
        "throttle": _rms_rates(rate_of_change(lap.throttle_pct)),
        "steering": _rms_rates(rate_of_change(lap.steering_deg)),
        "speed": _rms_rates(along[turning]),
    }


def smoothness_score(rough: float, scale: RoughnessScale) -> float:
    """Roughness on a scale of 0 to 1 (module docstring); NaN stays NaN."""
    if not rough > 0.0:
        return 1.0 if rough == 0.0 else np.nan
    return float(1.0 / (1.0 + 4.0 ** (np.log(rough / scale.usual) / np.log(scale.rough / scale.usual))))


def _rms_rates(x: FloatArray) -> float:
    return root_mean_square(x) if np.count_nonzero(np.isfinite(x)) >= _LEAST_POINTS else np.nan
