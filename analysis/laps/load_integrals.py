"""Integrals of a lap, and the loads that wear grows with: work, and exposure to speed and heat.

An integral is from line to line, or not told (:mod:`analysis.signals.integrals`). A load is a mean, so that laps of
different length and coverage compare: over the way (weighted by speed and time) where a law counts work, over time
where it counts cycles or heat. Each is of the held signals (:mod:`analysis.signals.held`), on the union of their
instants, so a channel may come at a rate of its own. NaN where a channel it needs has no value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np

from analysis.signals.held import Channels, HeldSignal, align_signals, hold_samples, time_weighted_stats
from analysis.signals.integrals import MAX_GAP_S, describe_gap, integrate_signals, longest_gap_s
from conf.arrays import FloatArray, IntArray
from conf.units import KMH_PER_MPS

RPM_EDGES: Final = (0.0, 0.6, 0.8, 0.9, 1.0)  # bands of engine speed, as shares of the limit
RPM_BANDS: Final = ("low", "mid", "high", "top")
RPM_POWER: Final = 8.0  # as fatigue by inertia counts it: stress by the square, damage by a power of that
TORQUE_POWER: Final = 6.0
HEAT_REFERENCE_C: Final = 90.0
HEAT_DOUBLING_K: Final = 10.0  # the ten-degree rule
INTEGRALS: Final = {
    "distance_km": ("speed_kmh",),
    "brake_energy_proxy": ("brake_front_bar", "speed_kmh"),
    "lateral_load_integral": ("accel_lat_g",),
    "long_load_integral": ("accel_long_g",),
    "over_rev_s": ("rpm",),
    "over_rev_rpm_s": ("rpm",),
}
"""Integrals of a lap, with the channels that each needs."""

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


def integrate_lap(whole: Mapping[str, HeldSignal], start_us: int, end_us: int, rpm_limit: float) -> dict[str, float]:
    """Integrals of one lap, NaN where a channel has no sample for too long.

    Args:
        whole: Channels, beyond the lap where they are known.
        start_us: Start of the lap.
        end_us: Its end.
        rpm_limit: Engine speed above which time counts as over-rev, 1/min.
    """
    functions: dict[str, Callable[..., FloatArray]] = {
        "distance_km": lambda v: v / 3600.0,
        "brake_energy_proxy": np.multiply,
        "lateral_load_integral": np.abs,
        "long_load_integral": np.abs,
        "over_rev_s": lambda n: (n > rpm_limit).astype(np.float64),
        "over_rev_rpm_s": lambda n: np.maximum(n - rpm_limit, 0.0),
    }
    return {
        column: integrate_signals(functions[column], start_us, end_us, *(whole[name] for name in channels))
        for column, channels in INTEGRALS.items()
    }


def explain_missing_integrals(t_us: IntArray, channels: Channels, start_us: int, end_us: int) -> dict[str, str]:
    """Say why integrals of a lap are missing, by column.

    Args:
        t_us: Shape (n,), instants in microseconds, in any order; may reach beyond the lap.
        channels: Canonical channel name to shape (n,), NaN where it has no value at that instant.
        start_us: Start of the lap.
        end_us: Its end.
    """
    needed = {name for names in INTEGRALS.values() for name in names}
    nothing = np.full(t_us.shape, np.nan)
    gaps = {name: longest_gap_s(hold_samples(t_us, channels.get(name, nothing)), start_us, end_us) for name in needed}
    too_long = {name: describe_gap(name, gap_s) for name, gap_s in gaps.items() if gap_s > MAX_GAP_S}
    reasons = {column: [too_long[n] for n in names if n in too_long] for column, names in INTEGRALS.items()}
    return {column: "; ".join(found) for column, found in reasons.items() if found}


def load_integral_features(lap: Mapping[str, HeldSignal], rpm_limit: float) -> dict[str, float | int | None]:
    """Loads of one lap.

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
