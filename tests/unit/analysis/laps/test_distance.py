from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.distance import distance_at_time_m, place_samples, time_at_distance_s
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.track import load_track
from tests.unit.analysis import real_laps
from tests.unit.analysis.made_laps import drive

CIRCUIT = circuit_from_track(load_track("three-oaks"))
ORIGIN = (33.5, -86.6)
POSITION = ("x_m", "y_m", "lat_deg", "lon_deg")


@pytest.mark.parametrize(
    ("drop", "source", "within_m"),
    [((), "sensor", 1.5), (("lap_distance_m",), "gps", 1.0), (("lap_distance_m", *POSITION), "integrated", 1.0)],
)
def test_the_best_source_there_is_gives_the_true_distance(drop, source, within_m) -> None:
    lap = drive(CIRCUIT, noise_m=0.3)
    trace = place_samples(lap.t_s, lap.without(*drop), lap.lap_time_s, CIRCUIT)
    assert trace.distance_source == source
    assert np.abs(trace.distance_m - lap.true_m).max() < within_m
    assert trace.end_m == CIRCUIT.length_m
    assert trace.speed_gaps == ()
    assert len(trace.passed_over) == ("sensor", "gps", "integrated").index(source)


def test_positions_in_degrees_are_used_with_a_circuit_tied_to_the_earth() -> None:
    lap = drive(CIRCUIT, origin_deg=ORIGIN, noise_m=0.3)
    tied = replace(CIRCUIT, origin_deg=ORIGIN)
    trace = place_samples(lap.t_s, lap.without("lap_distance_m"), lap.lap_time_s, tied)
    assert trace.distance_source == "gps"
    assert np.abs(trace.distance_m - lap.true_m).max() < 4.0  # the made lap's earth is a sphere


def test_without_a_circuit_distance_is_as_measured() -> None:
    lap = drive(CIRCUIT)
    slow = {"speed_kmh": lap.channels["speed_kmh"] * 0.98}
    trace = place_samples(lap.t_s, slow, lap.lap_time_s)
    assert trace.end_m == trace.driven_m == pytest.approx(0.98 * CIRCUIT.length_m, rel=1e-3)
    scaled = place_samples(lap.t_s, slow, lap.lap_time_s, CIRCUIT)
    assert scaled.end_m == CIRCUIT.length_m
    assert scaled.driven_m == trace.driven_m
    assert float(distance_at_time_m(scaled, lap.lap_time_s)) == CIRCUIT.length_m
    assert float(time_at_distance_s(scaled, CIRCUIT.length_m)) == lap.lap_time_s
    assert float(time_at_distance_s(scaled, 0.0)) == 0.0


@pytest.mark.parametrize("late_s", [-0.3, 0.0, 0.4])
def test_a_sensor_may_reset_beside_the_line(late_s: float) -> None:
    """The reading counts on over the line, or falls to zero a little before it."""
    lap = drive(CIRCUIT)
    reading, length = lap.channels["lap_distance_m"].copy(), CIRCUIT.length_m
    if late_s >= 0:
        reading[lap.t_s < late_s] += np.floor(length)
    else:
        reading[lap.t_s > lap.lap_time_s + late_s] -= np.floor(length)
    trace = place_samples(lap.t_s, {**lap.channels, "lap_distance_m": reading}, lap.lap_time_s, CIRCUIT)
    assert trace.distance_source == "sensor"
    assert np.abs(trace.distance_m - lap.true_m).max() < 2.0


def test_a_reading_that_is_up_to_a_fifth_of_a_second_old_is_evened_out() -> None:
    """GR Cup's sensor is: its age runs from 0 to 0.2 s and back in a beat of 2.6 s, 10 m at 50 m/s."""
    lap = drive(CIRCUIT)
    age = 0.2 * (lap.t_s / 2.6 % 1.0)
    stale = np.interp(lap.t_s - age, lap.t_s, lap.true_m)
    reading = np.where(np.isfinite(lap.channels["lap_distance_m"]), stale, np.nan)
    trace = place_samples(lap.t_s, {**lap.channels, "lap_distance_m": reading}, lap.lap_time_s, CIRCUIT)
    jitter = np.diff(trace.distance_m - lap.true_m)
    assert np.abs(jitter).max() < 0.5
    assert np.nanmax(np.abs(np.diff((reading - lap.true_m)[::5]))) > 5.0
    assert np.std(trace.distance_m - lap.true_m) < 0.5 * np.nanstd(reading - lap.true_m)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda t, d: np.where(t > 45, d - 2000, d), "resets in the middle"),
        (lambda t, d: np.where(t > 50, d + 300, d), "jumps by"),
        (lambda t, d: np.where((t > 30) & (t < 40), np.nan, d), r"no reading for 10\.\d s"),
        (lambda t, d: d * 0.8, "measures"),
        (lambda t, d: d * np.nan, "no readings"),
    ],
)
def test_a_sensor_that_cannot_be_is_passed_over_with_a_reason(spoil, reason) -> None:
    lap = drive(CIRCUIT)
    spoilt = {**lap.channels, "lap_distance_m": spoil(lap.t_s, lap.channels["lap_distance_m"])}
    trace = place_samples(lap.t_s, spoilt, lap.lap_time_s, CIRCUIT)
    assert trace.distance_source == "gps"
    assert re.search(reason, trace.passed_over[0].text)
    assert np.abs(trace.distance_m - lap.true_m).max() < 1.0


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        (lambda line, x, y: (x + 5_000, y), "beside the circuit's line"),
        (lambda line, x, y: (np.roll(x, 200), np.roll(y, 200)), "from the line"),
    ],
)
def test_positions_elsewhere_are_passed_over_with_a_reason(move, reason) -> None:
    lap = drive(CIRCUIT)
    x, y = move(CIRCUIT.line, lap.channels["x_m"], lap.channels["y_m"])
    channels = {**lap.without("lap_distance_m"), "x_m": x, "y_m": y}
    trace = place_samples(lap.t_s, channels, lap.lap_time_s, CIRCUIT)
    assert trace.distance_source == "integrated"
    assert reason in trace.passed_over[1].text


