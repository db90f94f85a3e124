"""Windows against a direct evaluation in plain Python, and the properties that batch and stream rest on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.signals.windows import CHANNELS, CORE_CHANNELS, window_ends, window_features

EPOCH_S = 1_757_181_600  # a race day: windows must be as exact there as near zero


def assert_same(a, b, tolerance=0.0):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(
            np.asarray(a[name], float), np.asarray(b[name], float), rtol=tolerance, atol=tolerance, err_msg=name
        )


def drive(seconds=40.0, rate_hz=23.0, slow_every=5, seed=3):
    """Noisy signals with a slow speed and rpm that share no instant with the other channels, as in the GR Cup."""
    rng = np.random.default_rng(seed)
    t = EPOCH_S + 0.2 + np.arange(int(seconds * rate_hz)) / rate_hz
    slow = t[::slow_every] + 0.011
    instants = np.sort(np.concatenate([t, slow]))
    channels = {}
    for name in CHANNELS:
        at = slow if name in {"speed_kmh", "rpm"} else t
        x = 50 + 30 * np.sin(at * rng.uniform(0.2, 2.0)) + rng.normal(0, 3, at.size)
        x = np.clip(np.round(x / 20), 0, 6) if name == "gear" else x
        channels[name] = np.full(instants.size, np.nan)
        channels[name][np.searchsorted(instants, at)] = x
    return instants, channels


@st.composite
def sparse_drives(draw):
    """A few channels at arbitrary instants, with gaps, equal instants and missing values."""
    n = draw(st.integers(1, 60))
    ms = draw(st.lists(st.integers(0, 14_000), min_size=n, max_size=n))
    value = st.one_of(st.none(), st.integers(0, 6), st.floats(-9e3, 9e3, allow_nan=False))
    channels = {
        name: np.array([np.nan if v is None else v for v in draw(st.lists(value, min_size=n, max_size=n))], float)
        for name in draw(st.sets(st.sampled_from(CHANNELS), min_size=1, max_size=4))
    }
    return EPOCH_S + np.array(ms) / 1000.0, channels


def held_pieces(t_s, values, lo, hi, max_age_s=0.3):
    """(start, end, value) of a channel's holds inside (lo, hi], in integer microseconds, the slow and plain way."""
    last = {}
    for t, v in zip(t_s, values, strict=True):
        if not math.isnan(v):
            us = round(float(t) * 1e6)
            last[us] = max(v, last.get(us, -math.inf))
    instants = sorted(last)
    pieces = []
    for i, us in enumerate(instants):
        end = us + round(max_age_s * 1e6)
        if i + 1 < len(instants):
            end = min(end, instants[i + 1])
        start, end = max(us, lo), min(end, hi)
        if start < end:
            pieces.append((start, end, last[us]))
    return pieces


def moments(pieces):
    total = math.fsum(e - s for s, e, _ in pieces)
    if not total:
        return math.nan, math.nan, math.nan, math.nan
    mean = math.fsum((e - s) * v for s, e, v in pieces) / total
    variance = math.fsum((e - s) * (v - mean) ** 2 for s, e, v in pieces) / total
    return mean, math.sqrt(variance), min(v for *_, v in pieces), max(v for *_, v in pieces)


def slope(pieces):
    if sum(e - s for s, e, _ in pieces) < 1_000_000:
        return math.nan
    total = math.fsum(e - s for s, e, _ in pieces) / 1e6
    origin = pieces[0][0]
    rows = [((e - s) / 1e6, ((s + e) / 2 - origin) / 1e6, v) for s, e, v in pieces]
    t_mean = math.fsum(w * t for w, t, _ in rows) / total
    x_mean = math.fsum(w * x for w, _, x in rows) / total
    cov = math.fsum(w * (t - t_mean) * (x - x_mean) for w, t, x in rows)
    return cov / math.fsum(w * (t - t_mean) ** 2 + w**3 / 12 for w, t, _ in rows)


