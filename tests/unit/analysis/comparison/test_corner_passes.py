"""How one lap passes each corner: what was driven is found, what is not known is null, and comparisons say the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.comparison.corner_passes import corner_pass_rows, unmeasured_rows
from analysis.comparison.corner_report import build_corner_report
from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.contract import load_contract
from conf.reasons import ReasonCode, Refusal
from conf.track import load_track, track_names
from conf.units import KMH_PER_MPS
from tests.unit.analysis import real_laps
from tests.unit.analysis.comparison.moved_line import move_line
from tests.unit.analysis.made_laps import drive, pace_of

CIRCUIT = circuit_from_track(load_track("three-oaks"))
PACE = pace_of(CIRCUIT)
OF_LAP = {"session_id", "vehicle_id", "lap_number", "is_synthetic", "updated_ts", "run_id"}
FIGURES = {
    "entry_speed_kmh": "entry_kmh",
    "min_speed_kmh": "min_kmh",
    "exit_speed_kmh": "exit_kmh",
    "brake_m": "brake_m",
    "throttle_m": "throttle_m",
}


def traced(circuit: Circuit = CIRCUIT, pace: np.ndarray | None = None, **how: Any) -> LapTrace:
    lap = drive(circuit, pace, **how)
    return place_samples(lap.t_s, lap.channels, lap.lap_time_s, circuit)


def changed(lap: LapTrace, **channels: np.ndarray | None) -> LapTrace:
    """The lap with other channels; without those that are ``None``."""
    whole = {name: values for name, values in {**lap.channels, **channels}.items() if values is not None}
    return place_samples(lap.t_s, whole, lap.lap_time_s, CIRCUIT)


def by_corner(trace: LapTrace, circuit: Circuit = CIRCUIT) -> dict[int, dict[str, Any]]:
    return {row["corner"]: row for row in corner_pass_rows(trace, circuit)}


def agrees(lap: LapTrace, reference: LapTrace, circuit: Circuit) -> int:
    """Compare both with their corner report; returns how many figures there were."""
    report = build_corner_report(lap, reference, circuit, car_plateaus_pct=(100.0, 100.0))
    passes, theirs = by_corner(lap, circuit), by_corner(reference, circuit)
    compared = 0
    for piece in report.pieces:
        if piece.corner is None:
            continue
        for own, figures in ((passes, piece.lap), (theirs, piece.reference)):
            for column, figure in FIGURES.items():
                assert own[piece.corner][column] == pytest.approx(getattr(figures, figure), abs=1e-9), column
                compared += getattr(figures, figure) is not None
        both = passes[piece.corner], theirs[piece.corner]
        if None not in (before := [row["brake_before_apex_m"] for row in both]):
            assert piece.brake_earlier_m == pytest.approx(before[0] - before[1], abs=1e-6)
        if None not in (after := [row["throttle_after_apex_m"] for row in both]):
            assert piece.throttle_later_m == pytest.approx(after[0] - after[1], abs=1e-6)
    return compared


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(track_names()), moved=st.floats(0, 2000), gain=st.floats(0.7, 1.05), seed=st.integers(0, 9))
def test_a_comparison_of_laps_says_the_same(name: str, moved: float, gain: float, seed: int) -> None:
    circuit = move_line(circuit_from_track(load_track(name)), moved)
    pace = pace_of(circuit)
    reference = traced(circuit, pace, noise_m=0.3, seed=seed + 50)
    for lap in (traced(circuit, pace * gain, noise_m=0.3, seed=seed), reference):
        assert agrees(lap, reference, circuit) > 2 * len(circuit.corners)


def test_comparisons_of_published_laps_say_the_same(data_dir: Path) -> None:
    for laps in (real_laps.barber(data_dir), real_laps.indianapolis(data_dir)):
        circuit = build_from_positions([lap.trace() for lap in laps], "x").circuit
        for one, two in pairwise([lap.trace(circuit) for lap in laps[:6]]):
            assert agrees(one, two, circuit) > 50


def test_rows_are_those_of_the_table() -> None:
    columns = set(load_contract("gold.corner_passes").column_names) - OF_LAP - {"reason"}
    passed = corner_pass_rows(traced(), CIRCUIT)
    assert [set(row) for row in passed] == [columns] * len(CIRCUIT.corners)
    assert [row["corner"] for row in passed] == [corner.number for corner in CIRCUIT.corners]
    assert corner_pass_rows(traced(), replace(CIRCUIT, corners=())) == []


def test_speeds_and_times_are_those_that_were_driven() -> None:
    lap = traced()
    s, speed = CIRCUIT.line.s_m, PACE * KMH_PER_MPS
    for corner in CIRCUIT.corners:
        row = by_corner(lap)[corner.number]
        inside = (s >= corner.entry_m) & (s <= corner.exit_m)
        assert row["min_speed_kmh"] == pytest.approx(speed[inside].min(), abs=0.5)
        assert row["entry_speed_kmh"] == pytest.approx(np.interp(corner.entry_m, s, speed), abs=1.0)
        assert row["exit_speed_kmh"] == pytest.approx(np.interp(corner.exit_m, s, speed), abs=1.0)
        assert row["min_speed_m"] == pytest.approx(s[inside][speed[inside].argmin()], abs=15)
        seconds = np.sum(1.0 / PACE[inside]) * CIRCUIT.line.step_m
        assert row["corner_time_s"] == pytest.approx(seconds, abs=0.08)
        assert row["min_speed_gear"] == np.floor(row["min_speed_kmh"] / 36.0)
        assert row["apex_m"] == corner.apex_m
        assert row["speed_gap_s"] == 0.0
    assert min(row["brake_before_apex_m"] for row in by_corner(lap).values() if row["brake_m"] is not None) > 0.0


@pytest.mark.parametrize("metres", [12.0, 40.0])
def test_earlier_brakes_and_a_later_throttle_are_found(metres: float) -> None:
    lap = traced()
    brake, throttle = lap.channels["brake_front_bar"], lap.channels["throttle_pct"]
    earlier = np.interp(lap.distance_m + metres, lap.distance_m, brake)
    later = np.interp(lap.distance_m - metres, lap.distance_m, throttle)
    early, before = by_corner(changed(lap, brake_front_bar=earlier)), by_corner(lap)
    late = by_corner(changed(lap, throttle_pct=np.minimum(later, throttle)))
    for number in (3, 5):
        assert early[number]["brake_before_apex_m"] - before[number]["brake_before_apex_m"] == pytest.approx(
            metres, abs=4
        )
        assert late[number]["throttle_after_apex_m"] - before[number]["throttle_after_apex_m"] == pytest.approx(
            metres, abs=4
        )


def test_what_no_channel_shows_is_null() -> None:
    bare = changed(traced(), brake_front_bar=None, throttle_pct=None, gear=None, accel_lat_g=None)
    lost = ("brake_m", "brake_before_apex_m", "brake_peak_bar", "throttle_m", "throttle_after_apex_m")
    for row in corner_pass_rows(bare, CIRCUIT):
        assert {row[name] for name in (*lost, "min_speed_gear", "max_abs_lat_g", "min_long_g")} == {None}
        assert None not in {
            row[name] for name in ("entry_speed_kmh", "min_speed_kmh", "exit_speed_kmh", "corner_time_s")
        }


def test_a_gap_costs_its_own_corner_and_no_other() -> None:
    lap, corner = traced(), CIRCUIT.corners[4]
    hole = (lap.distance_m > corner.apex_m - 30) & (lap.distance_m < corner.apex_m + 40)
    gapped = changed(lap, speed_kmh=np.where(hole, np.nan, lap.channels["speed_kmh"]))
    before, after = by_corner(lap), by_corner(gapped)
    assert after[5]["speed_gap_s"] > 1.0
    assert {
        after[5][name] for name in ("min_speed_kmh", "min_speed_m", "min_speed_gear", "throttle_m", "corner_time_s")
    } == {None}
    assert after[5]["brake_m"] == pytest.approx(before[5]["brake_m"], abs=1)
    assert after[2]["min_speed_kmh"] == pytest.approx(before[2]["min_speed_kmh"], abs=0.2)
    silent = changed(lap, brake_front_bar=np.where(hole, np.nan, lap.channels["brake_front_bar"]))
    assert by_corner(silent)[5]["brake_peak_bar"] is None
    assert by_corner(silent)[5]["min_speed_kmh"] == before[5]["min_speed_kmh"]


def test_a_lap_that_comes_to_half_throttle_is_measured_by_its_own() -> None:
    """Whatever the car's other laps do: a row follows from its lap alone."""
    lap = traced()
    slow = changed(lap, throttle_pct=0.5 * lap.channels["throttle_pct"])
    assert {n: row["throttle_m"] for n, row in by_corner(slow).items()} == {
        n: row["throttle_m"] for n, row in by_corner(lap).items()
    }
    assert agrees(slow, lap, CIRCUIT) > 20


