"""Limit laps where the answer is known by other means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.track import load_track
from conf.vehicle import load_vehicle
from physics.centre_line import build_centre_line, build_driven_line
from physics.limit_lap.friction_circle import build_friction_circle_envelope
from physics.limit_lap.lap import solve_limit_lap
from physics.limit_lap.race_line import spline_line
from physics.speed_profile import limit_lap_speed_mps as stepwise_limit_lap
from physics.vehicle import Vehicle

CAR = Vehicle(load_vehicle("gr86-cup"))
ENVELOPE = build_friction_circle_envelope(CAR)


def circle(radius_m: float, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return radius_m * np.cos(angle), radius_m * np.sin(angle)


def test_a_spline_through_a_circle_is_the_circle() -> None:
    line = spline_line(*circle(100.0))
    assert line.length_m == pytest.approx(2 * np.pi * 100.0, rel=1e-6)
    assert line.curvature_per_m == pytest.approx(0.01, rel=1e-3)
    assert line.step_m <= 5.0


@given(st.floats(20.0, 120.0))
@settings(max_examples=20, deadline=None)
def test_on_a_circle_the_tyres_hold_the_bend_and_the_drag(radius_m: float) -> None:
    lap = solve_limit_lap(ENVELOPE, spline_line(*circle(radius_m, 120), smoothing_m=0.0))
    assert np.ptp(lap.speed_mps) < 0.05
    v = float(np.median(lap.speed_mps))
    across = CAR.mass_kg * v * v / radius_m
    along = float(CAR.resistance_n(np.array(v)))
    grip = float(CAR.grip_n(np.array(v * v)))
    spare = float(CAR.traction_n(np.array(np.sqrt(max(grip**2 - across**2, 0.0)))))
    pushes = float(CAR.full_throttle_n(np.array([v]))[0])
    assert across <= grip * (1 + 1e-3)
    assert min(spare, pushes) == pytest.approx(along, rel=0.15) or across == pytest.approx(grip, rel=0.01)


@given(st.floats(0.0, 3.0), st.floats(0.05, 2.0))
@settings(max_examples=15, deadline=None)
def test_a_wider_margin_is_slower(margin_mps: float, more_mps: float) -> None:
    line = build_driven_line(build_centre_line(load_track("alder-ridge")), 8.0)
    times = [solve_limit_lap(ENVELOPE, line, margin_mps=m).lap_time_s for m in (margin_mps, margin_mps + more_mps)]
    assert times[0] < times[1]


def test_it_agrees_with_the_march_of_the_simulator() -> None:
    line = build_driven_line(build_centre_line(load_track("alder-ridge")), 8.0)
    ours = solve_limit_lap(ENVELOPE, line)
    theirs = stepwise_limit_lap(CAR, line.curvature_per_m, line.step_m)
    seconds = float(np.sum(line.step_m / theirs))
    assert ours.lap_time_s == pytest.approx(seconds, rel=0.01)
