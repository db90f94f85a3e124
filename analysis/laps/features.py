"""Features of one lap from its telemetry alone (B32 as a superset; GO-1), the same in batch and stream.

What needs timing, weather or a track reference (lap and sector times, validity, corner exit efficiency) is joined
elsewhere. Statistics are weighted by time over the part of the lap in which the channel has a value. Integrals are over
the whole lap, or missing with a reason (:mod:`analysis.signals.integrals`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from analysis.laps.full_throttle import DOWN_SHARE, is_full_throttle, throttle_plateau_pct
from analysis.laps.load_events import load_event_features
from analysis.laps.load_integrals import integrate_lap, load_integral_features
from analysis.signals.held import (
    MAX_AGE_S,
    US_PER_S,
    Channels,
    HeldSignal,
    clip_signal,
    combine_signals,
    find_shifts,
    grid_rates,
    hold_samples,
    seconds_to_us,
    time_weighted_stats,
    values_at,
)
from analysis.signals.integrals import MAX_GAP_S
from analysis.signals.windows import CHANNELS, hold_channels, power_factor, sample_instants
from conf.arrays import BoolArray, FloatArray

FEATURE_VERSION: Final = 3
LAP_CHANNELS: Final = (*CHANNELS, "brake_rear_bar", "torque_nm")
# A value holds for 0.3 s, half a second after a downshift decides whether it was harsh, and an integral reads its value
# at the line off the samples on both sides: a lap's features depend on its samples and on those this far from it alone.
REACH_US: Final = round(MAX_GAP_S * US_PER_S)
MEAN_EPS: Final = 1e-6  # below this mean a ratio to it is undefined (BX3)
DOWNSHIFT_S: Final = 0.5

LapFeatures = dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class DeltaThresholds:
    """Rates counted as events on the 10 Hz grid, in unit per second (BX5, section "Formulas" 1).

    Calibrate on a session's 99th percentile (:func:`channel_delta_rates`), then freeze under a new ``version``.
    """

    brake_spike_bar_per_s: float = 300.0
    throttle_drop_pct_per_s: float = 500.0
    steering_deg_per_s: float = 300.0
    version: int = 1


@dataclass(frozen=True, slots=True)
class LapLimits:
    """Where a pedal counts as pressed and an engine as over-revved.

    Attributes:
        rpm_limit: Engine speed above which time counts as over-rev, 1/min; take the vehicle's own.
        harsh_downshift_rpm: Rise of engine speed within 0.5 s of a downshift that makes it harsh, 1/min; in GR Cup
            races about one downshift in thirty exceeds the default.
        throttle_on_pct: Throttle from which the pedal is pressed, %.
        brake_on_bar: Front pressure from which the brake is pressed, bar.
    """

    rpm_limit: float = 7_500.0
    harsh_downshift_rpm: float = 1_000.0
    throttle_on_pct: float = 5.0
    brake_on_bar: float = 2.0


def compute_lap_features(
    t_s: ArrayLike,
    channels: Channels,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    thresholds: DeltaThresholds = DeltaThresholds(),
    limits: LapLimits = LapLimits(),
    max_age_s: float = MAX_AGE_S,
) -> LapFeatures:
    """Features of one lap of one vehicle.

    Args:
        t_s: Shape (n,), event time in seconds, in any order; may reach beyond the lap.
        channels: Canonical channel name to shape (n,), NaN where it has no value at that instant.
        start_s: Start of the lap; the first sample by default.
        end_s: End of the lap; the last sample by default.
        thresholds: What counts as a spike, a drop, a correction.
        limits: What counts as coasting, braking, over-rev.
        max_age_s: Longest time a value holds, s.

    Returns:
        Column name to value: NaN (or None, for a count) where a channel it needs has no value in the lap.

    Raises:
        ValueError: If there is no sample, the lap ends before it starts, or a channel's shape is not that of ``t_s``.
    """
    t_us = seconds_to_us(t_s)
    if t_us.size == 0:
        raise ValueError("t_s is empty: a lap needs at least one sample; skip laps without any")
    start = int(t_us.min()) if start_s is None else int(seconds_to_us(start_s)[0])
    end = int(t_us.max()) if end_s is None else int(seconds_to_us(end_s)[0])
    if end < start:
        raise ValueError(f"the lap ends at {end / US_PER_S} s, before its start at {start / US_PER_S} s: check end_s")
    whole = hold_channels(t_us, channels, max_age_s, LAP_CHANNELS)
    lap = {name: clip_signal(signal, start, end) for name, signal in whole.items()}
    duration = (end - start) / US_PER_S
    instants = sample_instants(t_us, channels)
    integrals = integrate_lap(whole, start, end, limits.rpm_limit)
    return {
        **_statistics(lap),
        **_delta_counts(whole, start, end, thresholds),
        **_engine(lap, whole, start, end, limits),
        **_loads(lap),
        **_shares(lap, limits),
        **integrals,
        **load_integral_features(lap, limits.rpm_limit),
        **load_event_features(lap, whole, start, end, integrals["distance_km"]),
        "telemetry_duration_s": duration,
        "sample_count": int(np.count_nonzero((instants >= start) & (instants <= end))),
        "coverage": float(lap["speed_kmh"].seconds.sum()) / duration if duration > 0 else np.nan,
        "feature_version": FEATURE_VERSION,
    }


def channel_delta_rates(t_s: ArrayLike, values: ArrayLike, max_age_s: float = MAX_AGE_S) -> FloatArray:
    """A channel's rates of change on the 10 Hz grid, unit per second, to calibrate :class:`DeltaThresholds` on."""
    t_us = seconds_to_us(t_s)
    rates = grid_rates(hold_samples(t_us, values, max_age_s), int(t_us.min()), int(t_us.max()))
    return rates[np.isfinite(rates)]