def test_an_interval_without_speed_is_reported() -> None:
    lap = drive(CIRCUIT)
    speed = np.where((lap.t_s > 20) & (lap.t_s < 22), np.nan, lap.channels["speed_kmh"])
    trace = place_samples(lap.t_s, {**lap.channels, "speed_kmh": speed}, lap.lap_time_s, CIRCUIT)
    (gap,) = trace.speed_gaps
    assert 19.7 < gap.start_s <= 20.0
    assert 22.0 <= gap.end_s < 22.3
    late = np.where(lap.t_s < 3, np.nan, lap.channels["speed_kmh"])
    assert place_samples(lap.t_s, {"speed_kmh": late}, lap.lap_time_s).speed_gaps[0].start_s == 0.0
    none = place_samples(lap.t_s, lap.without("speed_kmh"), lap.lap_time_s, CIRCUIT)
    assert [(gap.start_s, gap.end_s) for gap in none.speed_gaps] == [(0.0, lap.lap_time_s)]
    assert np.abs(none.distance_m - lap.true_m).max() < 5.0


def test_no_source_at_all_is_an_error_that_names_them() -> None:
    t = np.arange(0.0, 90.0, 0.1)
    with pytest.raises(ValueError, match=r"sensor: no readings; gps: .*; integrated: no speed"):
        place_samples(t, {"gear": np.ones(len(t))}, 90.0, CIRCUIT)


def test_wrong_arrays_are_named() -> None:
    with pytest.raises(ValueError, match="speed_kmh has shape"):
        place_samples([0.0, 1.0], {"speed_kmh": [1.0]}, 2.0)
    with pytest.raises(ValueError, match="rising"):
        place_samples([1.0, 0.0], {"speed_kmh": [1.0, 1.0]}, 2.0)
    with pytest.raises(ValueError, match="lap_time_s is 0"):
        place_samples([0.0], {"speed_kmh": [1.0]}, 0)


@settings(max_examples=20, deadline=None)
@given(noise=st.floats(0, 4), seed=st.integers(0, 99), drop=st.sampled_from(["lap_distance_m", "x_m"]))
def test_distance_never_falls_and_stays_on_the_lap(noise: float, seed: int, drop: str) -> None:
    lap = drive(CIRCUIT, noise_m=noise, seed=seed)
    rng = np.random.default_rng(seed)
    channels = lap.without(drop)
    if "lap_distance_m" in channels:
        channels["lap_distance_m"] = channels["lap_distance_m"] + rng.normal(0, noise, len(lap.t_s))
    trace = place_samples(lap.t_s, channels, lap.lap_time_s, CIRCUIT)
    assert np.diff(trace.distance_m).min() >= 0.0
    assert trace.distance_m[0] >= 0.0
    assert trace.distance_m[-1] <= CIRCUIT.length_m
    assert np.abs(trace.distance_m - lap.true_m).max() < 3.0 + 3 * noise


def test_lengths_of_real_laps(data_dir: Path) -> None:
    """Barber's timing works with 3.701 km and VIR's with 5.263 km; the sensor and the speed say so too."""
    barber = [lap.trace() for lap in real_laps.barber(data_dir)]
    vir = [lap.trace() for lap in real_laps.vir(data_dir)]
    indianapolis = [lap.trace() for lap in real_laps.indianapolis(data_dir)]
    assert {trace.distance_source for trace in barber + indianapolis} == {"sensor"}
    assert {trace.distance_source for trace in vir} == {"integrated"}
    for laps, length, spread in ((barber, 3701, 25), (vir, 5266, 15), (indianapolis, 3888, 12)):
        assert [trace.driven_m for trace in laps] == pytest.approx([length] * len(laps), abs=spread)


def test_real_sources_agree(data_dir: Path) -> None:
    laps = real_laps.barber(data_dir)
    circuit: Circuit = build_from_positions([lap.trace() for lap in laps], "barber").circuit
    apart = []
    for lap in laps:
        sensor, gps = lap.trace(circuit), lap.trace(circuit, without=("lap_distance_m",))
        speed = lap.trace(circuit, without=("lap_distance_m", "lat_deg", "lon_deg"))
        assert [t.distance_source for t in (sensor, gps, speed)] == ["sensor", "gps", "integrated"]
        apart.append([np.std(sensor.distance_m - gps.distance_m), np.std(speed.distance_m - gps.distance_m)])
    assert np.median(apart, axis=0) == pytest.approx([0, 0], abs=8)
