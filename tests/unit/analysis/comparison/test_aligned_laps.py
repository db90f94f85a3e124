from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.comparison.aligned_laps import align_laps, compare_laps
from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import circuit_from_track
from conf.track import load_track
from tests.unit.analysis import real_laps
from tests.unit.analysis.made_laps import MadeLap, drive, pace_of

CIRCUIT = circuit_from_track(load_track("three-oaks"))
PACE = pace_of(CIRCUIT)
POSITION = ("x_m", "y_m")


def traced(lap: MadeLap, *drop: str) -> LapTrace:
    return place_samples(lap.t_s, lap.without(*drop), lap.lap_time_s, CIRCUIT)


@pytest.mark.parametrize(("drop", "by"), [((), "position"), (POSITION, "distance")])
@pytest.mark.parametrize("circuit", [CIRCUIT, None])
def test_a_lap_against_itself_is_zero_everywhere(drop, by, circuit) -> None:
    lap = traced(drive(CIRCUIT, noise_m=0.5), *drop)
    same = compare_laps(lap, lap, circuit)
    assert same.aligned_by == by
    assert not same.delta_s.any()
    for values in same.difference.values():
        assert not np.nan_to_num(values).any()
        assert np.isfinite(values).mean() > 0.99


@settings(max_examples=15, deadline=None)
@given(
    gain=st.floats(0.85, 1.1), noise=st.floats(0, 1), step=st.floats(1.0, 30.0), drop=st.sampled_from([(), POSITION])
)
def test_at_the_line_the_delta_is_the_difference_of_the_lap_times(gain, noise, step, drop) -> None:
    reference = traced(drive(CIRCUIT, noise_m=noise))
    lap = traced(drive(CIRCUIT, PACE * gain, noise_m=noise, seed=2), *drop)
    both = compare_laps(lap, reference, CIRCUIT, step)
    assert both.distance_m[0] == 0.0
    assert both.distance_m[-1] == CIRCUIT.length_m
    assert np.diff(both.distance_m).max() <= step + 1e-9
    assert np.diff(both.distance_m).min() > 0.0
    assert both.delta_s[0] == 0.0
    assert abs(both.delta_s[-1] - (lap.lap_time_s - reference.lap_time_s)) < 1e-9


@settings(max_examples=15, deadline=None)
@given(at=st.floats(300, 2600), seed=st.integers(0, 9))
def test_a_detour_costs_its_time_where_it_was_and_moves_nothing_else(at: float, seed: int) -> None:
    """80 m off the road and back: before it nothing, after it the time it took."""
    reference = traced(drive(CIRCUIT, noise_m=0.1, seed=seed))
    plain = traced(drive(CIRCUIT, PACE * 0.97, noise_m=0.1, seed=seed + 20))
    made = drive(CIRCUIT, PACE * 0.97, noise_m=0.1, seed=seed + 20, detour=(at, 80.0))
    detour = place_samples(made.t_s, made.channels, made.lap_time_s, CIRCUIT)
    before, after = compare_laps(plain, reference, CIRCUIT), compare_laps(detour, reference, CIRCUIT)
    change = after.delta_s - before.delta_s
    lost = made.lap_time_s - plain.lap_time_s
    assert change[before.distance_m < at - 60] == pytest.approx(0.0, abs=0.03)
    assert change[before.distance_m > at + 60] == pytest.approx(lost, abs=0.03)
    # By distance alone the whole lap would be shifted.
    blind = compare_laps(traced(made, *POSITION), traced(drive(CIRCUIT), *POSITION), CIRCUIT)
    assert blind.aligned_by == "distance"