def _statistics(lap: dict[str, HeldSignal]) -> LapFeatures:
    """Mean, std, min, max (B1) and the smoothness ratios (B13-B16)."""
    out: LapFeatures = {}
    names = {
        "speed": "speed_kmh",
        "throttle": "throttle_pct",
        "brake": "brake_front_bar",
        "steering_angle": "steering_deg",
    }
    for prefix, name in names.items():
        s = time_weighted_stats(lap[name])
        out |= {f"{prefix}_mean": s.mean, f"{prefix}_std": s.std, f"{prefix}_min": s.min, f"{prefix}_max": s.max}
    turned = time_weighted_stats(lap["steering_deg"].map(np.abs))
    out |= {"steering_abs_mean": turned.mean, "steering_abs_std": turned.std}
    ratios = {
        "brake_smoothness": time_weighted_stats(lap["brake_front_bar"]),
        "throttle_smoothness": time_weighted_stats(lap["throttle_pct"]),
        # A signed angle has a mean near zero; its size has not (BX3).
        "steering_smoothness": turned,
        "speed_consistency": time_weighted_stats(lap["speed_kmh"]),
    }
    for name, s in ratios.items():
        raw = 1.0 - s.std / s.mean if abs(s.mean) >= MEAN_EPS else np.nan
        out |= {f"{name}_raw": raw, name: float(np.clip(raw, 0.0, 1.0))}
    speed = time_weighted_stats(lap["speed_kmh"])
    # Named a loss by B16, yet it grows with the speed that is kept (BX4).
    out["corner_speed_loss"] = speed.min / speed.max if speed.max > 0 else np.nan
    return out


