"""The limit lap of a known car with mistakes made on purpose."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np

from analysis.coaching.insights import DriverInputs
from analysis.segmentation.zones import Zone
from conf.track import load_track
from conf.vehicle import load_vehicle
from physics.centre_line import Line, build_centre_line, build_driven_line
from physics.limit_lap.friction_circle import build_friction_circle_envelope
from physics.limit_lap.lap import solve_limit_lap
from physics.vehicle import Vehicle

CAR = Vehicle(load_vehicle("gr86-cup"))
ENVELOPE = build_friction_circle_envelope(CAR)


def line() -> Line:
    return build_driven_line(build_centre_line(load_track("three-oaks")), 6.0)


def drive_on(v: np.ndarray, start: int, step_m: float) -> np.ndarray:
    """Speed from a point on, flat out, until it meets the lap that was there."""
    out = v.copy()
    for i in range(start, len(v) - 1):
        push = CAR.full_throttle_n(np.array([out[i]]))[0] - CAR.resistance_n(np.array(out[i]))
        out[i + 1] = min(np.sqrt(out[i] ** 2 + 2 * step_m * push / CAR.inertia_kg), v[i + 1])
    return out


def pedals_of(v: np.ndarray, step_m: float, lifted: slice | None = None) -> DriverInputs:
    """Pedals that fit a speed: brakes where it falls faster than by drag, full throttle where it rises as it can."""
    a = np.gradient(v**2 / 2, step_m)
    can = (CAR.full_throttle_n(v) - CAR.resistance_n(v)) / CAR.inertia_kg
    coast = -CAR.resistance_n(v) / CAR.inertia_kg
    throttle = np.where(a >= can - 0.15, 100.0, np.clip(60 * (a - coast) / (can - coast), 0, 90))
    brake = np.clip(-(a - coast) * 6, 0, None)
    brake[brake < 4] = 0.0
    if lifted is not None:
        throttle[lifted], brake[lifted] = 40.0, 0.0
    return DriverInputs(step_m, v * 3.6, np.where(brake > 0, 0.0, throttle), brake)


@cache
def limit() -> tuple[np.ndarray, float]:
    """Speed of the limit lap, and the step of its grid."""
    track = line()
    return solve_limit_lap(ENVELOPE, track).speed_mps, track.step_m


def zones_of(v: np.ndarray, step_m: float) -> list[Zone]:
    """A braking zone wherever the target brakes, a turn until it is flat out, straights between."""
    given = pedals_of(v, step_m)
    kind = np.where(given.brake_bar > 0, "Braking", np.where(given.throttle_pct < 97, "Turn", "Straight"))
    edges = [0, *(np.flatnonzero(kind[1:-1] != kind[:-2]) + 1), len(v) - 1]
    runs = [(str(kind[a]), a, b) for a, b in pairwise(edges)]
    merged: list[tuple[str, int, int]] = []
    for name, a, b in runs:
        if merged and (b - a < 25 or merged[-1][0] == name):
            merged[-1] = (merged[-1][0], merged[-1][1], b)
        else:
            merged.append((name, a, b))
    return [Zone(name, a * step_m, b * step_m) for name, a, b in merged]


def brake_early(v: np.ndarray, step_m: float, by_m: float) -> tuple[np.ndarray, int, int]:
    """The hardest braking begun earlier: the same fall of speed, the corner's speed held until where it was reached."""
    a = np.gradient(v**2 / 2, step_m)
    k = int(np.argmin(a))
    onset = k
    while a[onset - 1] < -2.0:
        onset -= 1
    apex = k + int(np.argmin(v[k : k + round(150 / step_m)]))
    shift = round(by_m / step_m)
    out = v.copy()
    out[onset - shift : apex - shift] = v[onset:apex]
    out[apex - shift : apex] = v[apex]
    return np.minimum(out, v), onset - shift, apex
