"""Buckets: time adds up, edges are half open, laps are kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.signals.buckets import BUCKET_KINDS, bucket_features

T = 1_757_181_600 + np.arange(0, 40, 0.1)
elapsed = np.round(T - T[0], 6)
LAP = np.where(elapsed < 20, 1.0, 2.0)


def rows(columns, **where):
    keep = np.ones(columns["bucket"].size, dtype=bool)
    for name, value in where.items():
        keep &= columns[name] == value
    return {name: column[keep].tolist() for name, column in columns.items()}


def test_time_in_the_buckets_of_a_lap_adds_up_to_the_lap():
    channels = {"rpm": 1000 + 8000 * np.random.default_rng(1).random(T.size), "speed_kmh": np.linspace(0, 200, T.size)}
    columns = bucket_features(T, channels, LAP)
    for kind in ("rpm", "speed"):
        for lap, seconds in ((1, 20.0), (2, 19.9)):  # the last sample holds for no time
            part = rows(columns, bucket_kind=kind, lap_number=lap)
            assert sum(part["seconds"]) == pytest.approx(seconds)
            assert sum(part["share"]) == pytest.approx(1.0)
    assert set(columns["bucket_kind"]) == {"rpm", "speed"}  # no temperature, no row of it


def test_edges_overflow_and_averages():
    rpm = np.where(elapsed < 5, 999.0, np.where(elapsed < 10, 1000.0, 8600.0))
    channels = {"rpm": rpm, "engine_temp_c": np.where(elapsed < 5, 80.0, 95.0)}
    columns = bucket_features(T, channels, np.where(elapsed < 20, 1.0, np.nan))
    part = rows(columns, bucket_kind="rpm")
    assert part["bucket"] == [0, 1, 8]
    assert part["bucket_low"] == [0.0, 1000.0, 8000.0]
    assert part["bucket_high"][:2] == [1000.0, 2000.0]
    assert np.isnan(part["bucket_high"][2])
    assert part["seconds"] == pytest.approx([5.0, 5.0, 10.0])
    assert part["engine_temp_avg_c"] == pytest.approx([80.0, 95.0, 95.0])
    assert np.isnan(part["brake_temp_avg_c"]).all()
    assert set(part["lap_number"]) == {1}


def test_thermal_trend_is_the_slope_of_the_lap():
    columns = bucket_features(T, {"rpm": np.full(T.size, 5000.0), "engine_temp_c": 70 + 0.2 * elapsed}, LAP)
    assert columns["thermal_trend_c_per_s"] == pytest.approx(0.2, rel=1e-3)


def test_no_samples_give_no_rows():
    columns = bucket_features([], {}, [])
    assert columns["bucket"].size == 0
    assert bucket_features(T, {"rpm": np.ones(T.size)}, np.full(T.size, np.nan))["bucket"].size == 0
    assert set(BUCKET_KINDS) == {"rpm", "engine_temp", "brake_temp", "speed"}


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 20.0])
def test_time_in_the_buckets_does_not_shrink_with_the_rate(rate_hz):
    t = T[0] + np.arange(0, 40 * rate_hz + 1) / rate_hz
    columns = bucket_features(t, {"rpm": 4000 + 2000 * np.sin(t - T[0])}, np.ones(t.size))
    assert columns["seconds"].sum() == pytest.approx(40.0)
    assert set(columns["reason"]) == {None}


def test_time_is_null_where_a_channel_is_missing_for_long():
    gap = (elapsed > 5) & (elapsed < 8)
    columns = bucket_features(T, {"rpm": np.where(gap, np.nan, 5000.0), "speed_kmh": np.full(T.size, 90.0)}, LAP)
    part = rows(columns, bucket_kind="rpm")
    assert np.isnan(part["seconds"][0])
    assert part["seconds"][1] == pytest.approx(19.9)
    assert part["reason"] == ["rpm has no value for 3.0 s of the lap, and 2.0 s are bridged", None]
    assert rows(columns, bucket_kind="speed", lap_number=1)["seconds"] == pytest.approx([20.0])
