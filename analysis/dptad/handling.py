"""The handling of a car: the steering it needs, and where it oversteers or understeers.

In steady cornering a bicycle with an understeer gradient K needs, at the steering wheel of ratio SR and wheelbase L,

    delta = SR (L / R + K a_y),   1 / R = a_y / v^2

(Gillespie, Fundamentals of Vehicle Dynamics, 1992, eq. 6-15; Milliken and Milliken, Race Car Vehicle Dynamics, 1995,
ch. 5; the test is ISO 4138), the same as a_y = v^2 delta / (SR L (1 + K' v^2)). So ``SR L`` (deg m) and ``SR K``
(deg/g) come from a lap by linear regression of steering on a_y / v^2 and a_y. What is steered beyond that is an excess
of steering, understeer; less than that, or the other way, is oversteer. The lateral acceleration follows the wheel by
about a tenth of a second, so steering is compared with the acceleration that late.

The model is each lap's own: an incident is a departure from how the car handles on that lap, whatever its set-up, and
needs no vehicle file. Neither the mounting of the lateral sensor nor the zero of the steering sensor is trusted: the
sign of the one is that with which it follows the steering over the lap, the zero of the other is part of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.dptad.even_lap import DptadLap, grid_steps, rolling_mean
from conf.arrays import BoolArray, FloatArray
from conf.units import GRAVITY_MPS2, KMH_PER_MPS

TURNING_G: Final = 0.4  # a GR86 turns at 0.8 to 1.6 g; banking and road crown stay below this
SLOWEST_KMH: Final = 45.0  # below, a_y / v^2 is the noise of both
FOLLOWS_S: Final = 0.1
_SMOOTHED: Final = grid_steps(
    0.25
)  # a car answers no faster; what is quicker than that is sawing at the wheel, or a kerb
_LEAST_POINTS: Final = 200  # ten seconds
_ROUNDS: Final = 8


@dataclass(frozen=True, slots=True)
class SteeringModel:
    """Steering that a car needs in steady cornering.

    Attributes:
        gain_deg_m: Steering wheel angle per path curvature, ``SR L``.
        understeer_deg_per_g: Further angle per lateral acceleration, ``SR K``.
        zero_deg: What the sensor shows straight ahead.
    """

    gain_deg_m: float
    understeer_deg_per_g: float
    zero_deg: float


@dataclass(frozen=True, eq=False)
class HandlingBalance:
    """Handling balance over one lap, shape (n,) each.

    Attributes:
        lat_g: Smoothed lateral acceleration with the sign of the steering that causes it; NaN where not known.
        excess_deg: Steering beyond what the car needs, positive is understeer, negative oversteer; NaN where the car
            does not turn or a channel is missing.
    """

    lat_g: FloatArray
    excess_deg: FloatArray


def signed_lateral_g(lap: DptadLap) -> FloatArray:
    """Lateral acceleration, smoothed, and turned over where it runs against the steering over the lap as a whole."""
    lateral = rolling_mean(lap.lat_g, _SMOOTHED)
    known = np.isfinite(lateral) & np.isfinite(lap.steering_deg)
    if np.count_nonzero(known) < _LEAST_POINTS:
        return lateral
    steered = lap.steering_deg[known] - np.median(lap.steering_deg[known])
    return lateral if float(np.dot(steered, lateral[known])) >= 0.0 else -lateral


def fit_steering(lap: DptadLap) -> SteeringModel | None:
    """The steering model of a lap; ``None`` where it turns for less than ten seconds or lacks a channel.

    Robust least squares (Huber weights beyond two standard deviations), because the incidents sought are in it.
    """
    lateral = signed_lateral_g(lap)
    steered, terms, known = _regression(lap, lateral)
    if np.count_nonzero(known & (np.abs(lateral) >= TURNING_G)) < _LEAST_POINTS:
        return None
    x, y = terms[known], steered[known]
    weight = np.ones(y.size)
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
        off = np.abs(y - x @ solution)
        scale = max(1.4826 * float(np.median(off)), 1e-6)
        weight = np.minimum(1.0, 2.0 * scale / np.maximum(off, 1e-9))
    gain, understeer, zero = solution.tolist()
    return SteeringModel(gain, understeer, zero)


def assess_handling(lap: DptadLap) -> HandlingBalance:
    """Excess steering over a lap."""
    lateral = signed_lateral_g(lap)
    model = fit_steering(lap)
    if model is None:
        return HandlingBalance(lateral, np.full(lateral.shape, np.nan))
    steered, terms, known = _regression(lap, lateral)
    needed = terms @ np.array([model.gain_deg_m, model.understeer_deg_per_g, model.zero_deg])
    turning = known & (np.abs(lateral) >= TURNING_G)
    return HandlingBalance(lateral, np.where(turning, (steered - needed) * np.sign(lateral), np.nan))


def _regression(lap: DptadLap, lateral_g: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Steering a moment before, the model's three terms, and where all are known and the car moves."""
    late = grid_steps(FOLLOWS_S)
    steered = np.full(lap.steering_deg.shape, np.nan)
    steered[late:] = rolling_mean(lap.steering_deg, _SMOOTHED)[:-late]
    with np.errstate(divide="ignore", invalid="ignore"):
        curvature_per_m = lateral_g * GRAVITY_MPS2 / (lap.speed_kmh / KMH_PER_MPS) ** 2
    terms = np.column_stack([curvature_per_m, lateral_g, np.ones(lateral_g.size)])
    return steered, terms, np.isfinite(steered) & np.isfinite(terms).all(axis=1) & (lap.speed_kmh >= SLOWEST_KMH)