def test_the_deltas_are_those_that_were_driven() -> None:
    gain = np.where((CIRCUIT.line.s_m > 1000) & (CIRCUIT.line.s_m < 1500), 0.9, 1.0)
    lap, reference = traced(drive(CIRCUIT, PACE * gain)), traced(drive(CIRCUIT))
    both = compare_laps(lap, reference, CIRCUIT)
    lost = lap.lap_time_s - reference.lap_time_s
    assert both.delta_s[both.distance_m < 950] == pytest.approx(0.0, abs=0.03)
    assert both.delta_s[both.distance_m > 1550] == pytest.approx(lost, abs=0.03)
    inside = (both.distance_m > 1020) & (both.distance_m < 1480)
    assert both.difference["speed_kmh"][inside] == pytest.approx(-0.1 * both.reference["speed_kmh"][inside], abs=1.0)


def test_without_a_circuit_the_reference_lends_its_line() -> None:
    reference, lap = traced(drive(CIRCUIT, noise_m=0.2)), traced(drive(CIRCUIT, PACE * 0.95, noise_m=0.2, seed=1))
    with_circuit, without = compare_laps(lap, reference, CIRCUIT), compare_laps(lap, reference)
    assert without.aligned_by == "position"
    share = with_circuit.distance_m / with_circuit.distance_m[-1]
    own = np.interp(share, without.distance_m / without.distance_m[-1], without.delta_s)
    assert own == pytest.approx(with_circuit.delta_s, abs=0.05)


def test_a_pedal_is_not_compared_with_a_blade() -> None:
    lap = traced(drive(CIRCUIT))
    channels = dict(lap.channels)
    channels["throttle_blade_pct"] = channels.pop("throttle_pct")
    both = compare_laps(replace(lap, channels=channels), lap, CIRCUIT)
    assert np.isnan(both.difference["throttle_pct"]).all()
    blades = {**lap.channels, "throttle_blade_pct": channels["throttle_blade_pct"]}
    both = compare_laps(replace(lap, channels=channels), replace(lap, channels=blades), CIRCUIT)
    assert not np.nan_to_num(both.difference["throttle_pct"]).any()
    assert np.isfinite(both.difference["throttle_pct"]).all()


def test_a_missing_channel_is_missing_and_not_zero() -> None:
    lap = traced(drive(CIRCUIT))
    mute = replace(lap, channels={k: v for k, v in lap.channels.items() if k != "brake_front_bar"})
    assert np.isnan(compare_laps(lap, mute, CIRCUIT).difference["brake_front_bar"]).all()


def test_real_laps_of_two_tracks(data_dir: Path) -> None:
    for laps in (real_laps.barber(data_dir), real_laps.indianapolis(data_dir)):
        circuit = build_from_positions([lap.trace() for lap in laps], "x").circuit
        lap, reference = laps[-1].trace(circuit), laps[0].trace(circuit)
        started = time.perf_counter()
        both = compare_laps(lap, reference, circuit)
        assert time.perf_counter() - started < 0.5
        assert both.aligned_by == "position"
        assert both.delta_s[-1] == pytest.approx(laps[-1].lap_time_s - laps[0].lap_time_s, abs=1e-9)
        # Over any 100 m the delta grows by the integral of the difference of the paces, where there is speed.
        pace = 3.6 / both.lap["speed_kmh"] - 3.6 / both.reference["speed_kmh"]
        by_speed = np.convolve(pace, np.full(20, 5.0), mode="valid")
        grown = (both.delta_s[20:] - both.delta_s[:-20])[: len(by_speed)]
        known = np.isfinite(by_speed[: len(grown)])
        assert known.mean() > 0.75
        assert np.std((grown - by_speed[: len(grown)])[known]) < 0.08


def test_real_laps_aligned_by_position_agree_with_distance(data_dir: Path) -> None:
    laps = real_laps.indianapolis(data_dir)
    circuit = build_from_positions([lap.trace() for lap in laps], "x").circuit
    traces = [lap.trace(circuit) for lap in laps if lap.car == "GR86-006-7"]
    for lap, reference in zip(traces[1:], traces[:-1], strict=True):
        by_position = align_laps(lap, reference, circuit)
        by_distance = replace(by_position, lap=lap, reference=reference, aligned_by="distance")
        grid = np.arange(0.0, circuit.length_m, 5.0)
        assert np.std(by_position.delta_s(grid) - by_distance.delta_s(grid)) < 0.15