def test_brakes_behind_an_apex_are_for_the_next_corner() -> None:
    """A bend that has not ended when the next one is braked for, as T4 and T5 at Barber."""
    lap = traced()
    one, two = CIRCUIT.corners[3], CIRCUIT.corners[4]
    longer = replace(CIRCUIT, corners=tuple(replace(c, exit_m=two.entry_m) if c is one else c for c in CIRCUIT.corners))
    middle = (one.apex_m + two.entry_m) / 2

    def pressed(start_m: float) -> np.ndarray:
        return np.where((lap.distance_m >= start_m) & (lap.distance_m <= two.apex_m), 40.0, 0.0)

    row = by_corner(changed(lap, brake_front_bar=pressed(middle)), longer)[5]
    assert row["brake_m"] == pytest.approx(middle, abs=3)
    assert row["brake_peak_bar"] == pytest.approx(40.0)
    through = by_corner(changed(lap, brake_front_bar=pressed(one.apex_m - 20)), longer)
    assert through[4]["brake_m"] == pytest.approx(one.apex_m - 20, abs=3)
    assert through[5]["brake_m"] is through[5]["brake_peak_bar"] is None, "pressed for the corner before"


def test_a_throttle_that_opens_behind_one_corner_was_not_closed_for_the_next() -> None:
    lap = traced()
    one, two = CIRCUIT.corners[3], CIRCUIT.corners[4]
    near = replace(
        CIRCUIT, corners=tuple(replace(c, exit_m=two.entry_m - 60) if c is one else c for c in CIRCUIT.corners)
    )
    closed = (lap.distance_m > one.entry_m) & (lap.distance_m < two.entry_m - 40)
    flat = changed(lap, throttle_pct=np.where(closed, 0.0, 100.0), brake_front_bar=np.zeros(len(lap.t_s)))
    passed = by_corner(flat, near)
    assert passed[4]["throttle_m"] == pytest.approx(two.entry_m - 40, abs=3)
    assert passed[5]["throttle_m"] is None
    lifted = closed | ((lap.distance_m > two.entry_m - 15) & (lap.distance_m < two.entry_m - 5))
    assert by_corner(changed(flat, throttle_pct=np.where(lifted, 0.0, 100.0)), near)[5]["throttle_m"] == pytest.approx(
        two.entry_m - 5, abs=3
    )


