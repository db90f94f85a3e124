from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.comparison.aligned_laps import align_laps
from analysis.comparison.corner_report import CornerReport, ReportPiece, build_corner_report
from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit, circuit_from_track, name_corners
from conf.track import load_track, track_names
from tests.unit.analysis import real_laps
from tests.unit.analysis.comparison.moved_line import move_line
from tests.unit.analysis.made_laps import drive, pace_of

CIRCUIT = circuit_from_track(load_track("three-oaks"))
PACE = pace_of(CIRCUIT)


def traced(circuit: Circuit = CIRCUIT, pace: np.ndarray | None = None, **how: object) -> LapTrace:
    lap = drive(circuit, pace, **how)
    return place_samples(lap.t_s, lap.channels, lap.lap_time_s, circuit)


def shares_out(report: CornerReport, circuit: Circuit) -> None:
    """Each metre belongs to one piece and the losses add up."""
    metre = np.arange(0.25, circuit.length_m, 0.5)
    owners = np.zeros(len(metre))
    for piece in report.pieces:
        if piece.end_m >= piece.start_m:
            owners += (metre > piece.start_m) & (metre <= piece.end_m)
        else:
            owners += (metre > piece.start_m) | (metre <= piece.end_m)
    assert set(owners) == {1.0}
    assert sum(piece.time_lost_s for piece in report.pieces) == pytest.approx(report.lap_delta_s, abs=1e-9)
    numbers = [piece.corner for piece in report.pieces if piece.corner is not None]
    assert sorted(numbers) == [corner.number for corner in circuit.corners]


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(track_names()),
    moved=st.floats(0, 2000),
    gain=st.floats(0.85, 1.05),
    seed=st.integers(0, 9),
)
def test_the_pieces_share_the_lap_out_wherever_the_line_is(name, moved, gain, seed) -> None:
    circuit = move_line(circuit_from_track(load_track(name)), moved)
    lap = traced(circuit, pace_of(circuit) * gain, noise_m=0.3, seed=seed)
    reference = traced(circuit, pace_of(circuit), noise_m=0.3, seed=seed + 50)
    report = build_corner_report(lap, reference, circuit)
    shares_out(report, circuit)
    assert report.lap_delta_s == lap.lap_time_s - reference.lap_time_s
    delta = align_laps(lap, reference, circuit).delta_s
    for piece in report.pieces:
        if piece.end_m >= piece.start_m:
            lost = float(delta(piece.end_m) - delta(piece.start_m))
            assert piece.time_lost_s == pytest.approx(lost, abs=1e-12)


def test_a_lap_against_itself_loses_nothing() -> None:
    lap = traced()
    report = build_corner_report(lap, lap, CIRCUIT)
    for piece in report.pieces:
        assert piece.time_lost_s == 0.0
        assert piece.lap == piece.reference
        assert piece.finding == f"{piece.label}: driven alike: no time lost"


def piece_of(report: CornerReport, corner: int) -> ReportPiece:
    return next(piece for piece in report.pieces if piece.corner == corner)


def test_earlier_braking_and_less_speed_are_put_in_words() -> None:
    """The car brakes 25 m earlier for T5 and is 10 % slower at its apex; everything else is alike."""
    bend = CIRCUIT.corners[4]
    s = CIRCUIT.line.s_m
    middle = (bend.entry_m + bend.exit_m) / 2
    dip = 1.0 - 0.1 * np.exp(-0.5 * ((s - middle) / 60.0) ** 2)
    slow, reference = traced(pace=PACE * dip), traced()
    brake = reference.channels["brake_front_bar"]
    earlier = np.interp(reference.distance_m + 25.0, reference.distance_m, brake)
    pressure = np.interp(slow.distance_m, reference.distance_m, earlier)
    lap = replace(slow, channels={**slow.channels, "brake_front_bar": pressure})
    report = build_corner_report(lap, reference, name_corners(CIRCUIT, {5: "Hairpin"}))
    piece = piece_of(report, 5)
    assert piece.brake_earlier_m == pytest.approx(25, abs=4)
    assert piece.lap.brake_m == pytest.approx(piece.reference.brake_m - 25, abs=4)
    assert piece.lap.min_kmh == pytest.approx(0.9 * piece.reference.min_kmh, rel=0.02)
    assert piece.time_lost_s > 0.3
    assert piece.start_m <= piece.lap.brake_m
    said = piece.finding
    assert said.startswith("T5 Hairpin: braked 2")
    assert "m earlier" in said
    assert "km/h slower at the apex" in said
    assert said.endswith(f": {piece.time_lost_s:.2f} s lost")
    # The same seen from the other side.
    back = piece_of(build_corner_report(reference, lap, CIRCUIT), 5)
    assert back.brake_earlier_m == pytest.approx(-piece.brake_earlier_m)
    assert "m later" in back.finding
    assert back.finding.endswith("gained")
    others = [p.time_lost_s for p in report.pieces if p.corner not in (4, 5, 6) and p.corner]
    assert np.abs(others).max() < 0.06


