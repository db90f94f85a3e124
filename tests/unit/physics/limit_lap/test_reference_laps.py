"""The limit lap against laps that another simulation computed for the same cars and lines."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from conf.race_car import load_race_car
from conf.track_parameters import load_track_parameters
from physics.centre_line import Line
from physics.limit_lap.double_track import build_race_car_envelope
from physics.limit_lap.lap import REFERENCE_MARGIN_MPS, LimitLap, solve_limit_lap
from physics.limit_lap.race_line import spline_line
from physics.limit_lap.race_line_checks import read_race_line

LAPS = [(track, car) for track in ("Monza", "Shanghai", "Catalunya") for car in ("F1_Shanghai", "FE_Berlin")]


@pytest.fixture(scope="module")
def reference(data_dir: Path) -> Path:
    return data_dir / "reference"


def line_of(file: Path) -> Line:
    points = read_race_line(file)
    assert points.notes == ()
    return spline_line(points.x_m, points.y_m)


def lap_of(reference: Path, track: str, car: str) -> LimitLap:
    known = load_track_parameters(reference / "track_pars.ini", track)
    line = line_of(reference / "racelines" / f"{track}.csv")
    envelope = build_race_car_envelope(load_race_car(reference / f"{car}.ini"), known.grip_factor)
    return solve_limit_lap(envelope, line, margin_mps=REFERENCE_MARGIN_MPS, drs_zones_m=known.drs_zones_m)


@pytest.mark.parametrize(("track", "car"), LAPS)
def test_lap_time_sectors_and_speeds(reference: Path, track: str, car: str) -> None:
    with (reference / "qss_laptimes.csv").open() as file:
        (row,) = [r for r in csv.DictReader(file) if (r["track"], r["vehicle"]) == (track, f"{car}.ini")]
    lap = lap_of(reference, track, car)
    assert lap.lap_time_s == pytest.approx(float(row["laptime_s"]), rel=1e-3)
    known = load_track_parameters(reference / "track_pars.ini", track)
    sectors = lap.sector_times_s(known.sector_ends_m)
    assert sum(sectors) == pytest.approx(lap.lap_time_s)
    assert sectors == pytest.approx([float(row[f"s{n}_s"]) for n in (1, 2, 3)], rel=2e-3)
    assert lap.distance_m[-1] == pytest.approx(float(row["length_m"]), abs=0.1)
    assert lap.speed_mps.max() == pytest.approx(float(row["v_max_mps"]), abs=0.1)
    assert lap.speed_mps.min() == pytest.approx(float(row["v_min_mps"]), abs=0.25)


@pytest.mark.parametrize("track", ["Monza", "Catalunya"])
def test_speed_over_distance(reference: Path, track: str) -> None:
    lap = lap_of(reference, track, "F1_Shanghai")
    published = np.genfromtxt(reference / f"{track}_F1.csv", delimiter=",", names=True)
    ours = np.interp(published["dist_m"], lap.distance_m, lap.speed_mps)
    assert np.sqrt(np.mean((ours - published["vel_mps"]) ** 2)) < 0.1


def test_drs_and_battery_are_worth_time(reference: Path) -> None:
    known = load_track_parameters(reference / "track_pars.ini", "Monza")
    line = line_of(reference / "racelines" / "Monza.csv")
    envelope = build_race_car_envelope(load_race_car(reference / "F1_Shanghai.ini"))
    closed = solve_limit_lap(envelope, line).lap_time_s
    opened = solve_limit_lap(envelope, line, drs_zones_m=known.drs_zones_m).lap_time_s
    assert 0.3 < closed - opened < 1.5


@pytest.mark.parametrize("car", ["F1_Shanghai", "FE_Berlin"])
def test_every_published_line_is_driven_below_its_limit(reference: Path, car: str) -> None:
    envelope = build_race_car_envelope(load_race_car(reference / f"{car}.ini"))
    files = sorted((reference / "racelines").glob("*.csv"))
    assert len(files) == 24
    for file in files:
        line = line_of(file)
        lap = solve_limit_lap(envelope, line)
        most = envelope.fastest_mps(line.curvature_per_m, envelope.lateral_mps2)
        assert (lap.speed_mps[:-1] <= most + 1e-6).all(), file.stem
        assert lap.speed_mps.min() > 5.0
        assert abs(lap.speed_mps[-1] - lap.speed_mps[0]) < 1.5, file.stem  # the battery may end emptier
