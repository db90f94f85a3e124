"""Lap features on signals whose answer is known, and against real laps."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from analysis.laps.features import DeltaThresholds, LapLimits, channel_delta_rates, compute_lap_features
from analysis.signals.held import find_shifts, hold_samples, seconds_to_us, time_weighted_slope, values_at
from conf.contract import load_contract

JOINED_LATER = {
    *("session_id", "vehicle_id", "lap_number", "lap_time_ms", "sector_1_time", "sector_2_time", "sector_3_time"),
    *("is_valid", "is_synthetic", "air_temp_c", "track_temp_c", "updated_ts", "run_id"),
    *("lap_start_ts", "lap_end_ts", "driver_profile", "reasons"),
}
T = 1_757_181_600 + np.arange(0, 60.01, 0.05)
elapsed = np.round(T - T[0], 6)


def constant(value):
    return np.full(T.size, float(value))


def test_the_columns_are_those_of_the_contract():
    contract = {column.name for column in load_contract("gold.lap_features").columns}
    assert set(compute_lap_features(T, {})) == contract - JOINED_LATER


def test_statistics_are_weighted_by_time_and_not_by_samples():
    # 30 s at 100 km/h in 0.05 s steps, then 30 s at 200 km/h in 0.25 s steps: the mean is 150.
    t = 1000 + np.concatenate([np.arange(0, 30, 0.05), np.arange(30, 60.1, 0.25)])
    speed = np.where(t < 1030, 100.0, 200.0)
    lap = compute_lap_features(t, {"speed_kmh": speed}, end_s=1060.0)
    assert lap["speed_mean"] == pytest.approx(150.0)
    assert lap["speed_std"] == pytest.approx(50.0)
    assert (lap["speed_min"], lap["speed_max"]) == (100.0, 200.0)
    assert lap["corner_speed_loss"] == pytest.approx(0.5)
    assert lap["speed_consistency"] == pytest.approx(2 / 3)
    assert lap["coverage"] == pytest.approx(1.0)
    assert lap["telemetry_duration_s"] == pytest.approx(60.0)


def test_smoothness_keeps_the_raw_value_and_clips_the_published_one():
    brake = np.where(np.arange(T.size) % 10 == 0, 90.0, 0.0)
    lap = compute_lap_features(T, {"brake_front_bar": brake, "throttle_pct": constant(0.0)})
    assert lap["brake_smoothness_raw"] == pytest.approx(-2.0, abs=0.02)
    assert lap["brake_smoothness"] == 0.0
    assert math.isnan(lap["throttle_smoothness_raw"])  # its mean is zero


def test_steering_smoothness_is_that_of_the_angle_without_its_sign():
    left_right = np.where(np.arange(T.size) // 20 % 2 == 0, 30.0, -30.0)
    lap = compute_lap_features(T, {"steering_deg": left_right})
    assert lap["steering_abs_mean"] == pytest.approx(30.0)
    assert lap["steering_smoothness_raw"] == pytest.approx(1.0)


@pytest.mark.parametrize("rate_hz", [10, 20, 50])
def test_spikes_drops_and_corrections_do_not_depend_on_the_sample_rate(rate_hz):
    t = 1000 + np.arange(0, 60 * rate_hz + 1) / rate_hz
    into = np.round((t - 1000) % 10, 6)
    channels = {
        "brake_front_bar": np.where((into >= 5) & (into < 6), 60.0, 0.0),  # up by 60 bar in one 0.1 s step, six times
        "throttle_pct": np.where(into < 4.95, 100.0, 0.0),
        "steering_deg": np.where(into < 2.95, 0.0, 50.0),  # there and back
    }
    lap = compute_lap_features(t, channels)
    assert (lap["brake_spike_count"], lap["throttle_drop_count"], lap["steering_corrections"]) == (6, 6, 12)
    calm = DeltaThresholds(brake_spike_bar_per_s=700, throttle_drop_pct_per_s=1100, steering_deg_per_s=600, version=2)
    lap = compute_lap_features(t, channels, thresholds=calm)
    assert (lap["brake_spike_count"], lap["throttle_drop_count"], lap["steering_corrections"]) == (0, 0, 0)


def test_a_missing_channel_is_null_and_not_zero():
    lap = compute_lap_features(T, {"speed_kmh": constant(100)})
    for name in ("brake_spike_count", "throttle_drop_count", "gear_shift_count", "harsh_downshift_count"):
        assert lap[name] is None, name
    for name in (
        "rpm_max",
        "over_rev_s",
        "brake_energy_proxy",
        "power_factor_mean",
        "coasting_share",
        "engine_temp_rise_c",
    ):
        assert math.isnan(lap[name]), name


def test_loads_shares_and_temperatures():
    half = elapsed < 30
    lap = compute_lap_features(
        T,
        {
            "speed_kmh": constant(100),
            "brake_front_bar": np.where(half, 0.0, 20.0),
            "throttle_pct": np.where(elapsed < 15, 100.0, 0.0),
            "accel_lat_g": np.where(half, 1.2, -0.8),
            "accel_long_g": np.where(half, 0.3, -1.0),
            "rpm": np.where(half, 7600.0, 4000.0),
            "engine_load_pct": np.where(half, 50.0, 0.0),
            "engine_temp_c": 80 + elapsed / 6,
        },
    )
    assert lap["brake_energy_proxy"] == pytest.approx(30 * 20 * 100, rel=1e-3)
    assert lap["lateral_load_integral"] == pytest.approx(30 * 1.2 + 30 * 0.8, rel=1e-3)
    assert lap["long_load_integral"] == pytest.approx(39.0, rel=1e-3)
    assert (lap["max_long_g"], lap["min_long_g"], lap["max_abs_lat_g"]) == (0.3, -1.0, 1.2)
    assert lap["full_throttle_share"] == pytest.approx(0.25, abs=1e-3)
    assert lap["coasting_share"] == pytest.approx(0.25, abs=1e-3)
    assert lap["braking_share"] == pytest.approx(0.5, abs=1e-3)
    assert lap["over_rev_s"] == pytest.approx(30.0, abs=0.06)
    assert (lap["power_factor_max"], lap["power_factor_mean"]) == (3800.0, pytest.approx(1900.0, rel=1e-3))
    assert lap["engine_temp_rise_c"] == pytest.approx(10.0, rel=0.01)
    assert compute_lap_features(T, {"rpm": constant(7400)}, limits=LapLimits(rpm_limit=7300))[
        "over_rev_s"
    ] == pytest.approx(60.0, rel=1e-3)


def test_shifts_and_harsh_downshifts():
    gear = np.select([elapsed < 10, elapsed < 10.2, elapsed < 30, elapsed < 50], [4, 0, 3, 2], 3).astype(float)
    rpm = np.select([elapsed < 10, elapsed < 30, elapsed < 50], [5000, 6500, 7000], 5000).astype(float)
    lap = compute_lap_features(T, {"gear": gear, "rpm": rpm})
    assert lap["gear_shift_count"] == 3  # 4-N-3, 3-2, 2-3
    assert lap["harsh_downshift_count"] == 1  # only the first rises by more than 1,000 1/min
    assert compute_lap_features(T, {"gear": gear})["harsh_downshift_count"] is None


def test_samples_around_the_lap_only_feed_the_value_held_at_its_start():
    speed = np.where(elapsed < 20, 50.0, 100.0)
    lap = compute_lap_features(T, {"speed_kmh": speed}, start_s=T[0] + 20, end_s=T[0] + 40)
    assert lap["speed_min"] == 100.0
    assert lap["telemetry_duration_s"] == pytest.approx(20.0)
    assert lap["sample_count"] == 401


def test_a_clock_that_stands_still_gives_nulls_and_no_error():
    lap = compute_lap_features(np.full(50, 1000.0), {"speed_kmh": np.arange(50.0)})
    assert math.isnan(lap["speed_mean"])
    assert math.isnan(lap["coverage"])
    assert lap["sample_count"] == 1


def test_a_lap_without_samples_or_with_its_end_first_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        compute_lap_features([], {})
    with pytest.raises(ValueError, match="before its start"):
        compute_lap_features(T, {}, start_s=T[10], end_s=T[0])


def test_held_signal_primitives():
    held = hold_samples(seconds_to_us([0.0, 0.1, 0.1, 0.5]), [1.0, 2.0, 5.0, 7.0])
    assert held.value.tolist() == [1.0, 5.0, 7.0]  # of two values at one instant the larger holds
    assert values_at(held, seconds_to_us([-0.1, 0.05, 0.1, 0.39, 0.4, 0.79, 0.8])).tolist()[1:4] == [1.0, 5.0, 5.0]
    assert np.isnan(values_at(held, seconds_to_us([-0.1, 0.4, 0.8]))).all()
    assert time_weighted_slope(hold_samples(seconds_to_us(T), 3.0 * elapsed)) == pytest.approx(3.0, rel=1e-3)
    assert find_shifts(hold_samples(seconds_to_us([0.0, 0.1, 0.2]), [2.0, 0.0, 3.0])).since_us.tolist() == [0]


RENAMED = {
    "acc_x": "accel_long_g",
    "acc_y": "accel_lat_g",
    "throttle_pos": "throttle_pct",
    "brake_front": "brake_front_bar",
    "steering": "steering_deg",
    "rpm": "rpm",
    "speed": "speed_kmh",
    "gear": "gear",
}


@pytest.fixture(scope="module")
def real_lap(data_dir):
    """Lap 10 of one car at Indianapolis: (t_s, channels)."""
    frame = (
        pl.scan_parquet(data_dir / "grcup/indianapolis/indianapolis_r1_2cars_fullrace.parquet")
        .filter(pl.col("vehicle_id").str.starts_with("GR86-025"), pl.col("lap") == 10)
        .filter(pl.col("telemetry_name").is_in(list(RENAMED)))
        .select(pl.col("timestamp").dt.timestamp("us").alias("us"), "telemetry_name", "telemetry_value")
        .collect()
        .pivot(on="telemetry_name", index="us", values="telemetry_value", aggregate_function="first")
        .sort("us")
    )
    columns = {RENAMED[name]: frame[name].fill_null(np.nan).to_numpy() for name in RENAMED}
    return frame["us"].to_numpy() / 1e6, columns


def test_a_real_lap_is_covered_although_speed_comes_at_a_fifth_of_the_rate(real_lap):
    t, channels = real_lap
    lap = compute_lap_features(t, channels)
    assert 95 < lap["telemetry_duration_s"] < 110
    assert lap["coverage"] > 0.95
    assert 100 < lap["speed_mean"] < 180
    assert math.isnan(lap["power_factor_mean"])  # the car sends no load
    assert 1.0 < lap["max_abs_lat_g"] < 2.5
    assert 10 < lap["gear_shift_count"] < 60
    # Length of the road course, 3.88 km, from the time-weighted mean alone.
    assert lap["speed_mean"] / 3.6 * lap["telemetry_duration_s"] == pytest.approx(3880, rel=0.03)


def test_default_thresholds_pick_out_the_rare_rates_of_a_real_lap(real_lap):
    t, channels = real_lap
    thresholds = DeltaThresholds()
    brake = channel_delta_rates(t, channels["brake_front_bar"])
    steering = np.abs(channel_delta_rates(t, channels["steering_deg"]))
    assert np.mean(brake > thresholds.brake_spike_bar_per_s) < 0.02
    assert np.mean(steering > thresholds.steering_deg_per_s) < 0.05
