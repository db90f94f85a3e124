from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.track import load_track, track_names
from conf.vehicle import load_vehicle, vehicle_names
from physics.centre_line import build_centre_line, build_driven_line
from physics.speed_profile import braking_speed_mps, limit_lap_speed_mps
from physics.vehicle import Vehicle


@pytest.mark.parametrize("name", vehicle_names())
@pytest.mark.parametrize("track", track_names())
def test_the_limit_lap_stays_in_the_grip_circle(name: str, track: str) -> None:
    vehicle, line = Vehicle(load_vehicle(name)), build_driven_line(build_centre_line(load_track(track), 1.0), 8.0)
    speed = limit_lap_speed_mps(vehicle, line.curvature_per_m, line.step_m)
    assert (vehicle.mass_kg * speed**2 * np.abs(line.curvature_per_m) <= vehicle.grip_n(speed**2) * 1.0001).all()
    # Between two points: mean curvature and mean squared speed, so that a step's force and its circle belong together.
    mean2 = 0.5 * (speed**2 + np.roll(speed, -1) ** 2)
    across = vehicle.mass_kg * mean2 * 0.5 * (line.curvature_per_m + np.roll(line.curvature_per_m, -1))
    along = vehicle.inertia_kg * (np.roll(speed, -1) ** 2 - speed**2) / (2 * line.step_m)
    use = np.hypot(across, along + vehicle.resistance_n(np.sqrt(mean2))) / vehicle.grip_n(mean2)
    assert use.max() <= 1.03


@given(st.floats(0.4, 0.95), st.floats(0.4, 0.95))
@settings(max_examples=15, deadline=None)
def test_more_of_the_envelope_is_never_slower(corner: float, brake: float) -> None:
    vehicle = Vehicle(load_vehicle("gr86-cup"))
    line = build_driven_line(build_centre_line(load_track("alder-ridge"), 4.0), 8.0)
    bends, step = line.curvature_per_m[None], np.array([line.step_m])
    share = np.full_like(bends, corner)
    some = braking_speed_mps(vehicle, bends, step, share, np.array([brake]))
    more = braking_speed_mps(vehicle, bends, step, share * 1.05, np.array([brake * 1.05]))
    assert (more >= some - 1e-9).all()


def test_grip_sets_the_lap_time() -> None:
    spec, line = load_vehicle("gr86-cup"), build_driven_line(build_centre_line(load_track("three-oaks"), 2.0), 8.0)
    times = []
    for grip in (0.9, 1.1, 1.3):
        speed = limit_lap_speed_mps(
            Vehicle(spec.model_copy(update={"grip_coefficient": grip})), line.curvature_per_m, line.step_m
        )
        times.append(np.sum(line.step_m / speed))
    assert times[0] > times[1] > times[2]
