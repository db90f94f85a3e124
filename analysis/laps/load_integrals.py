"""Load integrals of a lap that wear grows with: work, and exposure to speed and heat.

All are means, so that laps of different length and coverage compare: over the way (weighted by speed and time) where a
law counts work, over time where it counts cycles or heat. Each is of the held signals (:mod:`analysis.signals.held`),
on the union of their instants, so a channel may come at a rate of its own. NaN where a channel it needs has no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import numpy as np

from analysis.signals.held import HeldSignal, align_signals, time_integral, time_weighted_stats
from conf.arrays import FloatArray
from conf.units import KMH_PER_MPS

RPM_EDGES: Final = (0.0, 0.6, 0.8, 0.9, 1.0)  # bands of engine speed, as shares of the limit
RPM_BANDS: Final = ("low", "mid", "high", "top")
RPM_POWER: Final = 8.0  # as fatigue by inertia counts it: stress by the square, damage by a power of that
TORQUE_POWER: Final = 6.0
HEAT_REFERENCE_C: Final = 90.0
HEAT_DOUBLING_K: Final = 10.0  # the ten-degree rule

_USED: Final = (
    "speed_kmh",
    "brake_front_bar",
    "brake_rear_bar",
    "brake_temp_c",
    "accel_long_g",
    "accel_lat_g",
    "rpm",
    "throttle_pct",
)


def load_integral_features(lap: Mapping[str, HeldSignal], rpm_limit: float) -> dict[str, float | int | None]:
    """Stress integrals of one lap.

    Args:
        lap: Channels, held and cut to the lap.
        rpm_limit: Engine speed above which time counts as over-rev, 1/min.
    """
    start, end, values = align_signals(*(lap[name] for name in _USED))
    seconds = (end - start) / 1e6
    at = dict(zip(_USED, values, strict=True))
    way_m = seconds * at["speed_kmh"] / KMH_PER_MPS
    front = at["brake_front_bar"]
    braked, along = way_m * front, at["accel_long_g"]
    return {
        "distance_km": time_integral(lap["speed_kmh"]) / 3600.0,
        "brake_load_bar": _mean(front, way_m),
        "brake_rear_load_bar": _mean(at["brake_rear_bar"], way_m),
        "brake_power_rms": float(np.sqrt(_mean((front * at["speed_kmh"]) ** 2, seconds))),
        "brake_temp_mean_c": time_weighted_stats(lap["brake_temp_c"]).mean,
        "brake_temp_braking_c": _mean(at["brake_temp_c"], braked),
        "lateral_work_g2": _mean(at["accel_lat_g"] ** 2, way_m),
        "grip_work_g2": _mean(at["accel_lat_g"] ** 2 + along**2, way_m),
        "drive_work_g2": _mean(np.maximum(along, 0.0) ** 2, way_m),
        "brake_work_g2": _mean(np.minimum(along, 0.0) ** 2, way_m),
        **_rpm_exposure(lap["rpm"], rpm_limit),
        "throttle_rpm_mean": _mean(at["throttle_pct"] / 100.0 * at["rpm"], seconds),
        "torque_power_mean_nm": _power_mean(lap["torque_nm"].map(lambda x: np.maximum(x, 0.0)), TORQUE_POWER),
        "engine_temp_mean_c": time_weighted_stats(lap["engine_temp_c"]).mean,
        "engine_heat_factor": time_weighted_stats(
            lap["engine_temp_c"].map(lambda c: np.asarray(2.0 ** ((c - HEAT_REFERENCE_C) / HEAT_DOUBLING_K)))
        ).mean,
    }


def _is_in_band(values: FloatArray, *, low: float, high: float) -> FloatArray:
    return ((values > low) & (values <= high)).astype(float)


def _rpm_exposure(rpm: HeldSignal, limit: float) -> dict[str, float | int | None]:
    """Exposure to engine speed: shares of the time in bands, a power mean, and how far over the limit for how long."""
    share = rpm.map(lambda n: n / limit)
    edges = zip(RPM_BANDS, RPM_EDGES[:-1], RPM_EDGES[1:], strict=True)
    over = rpm.map(lambda n: np.maximum(n - limit, 0.0))
    return {
        **{
            f"rpm_share_{name}": time_weighted_stats(share.map(partial(_is_in_band, low=low, high=high))).mean
            for name, low, high in edges
        },
        "rpm_power_mean": _power_mean(rpm, RPM_POWER),
        "over_rev_rpm_s": time_integral(over),
        "over_rev_peak_rpm": time_weighted_stats(over).max,
    }


def _power_mean(held: HeldSignal, power: float) -> float:
    """Steady value that does as much as the signal where damage grows with a power of it."""
    top = time_weighted_stats(held).max
    if not top > 0.0:
        return top
    return float(top * time_weighted_stats(held.map(lambda x: (x / top) ** power)).mean ** (1.0 / power))


def _mean(values: FloatArray, weights: FloatArray) -> float:
    """Weighted mean where both are known; NaN where no weight is left."""
    known = np.isfinite(values) & np.isfinite(weights)
    total = float(weights[known].sum())
    return float(np.dot(weights[known], values[known])) / total if total > 0.0 else np.nan