def test_part_of_a_lap_is_nowhere_on_the_circuit() -> None:
    lap = drive(CIRCUIT)
    part = lap.t_s < 0.6 * lap.lap_time_s
    channels = {"speed_kmh": lap.channels["speed_kmh"][part]}
    with pytest.raises(ValueError, match=r"integrated: measures \d+ m for a lap of \d+ m"):
        place_samples(lap.t_s[part], channels, 0.6 * lap.lap_time_s, CIRCUIT)


def test_nothing_bridges_a_long_silence() -> None:
    lap = drive(CIRCUIT)
    for silent_s, measured in ((3.0, True), (7.0, False)):
        hole = (lap.t_s > 30.0) & (lap.t_s < 30.0 + silent_s)
        speed = np.where(hole, np.nan, lap.channels["speed_kmh"])
        rows = corner_pass_rows(place_samples(lap.t_s, {"speed_kmh": speed}, lap.lap_time_s, CIRCUIT), CIRCUIT)
        assert {row["distance_source"] for row in rows if measured} == ({"integrated"} if measured else set())
        assert any(row.get("min_speed_kmh") for row in rows) == measured
        assert {row.get("reason") is None for row in rows} == {measured}


def test_a_lap_without_a_trace_has_its_corners_and_the_reason() -> None:
    refusal = Refusal.of(ReasonCode.CLOCK_STOOD_STILL, share=0.8)
    rows = unmeasured_rows(refusal, CIRCUIT)
    assert [row["corner"] for row in rows] == [corner.number for corner in CIRCUIT.corners]
    assert {row["reason"] for row in rows} == {"the car's clock stood still for 80% of the lap's samples"}
    assert set(rows[0]) == {"corner", "label", "track_id", "apex_m", "reason"}


def test_published_laps_are_what_a_race_engineer_expects(data_dir: Path) -> None:
    """Barber: brakes before the apex, at much the same place by all cars; the hairpin is the slowest corner."""
    laps = [lap for lap in real_laps.barber(data_dir) if lap.lap_time_s < 101.0]
    circuit = build_from_positions([lap.trace() for lap in laps], "barber").circuit
    passed = [by_corner(lap.trace(circuit), circuit) for lap in laps]
    slowest = {n: np.median([lap[n]["min_speed_kmh"] for lap in passed if lap[n]["min_speed_kmh"]]) for n in passed[0]}
    hairpin = min(slowest, key=lambda n: slowest[n])
    assert min(slowest.values()) == pytest.approx(70.0, abs=4.0)
    assert max(slowest.values()) < 190.0
    braked = 0
    for number in passed[0]:
        before = [row[number]["brake_before_apex_m"] for row in passed]
        known = [metres for metres in before if metres is not None]
        if len(known) > 0.8 * len(before):
            braked += 1
            assert 40.0 < np.median(known) < 200.0
            assert np.percentile(known, 75) - np.percentile(known, 25) < 20.0
    assert braked >= 7
    assert np.median([row[hairpin]["brake_peak_bar"] or 0.0 for row in passed if row[hairpin]["brake_peak_bar"]]) > 80.0
    lateral = [one["max_abs_lat_g"] for row in passed for one in row.values() if one["max_abs_lat_g"] is not None]
    assert min(lateral) > 0.7
    assert max(lateral) < 2.6
