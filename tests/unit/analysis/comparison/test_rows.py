"""Rows of two compared laps: every column of the contracts, nothing invented, what adds up adds up."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.comparison.aligned_laps import align_laps, compare_laps
from analysis.comparison.corner_report import build_corner_report
from analysis.comparison.rows import ComparedPair, piece_rows, trace_rows
from analysis.laps.distance import place_samples, time_at_distance_s
from analysis.segmentation.zones import Microsector
from analysis.tracks.circuit import circuit_from_track
from conf.contract import load_contract
from conf.track import load_track
from tests.unit.analysis.made_laps import drive, pace_of

STAMPS = {"updated_ts", "run_id"}
PAIR = ComparedPair("s/a/3", "s/b/2", "s", "a", 3, "other_lap", "three-oaks", is_synthetic=True)
CIRCUIT = circuit_from_track(load_track("three-oaks"))


@pytest.fixture(scope="module")
def laps():
    made = [drive(CIRCUIT), drive(CIRCUIT, pace_of(CIRCUIT, top_mps=48.0))]
    return [place_samples(lap.t_s, lap.channels, lap.lap_time_s, CIRCUIT) for lap in made]


@pytest.fixture(scope="module")
def points(laps):
    found = compare_laps(laps[1], laps[0], CIRCUIT)
    aligned = align_laps(laps[1], laps[0], CIRCUIT)
    return trace_rows(PAIR, found, time_at_distance_s(aligned.reference, found.distance_m), CIRCUIT)


def test_a_point_has_every_column_of_the_contract(points):
    names = set(load_contract("gold.lap_comparison").column_names)
    assert set(points[0]) == names - STAMPS
    assert len({row["distance_m"] for row in points}) == len(points)
    assert points[0]["distance_m"] == 0.0
    assert points[-1]["distance_m"] == pytest.approx(CIRCUIT.length_m)
    numbers = {c.name for c in load_contract("gold.lap_comparison").columns if c.physical_type == "DOUBLE"}
    assert {type(row[name]) for row in points for name in numbers} <= {float, type(None)}


def test_times_and_differences_belong_together(points, laps):
    for row in points:
        assert row["t_s"] - row["t_ref_s"] == pytest.approx(row["delta_s"])
        for delta, name in {
            "speed_delta_kmh": "speed_kmh",
            "throttle_delta_pct": "throttle_pct",
            "brake_delta_bar": "brake_front_bar",
            "steering_delta_deg": "steering_deg",
        }.items():
            stem, _, unit = name.rpartition("_")
            theirs = row[f"{stem}_ref_{unit}"]
            known = row[name] is not None and theirs is not None
            assert row[delta] == (pytest.approx(row[name] - theirs) if known else None)
    assert points[-1]["delta_s"] == pytest.approx(laps[1].lap_time_s - laps[0].lap_time_s)


def test_corners_and_sectors_of_a_point(points):
    for row in points:
        inside = [c.label for c in CIRCUIT.corners if c.entry_m <= row["distance_m"] <= c.exit_m]
        assert row["corner"] == (inside[0] if inside else None)
        assert row["sector_id"] == 1 + sum(end <= row["distance_m"] for end in CIRCUIT.sector_ends_m)
    assert {row["corner"] for row in points} == {None, *(c.label for c in CIRCUIT.corners)}


def test_a_point_is_of_the_micro_sector_that_it_lies_in(laps):
    found = compare_laps(laps[1], laps[0], CIRCUIT)
    half = CIRCUIT.length_m / 2.0
    pieces = (Microsector(0, 0, "Turn", 0.0, half, 1), Microsector(1, 1, "Straight", half, CIRCUIT.length_m, 2))
    rows = trace_rows(PAIR, found, np.zeros(len(found.distance_m)), CIRCUIT, pieces)
    for row in rows:
        assert (row["microsector_id"], row["zone_type"]) == (
            (0, "Turn") if row["distance_m"] < half else (1, "Straight")
        )
    bare = trace_rows(PAIR, found, np.zeros(len(found.distance_m)), CIRCUIT)
    assert {(row["microsector_id"], row["zone_type"]) for row in bare} == {(None, None)}


def test_without_a_circuit_corner_and_sector_are_null(laps):
    found = compare_laps(laps[1], laps[0])
    rows = trace_rows(PAIR, found, np.zeros(len(found.distance_m)), None)
    assert {(row["corner"], row["sector_id"]) for row in rows} == {(None, None)}


def test_a_channel_that_is_not_there_is_null_and_not_nan(laps):
    bare = [place_samples(t.t_s, {"speed_kmh": t.channels["speed_kmh"]}, t.lap_time_s, CIRCUIT) for t in laps]
    found = compare_laps(*bare, CIRCUIT)
    rows = trace_rows(PAIR, found, np.zeros(len(found.distance_m)), CIRCUIT)
    assert {row["brake_front_bar"] for row in rows} == {None}
    assert not any(isinstance(v, float) and math.isnan(v) for row in rows for v in row.values())


def test_pieces_have_every_column_and_add_up(laps):
    report = build_corner_report(laps[1], laps[0], CIRCUIT)
    rows = piece_rows(PAIR, report.pieces, report.lap_delta_s, report.aligned_by)
    assert set(rows[0]) == set(load_contract("gold.corner_reports").column_names) - STAMPS
    assert [row["piece"] for row in rows] == list(range(1, len(rows) + 1))
    assert sum(row["time_lost_s"] for row in rows) == pytest.approx(rows[0]["lap_delta_s"])
    assert {row["corner"] for row in rows} - {None} == {c.number for c in CIRCUIT.corners}
    assert {row["speed_gap_s"] for row in rows} == {0.0}
    numbers = {c.name for c in load_contract("gold.corner_reports").columns if c.physical_type == "DOUBLE"}
    assert {type(row[name]) for row in rows for name in numbers} <= {float, type(None)}
    assert all(row["finding"].startswith(row["label"]) for row in rows)
