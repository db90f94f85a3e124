"""Sliding-window features of one vehicle (V11, V20-V22): the same code in the batch and in the live engine.

A window is ``(end - window_s, end]`` with its end on a whole second of event time. Its values depend only on the
samples inside ``(end - window_s - max_age_s, end]``, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.signals.held import (
    MAX_AGE_S,
    US_PER_S,
    Channels,
    HeldSignal,
    combine_signals,
    find_shifts,
    hold_samples,
    seconds_to_us,
    values_at,
)
from analysis.signals.moments import (
    WindowSeconds,
    concatenate_ranges,
    layout_window_seconds,
    merge_seconds,
    summarise_seconds,
    window_rate_rms,
    window_trend,
)
from conf.arrays import FloatArray, IntArray

WINDOW_S: Final = 10.0
COMPLETE_SHARE: Final = 0.9
RPM_BIN: Final = 1_000.0
RPM_OVERFLOW_BIN: Final = 8
ENGINE_TEMP_BIN_C: Final = 10.0

# A window is complete when each of these covers 90 % of it: every vehicle sends them, and each feeds a V22 feature.
CORE_CHANNELS: Final = ("speed_kmh", "rpm", "throttle_pct")
CHANNELS: Final = (
    *CORE_CHANNELS,
    "brake_front_bar",
    "steering_deg",
    "gear",
    "engine_load_pct",
    "engine_temp_c",
    "brake_temp_c",
    "accel_long_g",
    "accel_lat_g",
)


def hold_channels(
    t_us: IntArray, channels: Channels, max_age_s: float = MAX_AGE_S, names: Sequence[str] = CHANNELS
) -> dict[str, HeldSignal]:
    """Hold each of ``names``; one that is absent is empty.

    Raises:
        ValueError: If a channel's shape is not that of ``t_us``; the message names the channel.
    """
    held = {}
    for name in names:
        try:
            held[name] = hold_samples(t_us, channels.get(name, np.full(t_us.shape, np.nan)), max_age_s)
        except ValueError as error:
            raise ValueError(f"channel {name}: {error}") from error
    return held


def sample_instants(t_us: IntArray, channels: Channels) -> IntArray:
    """Distinct instants, ascending, at which any of ``CHANNELS`` has a value."""
    known = np.zeros(t_us.shape, dtype=bool)
    for name in CHANNELS:
        if name in channels:
            known |= np.isfinite(np.asarray(channels[name], dtype=np.float64))
    return np.unique(t_us[known])


def power_factor(rpm: HeldSignal, load_pct: HeldSignal) -> HeldSignal:
    """Engine speed times load as a fraction, 0-8000 (V22, VX4)."""
    return combine_signals(lambda n, load: n * load / 100.0, rpm, load_pct)


def window_ends(t_s: ArrayLike, window_s: float = WINDOW_S) -> FloatArray:
    """Window ends a vehicle's samples give: whole seconds reached by the data whose window holds a sample.

    Args:
        t_s: Shape (n,), event time of the samples, s.
        window_s: Length of a window, s.

    Returns:
        Whole seconds ``e`` with ``first sample < e <= last sample``, less those in gaps longer than a window.
    """
    t = np.unique(seconds_to_us(t_s))
    if t.size == 0:
        return np.empty(0)
    first = t // US_PER_S + 1
    spans = np.minimum(first + int(window_s), np.append(first[1:], t[-1] // US_PER_S + 1)) - first
    ends = np.repeat(first, spans) + concatenate_ranges(spans)
    return np.unique(ends).astype(np.float64)


def window_features(
    t_s: ArrayLike,
    channels: Channels,
    ends_s: ArrayLike,
    window_s: float = WINDOW_S,
    max_age_s: float = MAX_AGE_S,
) -> dict[str, NDArray[np.generic]]:
    """Features of the windows that end at ``ends_s`` for one vehicle of one session (GO-2).

    Root mean square accelerations and pedal rates (10 Hz grid) are there because they separate a hard foot from a fast
    stretch of road, which means over ten seconds cannot.
    Counts and bins that can be null are float arrays with NaN.

    Args:
        t_s: Shape (n,), event time in seconds, in any order.
        channels: Canonical channel name to shape (n,), NaN where it has no value at that instant. A name that is
            absent is a channel the source lacks: its features are NaN.
        ends_s: Shape (w,), whole seconds, in any order.
        window_s: Length of a window, whole seconds.
        max_age_s: Longest time a value holds, at most one second.

    Returns:
        Column name to array of shape (w,).

    Raises:
        ValueError: If an end or the length is not whole seconds, or a channel's shape is not that of ``t_s``.
    """
    frame = layout_window_seconds(ends_s, window_s, max_age_s)
    t_us = seconds_to_us(t_s) if np.size(t_s) else np.empty(0, np.int64)
    held = hold_channels(t_us, channels, max_age_s)
    power = power_factor(held["rpm"], held["engine_load_pct"])
    merged = {
        name: merge_seconds(summarise_seconds(signal, frame), frame)
        for name, signal in {**held, "power": power}.items()
    }
    rpm, load, brake = merged["rpm"], merged["engine_load_pct"], merged["brake_front_bar"]
    coverage = np.min([merged[name].held_us for name in CORE_CHANNELS], axis=0) / frame.window_us
    return {
        "n_samples": _n_samples(t_us, channels, frame),
        "rpm_avg_10s": rpm.mean,
        "rpm_std_10s": rpm.std,
        "rpm_min_10s": rpm.min,
        "rpm_max_10s": rpm.max,
        "rpm_range": rpm.max - rpm.min,
        "load_avg_10s": load.mean,
        "load_max_10s": load.max,
        "throttle_avg_10s": merged["throttle_pct"].mean,
        "throttle_std_10s": merged["throttle_pct"].std,
        "power_factor": values_at(power, frame.ends_us),
        "power_factor_avg_10s": merged["power"].mean,
        "power_factor_max_10s": merged["power"].max,
        "speed_avg_10s": merged["speed_kmh"].mean,
        "speed_std_10s": merged["speed_kmh"].std,
        "brake_avg_10s": brake.mean,
        "brake_max_10s": brake.max,
        "steering_std_10s": merged["steering_deg"].std,
        "gear_changes_10s": np.where(merged["gear"].held_us > 0, _gear_changes(held["gear"], frame, max_age_s), np.nan),
        "engine_temp_avg_10s": merged["engine_temp_c"].mean,
        "brake_temp_avg_10s": merged["brake_temp_c"].mean,
        "engine_temp_trend": window_trend(held["engine_temp_c"], frame),
        "brake_temp_trend": window_trend(held["brake_temp_c"], frame),
        "rpm_bin": rpm_bin(rpm.mean),
        "temp_bin": np.floor(merged["engine_temp_c"].mean / ENGINE_TEMP_BIN_C),
        "accel_lat_rms_10s": merged["accel_lat_g"].rms,
        "accel_long_rms_10s": merged["accel_long_g"].rms,
        "throttle_rate_rms_10s": window_rate_rms(held["throttle_pct"], frame),
        "brake_rate_rms_10s": window_rate_rms(held["brake_front_bar"], frame),
        "coverage": coverage,
        "is_complete": coverage >= COMPLETE_SHARE,
    }


def rpm_bin(rpm: FloatArray) -> FloatArray:
    """Bins of 1,000 1/min: 0 to 7, and 8 for 8,000 and more (VX5); NaN stays NaN."""
    return np.clip(np.floor(rpm / RPM_BIN), 0, RPM_OVERFLOW_BIN)


def _gear_changes(gear: HeldSignal, frame: WindowSeconds, max_age_s: float) -> FloatArray:
    """Changes between engaged gears in each window; through neutral (0) counts once."""
    changes = find_shifts(gear)
    start = frame.ends_us - frame.window_us
    # The gear before a change must lie in reach of the window, or it would count in a batch and not live.
    reach = np.searchsorted(changes.since_us, start - round(max_age_s * US_PER_S), side="right")
    first = np.maximum(np.searchsorted(changes.at_us, start, side="right"), reach)
    last = np.searchsorted(changes.at_us, frame.ends_us, side="right")
    return np.maximum(last - first, 0).astype(np.float64)


def _n_samples(t_us: IntArray, channels: Channels, frame: WindowSeconds) -> IntArray:
    t = sample_instants(t_us, channels)
    inside = np.searchsorted(t, [frame.ends_us - frame.window_us, frame.ends_us], side="right")
    return np.asarray(inside[1] - inside[0], dtype=np.int64)