def direct(t_s, channels, end_s):
    """A subset of the features of one window, straight from their definitions."""
    hi = int(end_s) * 1_000_000
    lo = hi - 10_000_000
    empty = np.full(len(t_s), np.nan)
    pieces = {name: held_pieces(t_s, channels.get(name, empty), lo, hi) for name in CHANNELS}
    rpm, load = pieces["rpm"], pieces["engine_load_pct"]
    power = [
        (max(a[0], b[0]), min(a[1], b[1]), a[2] * b[2] / 100.0)
        for a in rpm
        for b in load
        if max(a[0], b[0]) < min(a[1], b[1])
    ]
    m = {name: moments(p) for name, p in pieces.items()}
    lateral = m["accel_lat_g"]
    coverage = min(math.fsum(e - s for s, e, _ in pieces[name]) for name in CORE_CHANNELS) / 1e7
    return {
        "rpm_avg_10s": m["rpm"][0],
        "rpm_std_10s": m["rpm"][1],
        "rpm_min_10s": m["rpm"][2],
        "rpm_max_10s": m["rpm"][3],
        "rpm_range": m["rpm"][3] - m["rpm"][2],
        "load_max_10s": m["engine_load_pct"][3],
        "throttle_avg_10s": m["throttle_pct"][0],
        "throttle_std_10s": m["throttle_pct"][1],
        "power_factor_avg_10s": moments(power)[0],
        "power_factor_max_10s": moments(power)[3],
        "speed_std_10s": m["speed_kmh"][1],
        "brake_max_10s": m["brake_front_bar"][3],
        "steering_std_10s": m["steering_deg"][1],
        "engine_temp_trend": slope(pieces["engine_temp_c"]),
        "brake_temp_trend": slope(pieces["brake_temp_c"]),
        "accel_lat_rms_10s": math.hypot(lateral[0], lateral[1]),
        "coverage": coverage,
    }


@settings(deadline=None, max_examples=150)
@given(sparse_drives())
def test_batch_equals_the_definition_window_by_window(drive_):
    t, channels = drive_
    ends = EPOCH_S + np.arange(0, 26)
    batch = window_features(t, channels, ends)
    for i, end in enumerate(ends):
        for name, expected in direct(t, channels, end).items():
            scale = max(1.0, abs(expected) if not math.isnan(expected) else 1.0)
            np.testing.assert_allclose(
                batch[name][i], expected, rtol=1e-9, atol=1e-6 * scale if "std" in name else 1e-9 * scale
            )


def test_a_drive_equals_the_definition():
    t, channels = drive()
    ends = window_ends(t)
    batch = window_features(t, channels, ends)
    for i, end in enumerate(ends):
        for name, expected in direct(t, channels, end).items():
            np.testing.assert_allclose(batch[name][i], expected, rtol=1e-9, atol=1e-9, err_msg=name)


@settings(deadline=None, max_examples=100)
@given(sparse_drives(), st.integers(0, 25))
def test_a_window_depends_on_nothing_outside_it(drive_, offset):
    t, channels = drive_
    end = EPOCH_S + offset
    us = np.rint(t * 1e6).astype(np.int64)
    near = (us > (end * 1_000_000 - 10_300_000)) & (us <= end * 1_000_000)
    alone = window_features(t[near], {name: x[near] for name, x in channels.items()}, [end])
    among = window_features(t, channels, EPOCH_S + np.arange(0, 26))
    assert_same(alone, {name: column[offset : offset + 1] for name, column in among.items()})


