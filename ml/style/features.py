"""Inputs and classes of the driving-style model (V16, V22, V24)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from conf.arrays import Float32Array
from conf.errors import InputError

NORMAL: Final = "NORMAL"
AGGRESSIVE: Final = "AGGRESSIVE"
LABELS: Final = (NORMAL, AGGRESSIVE)

_CHASSIS: Final = (
    "rpm_avg_10s",
    "rpm_std_10s",
    "rpm_min_10s",
    "rpm_max_10s",
    "rpm_range",
    "throttle_avg_10s",
    "throttle_std_10s",
    "speed_avg_10s",
    "speed_std_10s",
    "brake_avg_10s",
    "brake_max_10s",
    "steering_std_10s",
    "gear_changes_10s",
    "accel_lat_rms_10s",
    "accel_long_rms_10s",
    "throttle_rate_rms_10s",
    "brake_rate_rms_10s",
)
_POWERTRAIN: Final = (
    "load_avg_10s",
    "load_max_10s",
    "power_factor",
    "power_factor_avg_10s",
    "power_factor_max_10s",
    "engine_temp_trend",
    "brake_temp_trend",
)

# The order is the model's: an ONNX file carries the names it was trained with.
STYLE_FEATURES: Final = (*_CHASSIS, *_POWERTRAIN)
# For sources that send neither load nor temperatures (GR Cup); accelerations and pedals they do send.
CHASSIS_FEATURES: Final = _CHASSIS

EXCLUDED: Final[Mapping[str, str]] = {
    "session_id": "names the answer: one vehicle of one session has one driver",
    "vehicle_id": "names the answer: one vehicle of one session has one driver",
    "window_end_ts": "time of day, not driving",
    "window_start_ts": "time of day, not driving",
    "driver_profile": "the label's source",
    "style_label": "the label",
    "label_source": "tells synthetic from real",
    "is_synthetic": "tells synthetic from real",
    "n_samples": "the source's sample rate",
    "coverage": "the source's gaps",
    "is_complete": "the source's gaps",
    "engine_temp_avg_10s": "follows the weather and the time since the start; its trend is in",
    "brake_temp_avg_10s": "follows the weather and the time since the start; its trend is in",
    "temp_bin": "engine_temp_avg_10s, coarser",
    "rpm_bin": "rpm_avg_10s, coarser",
}

_PROFILES: Final = {"aggressive": AGGRESSIVE, "normal": NORMAL, "eco": NORMAL, "safe": NORMAL}


def style_label(driver_profile: str) -> str:
    """Class of a driver profile: aggressive is ``AGGRESSIVE``; eco, safe and normal are ``NORMAL`` (VX1).

    Raises:
        InputError: If the profile is unknown.
    """
    try:
        return _PROFILES[driver_profile]
    except KeyError:
        raise InputError(f"driver_profile '{driver_profile}' has no class: use one of {', '.join(_PROFILES)}") from None


def feature_vector(features: Mapping[str, float], names: Sequence[str]) -> Float32Array:
    """The model's input in the model's order, shape (n,). Random forests compare in single precision."""
    return np.array([features[name] for name in names], dtype=np.float32)


def unavailable_features(features: Mapping[str, float], names: Sequence[str]) -> list[str]:
    """Names of the features that are missing or not finite."""
    return [name for name in names if not np.isfinite(features.get(name, np.nan))]
