from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.distance import place_samples
from analysis.laps.resample import interpolate_samples, max_gap_s, resample_lap
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import circuit_from_track
from conf.track import load_track
from tests.unit.analysis import real_laps
from tests.unit.analysis.made_laps import drive

CIRCUIT = circuit_from_track(load_track("three-oaks"))


@pytest.fixture(scope="module")
def trace() -> LapTrace:
    lap = drive(CIRCUIT)
    return place_samples(lap.t_s, lap.channels, lap.lap_time_s, CIRCUIT)


def test_the_grid_is_even_and_ends_within_a_step_of_the_lap(trace: LapTrace) -> None:
    even = resample_lap(trace)
    assert even.sample_idx.tolist() == list(range(len(even.t_lap_s)))
    assert even.t_lap_s == pytest.approx(even.sample_idx * 0.01, abs=1e-12)
    assert trace.lap_time_s - 0.01 < even.t_lap_s[-1] <= trace.lap_time_s
    assert np.diff(even.lap_distance_m).min() >= 0
    assert even.lap_distance_m[0] == 0
    assert "lap_distance_m" not in even.channels
    assert all(np.isfinite(values).all() for values in even.channels.values())
    # A sample every 43 ms marks one row, or two where it falls midway.
    assert 1 - even.is_interpolated.mean() == pytest.approx(0.23, abs=0.03)


def test_continuous_channels_are_linear_and_the_gear_is_the_last_one(trace: LapTrace) -> None:
    even = resample_lap(trace)
    known = np.isfinite(trace.channels["speed_kmh"])
    inside = (even.t_lap_s >= trace.t_s[known][0]) & (even.t_lap_s <= trace.t_s[known][-1])
    straight = np.interp(even.t_lap_s, trace.t_s[known], trace.channels["speed_kmh"][known])
    assert even.channels["speed_kmh"][inside] == pytest.approx(straight[inside])
    assert set(even.channels["gear"]) <= set(trace.channels["gear"])
    before = np.searchsorted(trace.t_s, even.t_lap_s[50:-50], side="right") - 1
    assert np.array_equal(even.channels["gear"][50:-50], trace.channels["gear"][before])


@pytest.mark.parametrize(
    ("rate_hz", "gap_s", "empty"), [(23.0, 0.28, False), (23.0, 0.35, True), (4.6, 0.9, False), (4.6, 1.1, True)]
)
def test_nothing_is_read_across_a_gap(rate_hz: float, gap_s: float, empty: bool) -> None:
    before = np.arange(0.0, 10.0, 1 / rate_hz)
    t = np.concatenate([before, before + before[-1] + gap_s])
    at = np.arange(0.0, t[-1], 0.01)
    read = interpolate_samples(t, t * 2.0, at)
    inside = (at > before[-1] + 1e-9) & (at < before[-1] + gap_s - 1e-9)
    assert np.isnan(read[inside]).all() == empty
    assert read[~inside] == pytest.approx(2.0 * at[~inside])


def test_the_ends_hold_for_a_moment_only() -> None:
    t = np.arange(1.0, 2.0, 0.04)
    at = np.array([0.0, 0.69, 0.71, 1.0, t[-1] + 0.29, t[-1] + 0.31])
    read = interpolate_samples(t, np.full(t.size, 5.0), at)
    assert np.isnan(read).tolist() == [True, True, False, False, False, True]


def test_what_has_no_sample_stays_missing(trace: LapTrace) -> None:
    none = np.full(len(trace.t_s), np.nan)
    once = none.copy()
    once[100] = 1.0
    even = resample_lap(LapTrace(trace.t_s, trace.distance_m, {"a": none, "b": once}, trace.lap_time_s))
    assert np.isnan(even.channels["a"]).all()
    assert np.isfinite(even.channels["b"]).sum() == pytest.approx(60, abs=1)
    assert max_gap_s(np.empty(0)) == 0.3


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(st.floats(0.001, 1.5), min_size=1, max_size=60),
    values=st.lists(st.floats(-1e3, 1e3), min_size=60, max_size=60),
    held=st.booleans(),
)
def test_a_value_read_lies_between_its_neighbours(steps: list[float], values: list[float], held: bool) -> None:
    t = np.cumsum(steps)
    x = np.array(values[: len(t)])
    at = np.arange(0.0, t[-1] + 1.0, 0.05)
    read = interpolate_samples(t, x, at, held=held)
    ok = np.isfinite(read)
    before = np.clip(np.searchsorted(t, at, side="right") - 1, 0, len(t) - 1)
    after = np.clip(np.searchsorted(t, at), 0, len(t) - 1)
    low, high = np.minimum(x[before], x[after]), np.maximum(x[before], x[after])
    assert np.all(read[ok] >= low[ok] - 1e-9)
    assert np.all(read[ok] <= high[ok] + 1e-9)
    assert interpolate_samples(t, x, t, held=held) == pytest.approx(x)


def test_a_real_lap_has_rows_without_speed_exactly_in_its_reported_gaps(data_dir: Path) -> None:
    for lap in real_laps.barber(data_dir)[:4]:
        trace = lap.trace()
        even = resample_lap(trace)
        missing = np.isnan(even.channels["speed_kmh"])
        reported = np.zeros(len(missing), dtype=bool)
        for gap in trace.speed_gaps:
            reported |= (even.t_lap_s > gap.start_s) & (even.t_lap_s < gap.end_s)
        ends = (even.t_lap_s < 0.3) | (even.t_lap_s > lap.lap_time_s - 0.3)
        assert np.array_equal(missing[~ends], reported[~ends])
        assert 1.0 < even.channels["gear"][np.isfinite(even.channels["gear"])].mean() < 6.0