def _delta_counts(whole: dict[str, HeldSignal], start: int, end: int, thresholds: DeltaThresholds) -> LapFeatures:
    """Events on the 10 Hz grid, counted as B13-B15 write them; None where no rate is known."""

    def count(name: str, is_event: Callable[[FloatArray], BoolArray]) -> int | None:
        rates = grid_rates(whole[name], start, end)
        rates = rates[np.isfinite(rates)]
        return int(np.count_nonzero(is_event(rates))) if rates.size else None

    return {
        "brake_spike_count": count("brake_front_bar", lambda r: r > thresholds.brake_spike_bar_per_s),
        "throttle_drop_count": count("throttle_pct", lambda r: r < -thresholds.throttle_drop_pct_per_s),
        "steering_corrections": count("steering_deg", lambda r: np.abs(r) > thresholds.steering_deg_per_s),
    }


def _engine(
    lap: dict[str, HeldSignal], whole: dict[str, HeldSignal], start: int, end: int, limits: LapLimits
) -> LapFeatures:
    rpm, load = time_weighted_stats(lap["rpm"]), time_weighted_stats(lap["engine_load_pct"])
    power = time_weighted_stats(power_factor(lap["rpm"], lap["engine_load_pct"]))
    engine_temp = lap["engine_temp_c"].value
    return {
        "rpm_mean": rpm.mean,
        "rpm_std": rpm.std,
        "rpm_max": rpm.max,
        **_shift_counts(whole["gear"], whole["rpm"], start, end, limits),
        "engine_load_mean": load.mean,
        "engine_load_max": load.max,
        "power_factor_mean": power.mean,
        "power_factor_max": power.max,
        "engine_temp_max_c": time_weighted_stats(lap["engine_temp_c"]).max,
        "brake_temp_max_c": time_weighted_stats(lap["brake_temp_c"]).max,
        "engine_temp_rise_c": float(engine_temp[-1] - engine_temp[0]) if engine_temp.size else np.nan,
    }


def _shift_counts(gear: HeldSignal, rpm: HeldSignal, start: int, end: int, limits: LapLimits) -> LapFeatures:
    if clip_signal(gear, start, end).value.size == 0:
        return {"gear_shift_count": None, "harsh_downshift_count": None}
    changes = find_shifts(gear)
    inside = (changes.at_us > start) & (changes.at_us <= end)
    down = inside & (changes.after < changes.before)
    # Engine speed in the old gear against the highest in the half second after, on the samples' own instants.
    before = values_at(rpm, changes.since_us[down])
    after = changes.at_us[down][:, None] + np.arange(0, round(DOWNSHIFT_S * US_PER_S) + 1, 50_000)
    rise = np.fmax.reduce(values_at(rpm, after), axis=1) - before
    has_rpm = clip_signal(rpm, start, end).value.size > 0
    harsh = int(np.count_nonzero(rise > limits.harsh_downshift_rpm)) if has_rpm else None
    return {"gear_shift_count": int(inside.sum()), "harsh_downshift_count": harsh}


def _loads(lap: dict[str, HeldSignal]) -> LapFeatures:
    lateral, along = lap["accel_lat_g"].map(np.abs), lap["accel_long_g"]
    return {
        "max_long_g": time_weighted_stats(along).max,
        "min_long_g": time_weighted_stats(along).min,
        "max_abs_lat_g": time_weighted_stats(lateral).max,
    }


def _shares(lap: dict[str, HeldSignal], limits: LapLimits) -> LapFeatures:
    """Shares of the time in which the pedals are known."""
    throttle, brake = lap["throttle_pct"], lap["brake_front_bar"]
    plateau_pct = throttle_plateau_pct(throttle.value, seconds=throttle.seconds)
    neither = combine_signals(
        lambda x, p: ((x < limits.throttle_on_pct) & (p < limits.brake_on_bar)).astype(np.float64), throttle, brake
    )
    return {
        "full_throttle_share": time_weighted_stats(
            throttle.map(lambda x: is_full_throttle(x, plateau_pct, DOWN_SHARE).astype(np.float64))
        ).mean,
        "coasting_share": time_weighted_stats(neither).mean,
        "braking_share": time_weighted_stats(brake.map(lambda p: (p >= limits.brake_on_bar).astype(np.float64))).mean,
    }
