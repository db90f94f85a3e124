"""Stress features of a lap: on signals whose answer is known, without what they need, and at the rates of real cars."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.features import LAP_CHANNELS, LapLimits, compute_lap_features
from analysis.laps.load_events import fatigue_range
from analysis.laps.load_integrals import explain_missing_integrals
from analysis.signals.held import hold_samples, seconds_to_us
from benchmarks.thinning import OLDER, moves, names, simulated

T = 1_757_181_600 + np.arange(0, 60.01, 0.05)
ELAPSED = T - T[0]
COUNTS = {"downshift_count", "skipped_gear_count", "impact_count"}


def constant(value: float) -> np.ndarray:
    return np.full(T.size, value)


def features(**channels: np.ndarray) -> dict[str, float | int | None]:
    return compute_lap_features(T, channels, T[0], T[0] + 60.0)


def test_a_steady_drive() -> None:
    lap = features(
        speed_kmh=constant(180.0), brake_front_bar=constant(10.0), brake_rear_bar=constant(8.0),
        accel_lat_g=constant(-1.5), accel_long_g=constant(0.5), rpm=constant(6_000.0), throttle_pct=constant(50.0),
        torque_nm=constant(200.0), engine_temp_c=constant(110.0), brake_temp_c=constant(300.0),
    )  # fmt: skip
    known = {
        "distance_km": 3.0, "brake_load_bar": 10.0, "brake_rear_load_bar": 8.0, "brake_power_rms": 1_800.0,
        "brake_temp_mean_c": 300.0, "brake_temp_braking_c": 300.0, "lateral_work_g2": 2.25, "drive_work_g2": 0.25,
        "grip_work_g2": 2.5,
        "brake_work_g2": 0.0, "rpm_share_mid": 1.0, "rpm_share_high": 0.0, "rpm_power_mean": 6_000.0,
        "over_rev_rpm_s": 0.0, "over_rev_peak_rpm": 0.0, "throttle_rpm_mean": 3_000.0, "torque_power_mean_nm": 200.0,
        "engine_temp_mean_c": 110.0, "engine_heat_factor": 4.0, "lateral_fatigue_g": 0.0, "impact_count": 0,
        "impact_max_g": 0.0,
    }  # fmt: skip
    assert {name: lap[name] for name in known} == pytest.approx(known)


def test_work_is_weighted_by_the_way_and_heat_by_work() -> None:
    fast = ELAPSED >= 30.0
    lap = features(
        speed_kmh=np.where(fast, 200.0, 100.0),
        brake_front_bar=np.where(fast, 30.0, 0.0),
        brake_temp_c=np.where(fast, 500.0, 100.0),
    )
    assert lap["brake_load_bar"] == pytest.approx(20.0, rel=0.01)
    assert lap["brake_temp_mean_c"] == pytest.approx(300.0, rel=0.01)
    assert lap["brake_temp_braking_c"] == pytest.approx(500.0)


def test_bands_of_engine_speed_and_over_revs() -> None:
    rpm = np.select([ELAPSED < 15, ELAPSED < 30, ELAPSED < 45, ELAPSED < 57], [4_000, 5_500, 6_500, 7_400], 8_500.0)
    lap = features(rpm=rpm)
    shares = [lap[f"rpm_share_{band}"] for band in ("low", "mid", "high", "top")]
    assert shares == pytest.approx([0.25, 0.25, 0.25, 0.2], abs=0.002)
    assert lap["over_rev_rpm_s"] == pytest.approx(3_000.0, rel=0.02)
    assert lap["over_rev_peak_rpm"] == pytest.approx(1_000.0)
    assert lap["over_rev_s"] == pytest.approx(3.0, abs=0.06)
    assert features(rpm=constant(7_000.0))["rpm_power_mean"] == pytest.approx(7_000.0)
    assert compute_lap_features(T, {"rpm": rpm}, limits=LapLimits(rpm_limit=9_000))["over_rev_peak_rpm"] == 0.0


def test_shifts_change_the_engine_speed_by_the_gears() -> None:
    gear = np.select([ELAPSED < 20, ELAPSED < 40], [3.0, 5.0], 2.0)
    per_kmh = np.select([gear == 5, gear == 3], [34.0, 47.0], 58.0)
    lap = features(gear=gear, speed_kmh=constant(120.0), rpm=120.0 * per_kmh)
    assert (lap["downshift_count"], lap["skipped_gear_count"]) == (1, 1)
    assert lap["downshift_rpm_max"] == pytest.approx(120.0 * (58 - 34))
    assert lap["shift_rpm_sum"] == pytest.approx(120.0 * (58 - 34 + 47 - 34))
    torque = np.where(ELAPSED % 10.0 < 5.0, 0.0, 200.0)
    pulled = features(gear=constant(3.0), speed_kmh=constant(120.0), rpm=constant(6_000.0), torque_nm=torque)
    force_n = 200.0 * (6_000.0 * 2 * np.pi / 60) / (120.0 / 3.6)
    assert pulled["drive_force_fatigue_n"] == pytest.approx(force_n * (6.0 / 2.0) ** 0.2, rel=0.03)
    assert features(gear=constant(3.0), speed_kmh=constant(120.0), rpm=constant(5_640.0))["downshift_rpm_max"] == 0.0


def test_a_lap_depends_on_two_seconds_beside_it_at_most() -> None:
    """What gold reads of a lap's neighbours; whatever else a car did is not the lap's."""
    rng = np.random.default_rng(4)
    channels = {name: rng.uniform(1.0, 5.0, T.size) for name in LAP_CHANNELS}
    channels["gear"] = np.repeat(rng.integers(2, 5, T.size // 40 + 1), 40)[: T.size].astype(float)
    channels["speed_kmh"] += 100.0
    near = (ELAPSED >= 18.0) & (ELAPSED <= 42.0)
    cut = compute_lap_features(T[near], {name: values[near] for name, values in channels.items()}, T[0] + 20, T[0] + 40)
    assert repr(cut) == repr(compute_lap_features(T, channels, T[0] + 20, T[0] + 40))


def test_a_knock_is_told_from_a_corner() -> None:
    corner = 1.2 * np.sin(2 * np.pi * ELAPSED / 6.0)
    knocks = np.zeros(T.size)
    knocks[[400, 402, 800]] = 0.6  # the first two are one: they are 0.1 s apart
    lap = features(accel_lat_g=corner + knocks, accel_long_g=constant(0.0))
    assert features(accel_lat_g=corner)["impact_count"] == 0
    assert lap["impact_count"] == 2
    assert lap["impact_max_g"] == pytest.approx(0.6, abs=0.05)
    assert lap["impact_sum_g"] == pytest.approx(1.2, abs=0.1)


@settings(max_examples=20)
@given(st.floats(0.1, 3.0), st.integers(1, 40), st.floats(0.5, 10.0))
def test_fatigue_is_the_range_of_one_cycle_a_kilometre(size: float, cycles: int, km: float) -> None:
    swings = np.tile([0.0, size], cycles + 1)[:-1]
    held = hold_samples(seconds_to_us(np.arange(swings.size) * 0.1), swings)
    assert fatigue_range(held, km) == pytest.approx(size * (cycles / km) ** 0.2)


@pytest.mark.parametrize("missing", [c for c in LAP_CHANNELS if c not in ("steering_deg", "engine_load_pct")])
def test_what_needs_a_channel_that_is_not_there_is_null(missing: str) -> None:
    rng = np.random.default_rng(2)
    channels = {name: rng.uniform(1.0, 5.0, T.size) for name in LAP_CHANNELS}
    channels["gear"] = np.repeat(rng.integers(2, 5, T.size // 40 + 1), 40)[: T.size].astype(float)
    channels["speed_kmh"] += 100.0
    whole = features(**channels)
    assert not [name for name in names() if whole[name] is None or math.isnan(float(whole[name] or 0.0))]
    rest = features(**{name: values for name, values in channels.items() if name != missing})
    gone = {name for name in names() if rest[name] is None or math.isnan(float(rest[name] or 0.0))}
    assert gone, missing
    assert {name for name in gone if rest[name] is None} <= COUNTS | {"gear_shift_count", "harsh_downshift_count"}
    assert all(rest[name] == whole[name] for name in names() if name not in gone)


def test_readings_too_far_apart_show_no_knock() -> None:
    slow = np.where(np.arange(T.size) % 4 == 0, 0.0, np.nan)  # 5 Hz
    lap = features(accel_lat_g=slow, speed_kmh=constant(100.0))
    assert lap["impact_count"] is None
    assert math.isnan(float(lap["impact_max_g"] or 0.0))
    assert lap["lateral_fatigue_g"] == 0.0


@pytest.mark.slow
def test_laps_stand_apart_at_the_rates_of_real_cars() -> None:
    """Speed and engine speed at 4.6 Hz, the rest at 23 Hz: docs/wear.md has the table."""
    found = {move.feature: move for move in moves(simulated(cars=6, laps=3))}
    for name, move in found.items():
        if name not in OLDER:
            assert move.of_spread < 0.4, move
            assert math.isnan(move.of_value) or move.of_value < 0.05, move
            assert move.correlation > 0.93, move


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 3.7, 20.0])
def test_integrals_are_the_same_at_every_rate(rate_hz: float) -> None:
    t = T[0] + np.arange(-3.0, 63.0, 1.0 / rate_hz)
    turn = 2 * np.pi * (t - T[0]) / 30.0
    channels = {
        "speed_kmh": 150.0 + 60.0 * np.cos(turn),
        "brake_front_bar": 20.0 + 20.0 * np.cos(turn),
        "accel_lat_g": 1.0 + 0.5 * np.sin(turn),
        "accel_long_g": -0.6 + 0.3 * np.cos(turn),
        "rpm": 6_000.0 + 2_000.0 * np.cos(turn),
    }
    lap = compute_lap_features(t, channels, T[0], T[0] + 60.0, limits=LapLimits(rpm_limit=3_900.0))
    assert lap["distance_km"] == pytest.approx(2.5, rel=2e-3)
    assert lap["brake_energy_proxy"] == pytest.approx(60.0 * (20 * 150 + 0.5 * 20 * 60), rel=5e-3)
    assert lap["lateral_load_integral"] == pytest.approx(60.0, rel=2e-3)
    assert lap["long_load_integral"] == pytest.approx(36.0, rel=2e-3)
    assert lap["over_rev_rpm_s"] == pytest.approx(126_000.0, rel=2e-3)
    assert lap["over_rev_s"] == pytest.approx(60.0, abs=1.0 / rate_hz + 0.01)


def test_an_integral_over_a_channel_with_a_gap_is_null_and_says_why() -> None:
    gap = (ELAPSED > 20.0) & (ELAPSED < 23.0)
    channels = {
        "speed_kmh": constant(100.0),
        "brake_front_bar": np.where(gap, np.nan, 5.0),
        "accel_lat_g": constant(1.0),
    }
    lap = compute_lap_features(T, channels, T[0], T[0] + 60.0)
    assert lap["distance_km"] == pytest.approx(5 / 3)
    assert math.isnan(float(lap["brake_energy_proxy"] or 0.0))
    start_us = round(T[0] * 1e6)
    reasons = explain_missing_integrals(seconds_to_us(T), channels, start_us, start_us + 60_000_000)
    assert reasons == {
        "brake_energy_proxy": "brake_front_bar has no value for 3.0 s of the lap, and 2.0 s are bridged",
        "long_load_integral": "accel_long_g is missing",
        "over_rev_s": "rpm is missing",
        "over_rev_rpm_s": "rpm is missing",
    }
