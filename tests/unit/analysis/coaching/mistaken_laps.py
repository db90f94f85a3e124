"""The limit lap of a known car with mistakes made on purpose."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from analysis.comparison.lap_inputs import LapInputs
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.track import load_track
from conf.vehicle import load_vehicle
from physics.centre_line import Line, build_centre_line, build_driven_line
from physics.integrate import elapsed_s
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


def inputs_of(step_m: float, speed_kmh: np.ndarray, throttle_pct: np.ndarray, brake_bar: np.ndarray) -> LapInputs:
    """A lap whose clock is that of its speed."""
    nothing = np.full(len(speed_kmh), np.nan)
    time_s = elapsed_s(speed_kmh / 3.6, step_m)
    return LapInputs(step_m, time_s, speed_kmh, throttle_pct, brake_bar, nothing, 100.0)


def pedals_of(v: np.ndarray, step_m: float, lifted: slice | None = None) -> LapInputs:
    """Pedals that fit a speed: brakes where it falls faster than by drag, full throttle where it rises as it can."""
    a = np.gradient(v**2 / 2, step_m)
    can = (CAR.full_throttle_n(v) - CAR.resistance_n(v)) / CAR.inertia_kg
    coast = -CAR.resistance_n(v) / CAR.inertia_kg
    throttle = np.where(a >= can - 0.15, 100.0, np.clip(60 * (a - coast) / (can - coast), 0, 90))
    brake = np.clip(-(a - coast) * 6, 0, None)
    brake[brake < 4] = 0.0
    if lifted is not None:
        throttle[lifted], brake[lifted] = 40.0, 0.0
    return inputs_of(step_m, v * 3.6, np.where(brake > 0, 0.0, throttle), brake)


@cache
def limit() -> tuple[np.ndarray, float]:
    """Speed of the limit lap, and the step of its grid."""
    track = line()
    return solve_limit_lap(ENVELOPE, track).speed_mps, track.step_m


@cache
def circuit() -> Circuit:
    """The track with its corners where they are on that grid."""
    v, step_m = limit()
    drawn = circuit_from_track(load_track("three-oaks"))
    scale = (len(v) - 1) * step_m / drawn.length_m
    corners = [
        replace(c, entry_m=c.entry_m * scale, apex_m=c.apex_m * scale, exit_m=c.exit_m * scale) for c in drawn.corners
    ]
    line = replace(drawn.line, s_m=drawn.line.s_m * scale, length_m=drawn.length_m * scale)
    return replace(drawn, line=line, corners=tuple(corners))


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