@settings(deadline=None, max_examples=60)
@given(sparse_drives(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(drive_, random):
    t, channels = drive_
    order = list(range(t.size))
    random.shuffle(order)
    ends = window_ends(t)
    shuffled = window_features(t[order], {name: x[order] for name, x in channels.items()}, ends)
    assert_same(window_features(t, channels, ends), shuffled)


def test_sending_a_value_again_changes_only_the_sample_count():
    t = EPOCH_S + np.arange(0, 30, 0.1)
    x = 10.0 * np.repeat(np.arange(t.size // 2), 2)  # every value is sent twice, 0.1 s apart
    channels = {name: x % 7 if name == "gear" else x for name in CHANNELS}
    ends = EPOCH_S + np.arange(10, 30)
    often = window_features(t, channels, ends)
    seldom = window_features(t[::2], {name: v[::2] for name, v in channels.items()}, ends)
    assert np.all(often["n_samples"] == 100)
    assert np.all(seldom.pop("n_samples") == 50)
    often.pop("n_samples")
    assert_same(often, seldom, 1e-12)


def test_a_value_holds_for_three_tenths_of_a_second_and_no_longer():
    features = window_features([EPOCH_S + 1.0, EPOCH_S + 2.0], {"rpm": [1000.0, 4000.0]}, [EPOCH_S + 10])
    assert features["rpm_avg_10s"][0] == pytest.approx(2500.0)  # 0.3 s of each
    both = {"rpm": [1000.0, 4000.0], "speed_kmh": [1.0, 1.0], "throttle_pct": [1.0, 1.0]}
    assert window_features([EPOCH_S + 1.0, EPOCH_S + 2.0], both, [EPOCH_S + 10])["coverage"][0] == pytest.approx(0.06)


def test_last_power_factor_is_null_once_rpm_is_older_than_the_limit():
    t = EPOCH_S + np.array([9.65, 9.75, 9.9])
    channels = {"rpm": [6000.0, np.nan, np.nan], "engine_load_pct": [np.nan, 40.0, 50.0]}
    assert np.isnan(window_features(t, channels, [EPOCH_S + 10])["power_factor"][0])
    channels["rpm"][1] = 6200.0
    assert window_features(t, channels, [EPOCH_S + 10])["power_factor"][0] == pytest.approx(3100.0)
    # A sample on the very end of the window is its last value.
    at_end = window_features([EPOCH_S + 10.0], {"rpm": [5000.0], "engine_load_pct": [20.0]}, [EPOCH_S + 10])
    assert at_end["power_factor"][0] == pytest.approx(1000.0)


def test_a_missing_channel_is_null_and_not_zero():
    t, channels = drive()
    for name in ("engine_load_pct", "engine_temp_c", "gear"):
        del channels[name]
    features = window_features(t, channels, window_ends(t))
    for name in (
        "power_factor",
        "power_factor_avg_10s",
        "load_max_10s",
        "engine_temp_trend",
        "temp_bin",
        "gear_changes_10s",
    ):
        assert np.all(np.isnan(features[name])), name
    assert np.all(np.isfinite(features["rpm_std_10s"][10:]))


def test_trend_of_a_steady_rise():
    t = EPOCH_S + np.arange(0, 20, 1 / 23)
    features = window_features(t, {"engine_temp_c": 80 + 0.25 * (t - EPOCH_S)}, [EPOCH_S + 15])
    assert features["engine_temp_trend"][0] == pytest.approx(0.25, rel=1e-3)
    assert features["temp_bin"][0] == 8


@pytest.mark.parametrize(
    ("rpm", "expected"), [(0.0, 0), (999.9, 0), (1000.0, 1), (7999.0, 7), (8000.0, 8), (9500.0, 8)]
)
def test_rpm_bins(rpm, expected):
    t = EPOCH_S + np.arange(0, 10, 0.1)
    assert window_features(t, {"rpm": np.full(t.size, rpm)}, [EPOCH_S + 10])["rpm_bin"][0] == expected


def test_a_shift_through_neutral_is_one_change():
    t = EPOCH_S + np.arange(0, 10, 0.1)
    gear = np.repeat([3.0, 0.0, 4.0, 4.0, 3.0], 20)
    assert window_features(t, {"gear": gear}, [EPOCH_S + 10])["gear_changes_10s"][0] == 2


def test_rates_are_taken_on_the_ten_hertz_grid_at_any_sample_rate():
    expected = {}
    for rate_hz in (20, 30, 50):
        t = EPOCH_S + np.arange(0, 12 * rate_hz) / rate_hz
        throttle = 50 + 50 * np.sin(2 * np.pi * 0.5 * (t - EPOCH_S))
        expected[rate_hz] = window_features(t, {"throttle_pct": throttle}, [EPOCH_S + 11])["throttle_rate_rms_10s"][0]
    assert expected[50] == pytest.approx(50 * np.pi / math.sqrt(2), rel=0.01)
    assert expected[20] == pytest.approx(expected[50], rel=0.01)
    assert expected[30] == pytest.approx(expected[50], rel=0.01)


def test_complete_is_nine_tenths_of_speed_rpm_and_throttle():
    t = EPOCH_S + np.arange(0, 10, 0.1)
    for gap, expected in ((0.0, True), (1.0, True), (1.3, False)):
        keep = (t - EPOCH_S < 4) | (t - EPOCH_S >= 4 + gap)
        channels = {"speed_kmh": np.ones(t.size), "throttle_pct": np.ones(t.size), "rpm": np.where(keep, 1.0, np.nan)}
        assert window_features(t, channels, [EPOCH_S + 10])["is_complete"][0] == expected
    del channels["rpm"]
    assert not window_features(t, channels, [EPOCH_S + 10])["is_complete"][0]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 90_000), min_size=1, max_size=40))
def test_window_ends_are_the_seconds_with_data_behind_them(ms):
    t = EPOCH_S + np.array(ms) / 1000.0
    first, last = min(ms) / 1000, max(ms) / 1000
    expected = [e for e in range(92) if first < e <= last and any(e - 10 <= m / 1000 < e for m in ms)]
    assert window_ends(t).tolist() == [EPOCH_S + e for e in expected]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], {"rpm": [1.0]}, [10.5]), "ends_s\\[0\\] is 10.5"),
        (([1.0], {"rpm": [1.0]}, [10.0], 9.5), "window_s is 9.5"),
        (([1.0], {"rpm": [1.0, 2.0]}, [10.0]), "channel rpm"),
        (([np.nan], {"rpm": [1.0]}, [10.0]), "t_s\\[0\\] is nan"),
    ],
)
def test_bad_input_says_what_and_where(arguments, message):
    with pytest.raises(ValueError, match=message):
        window_features(*arguments)


def test_no_samples_give_empty_or_null_windows():
    assert window_ends([]).size == 0
    features = window_features([], {}, [EPOCH_S])
    assert features["n_samples"][0] == 0
    assert not features["is_complete"][0]
    assert window_features([], {}, [])["rpm_avg_10s"].shape == (0,)