def test_a_late_throttle_is_found() -> None:
    lap, reference = traced(), traced()
    number, length = 5, CIRCUIT.length_m
    bend = CIRCUIT.corners[number - 1]
    span = (reference.distance_m > bend.entry_m) & (reference.distance_m < bend.exit_m + 60)
    late = np.where(span, 0.0, lap.channels["throttle_pct"])
    piece = piece_of(
        build_corner_report(replace(lap, channels={**lap.channels, "throttle_pct": late}), reference, CIRCUIT), number
    )
    assert piece.lap.throttle_m == pytest.approx((bend.exit_m + 60) % length, abs=4)
    assert piece.throttle_later_m > 20
    assert "on the power" in piece.finding


def test_what_no_channel_shows_is_none_and_a_gap_is_named() -> None:
    lap = traced()
    hole = (lap.distance_m > 1000) & (lap.distance_m < 1200)
    gapped = {**lap.channels, "speed_kmh": np.where(hole, np.nan, lap.channels["speed_kmh"])}
    del gapped["brake_front_bar"]
    made = place_samples(lap.t_s, gapped, lap.lap_time_s, CIRCUIT)
    report = build_corner_report(made, lap, CIRCUIT)
    shares_out(report, CIRCUIT)
    assert all(piece.lap.brake_m is None and piece.brake_earlier_m is None for piece in report.pieces)
    touched = [piece for piece in report.pieces if piece.gaps]
    assert 1 <= len(touched) <= 4
    assert all("no speed for" in piece.finding for piece in touched)
    assert all(piece.start_m < 1215 and piece.end_m > 985 for piece in touched)


def test_a_circuit_without_corners_is_one_piece() -> None:
    bare = replace(CIRCUIT, corners=())
    report = build_corner_report(traced(pace=PACE * 0.9), traced(), bare)
    shares_out(report, bare)
    (piece,) = report.pieces
    assert piece.label == "lap"


def test_real_laps_of_two_tracks(data_dir: Path) -> None:
    for laps in (real_laps.barber(data_dir), real_laps.indianapolis(data_dir)):
        circuit = build_from_positions([lap.trace() for lap in laps], "x").circuit
        best = min(laps, key=lambda lap: lap.lap_time_s).trace(circuit)
        for lap in (laps[0].trace(circuit), laps[-1].trace(circuit)):
            report = build_corner_report(lap, best, circuit)
            shares_out(report, circuit)
            assert report.aligned_by == "position"
            corners = [piece for piece in report.pieces if piece.corner is not None]
            assert all(30 < piece.lap.min_kmh < 200 for piece in corners if piece.lap.min_kmh is not None)
            braked = [piece for piece in corners if piece.brake_earlier_m is not None]
            assert len(braked) >= 4
            assert np.median([abs(piece.brake_earlier_m) for piece in braked]) < 40
            assert all(piece.finding.startswith(piece.label) for piece in report.pieces)


def test_the_two_barber_files(data_dir: Path) -> None:
    """The single-lap file's lap finishes under a full-course yellow: it loses its time at the end."""
    laps = real_laps.barber(data_dir)
    circuit = build_from_positions([lap.trace() for lap in laps], "barber").circuit
    yellow = next(lap for lap in laps if lap.car == "GR86-002-000").trace(circuit)
    green = next(lap for lap in laps if lap.car == "GR86-030-18").trace(circuit)
    report = build_corner_report(yellow, green, circuit)
    shares_out(report, circuit)
    late = sum(piece.time_lost_s for piece in report.pieces if piece.start_m > 3_000)
    assert late > 2.0
    assert report.lap_delta_s == pytest.approx(104.133 - 102.514, abs=1e-6)
