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

from analysis.dptad.brake import braking
from analysis.dptad.even_lap import DptadLap, rate, rms, rolling_mean, steps
from analysis.dptad.handling import TURNING_G, HandlingBalance
from analysis.dptad.rules import Category
from analysis.dptad.thresholds import RoughnessScale
from conf.arrays import FloatArray

_EDGE_S: Final = 0.1
_ALONG_S: Final = 0.25
_OFF_BRAKE_BAR: Final = 2.0
_LEAST_POINTS: Final = 20  # a second


def roughness(lap: DptadLap, handling: HandlingBalance) -> dict[Category, float]:
    """Root mean square rates of a lap: bar/s, %/s, deg/s, g/s; NaN where what they are taken of does not occur."""
    working = np.zeros(lap.t_s.shape, bool)
    edge = steps(_EDGE_S)
    for start, end in braking(lap):
        working[max(start - edge, 0) : end + edge] = True
    turning = (np.abs(handling.lat_g) >= TURNING_G) & (lap.brake_bar < _OFF_BRAKE_BAR)
    along = rate(rolling_mean(lap.long_g, steps(_ALONG_S)))
    return {
        "brake": _of(rate(lap.brake_bar)[working]),
        "throttle": _of(rate(lap.throttle_pct)),
        "steering": _of(rate(lap.steering_deg)),
        "speed": _of(along[turning]),
    }


def smoothness(rough: float, scale: RoughnessScale) -> float:
    """Roughness on a scale of 0 to 1 (module docstring); NaN stays NaN."""
    if not rough > 0.0:
        return 1.0 if rough == 0.0 else np.nan
    return float(1.0 / (1.0 + 4.0 ** (np.log(rough / scale.usual) / np.log(scale.rough / scale.usual))))


def _of(x: FloatArray) -> float:
    return rms(x) if np.count_nonzero(np.isfinite(x)) >= _LEAST_POINTS else np.nan
