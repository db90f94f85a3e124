"""Row 7: the quasi-steady-state limit lap, against the forward-backward solver of trajectory-planning-helpers.

The same car (grip circle with downforce, engine, drag) round the same lines, 3 m to a step as in the published
reference laps, on one thread. Both tabulate the car beforehand and time the lap alone; ours has compiled in the
warm-up. The peer, from the group that published those laps, drives the closed line twice forward and back in plain
Python. The two lap times must agree: they differ by how the driven axle's share of the grip is counted, and by the
start of the lap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.bench import Bench
from benchmarks.runner import BenchmarkError, Goal, Result, Run, Unit, compare, race, timed
from conf.arrays import FloatArray
from conf.track import load_track, track_names
from conf.vehicle import load_vehicle
from physics.centre_line import Line, build_centre_line
from physics.limit_lap.friction_circle import build_friction_circle_envelope
from physics.limit_lap.lap import solve_limit_lap
from physics.vehicle import Vehicle

TITLE = "quasi-steady-state limit lap"
OURS = "limit_lap"
PEER = "trajectory-planning-helpers"
GOAL_MS = 10.0
STEP_M = 3.0
AGREE = 0.02  # of the lap time
_STRAIGHT_PER_M = 1e-9  # in the place of zero, with which the peer's first estimate does not converge

Lap = Callable[[Line], float]


def measure(bench: Bench) -> list[Result]:
    """One lap on each of our tracks."""
    vehicle = Vehicle(load_vehicle("gr86-cup"))
    sides: Mapping[str, Lap] = {OURS: _ours(vehicle), PEER: _peer(vehicle)}
    found = []
    for track_id in track_names():
        line = build_centre_line(load_track(track_id), STEP_M)
        laps_s = {name: lap(line) for name, lap in sides.items()}
        _must_agree(track_id, laps_s)
        calls = {OURS: bench.pick(5, 50), PEER: bench.pick(1, 5)}
        times = race([_side(name, lap, line, calls[name]) for name, lap in sides.items()], bench.runs, say=bench.say)
        note = (
            f"{len(line.s_m)} steps; lap times {laps_s[OURS]:.2f} s and {laps_s[PEER]:.2f} s; "
            "a run's time is the median over its laps"
        )
        work = f"{track_id}, {line.length_m:,.0f} m"
        found.append(compare(times, OURS, PEER, work, 1, Unit("ms/lap", seconds=1e3), Goal(most=GOAL_MS), note))
    return found


def _side(name: str, lap: Lap, line: Line, calls: int) -> Run:
    def run() -> dict[str, float]:
        return {name: float(np.median([timed(lambda: lap(line)) for _ in range(calls)]))}

    return run


def _ours(vehicle: Vehicle) -> Lap:
    envelope = build_friction_circle_envelope(vehicle)
    return lambda line: solve_limit_lap(envelope, line).lap_time_s


def _peer(vehicle: Vehicle) -> Lap:
    from trajectory_planning_helpers.calc_t_profile import calc_t_profile
    from trajectory_planning_helpers.calc_vel_profile import calc_vel_profile

    speed = np.linspace(1.0, 80.0, 159)
    grip = vehicle.grip_n(speed * speed)
    ggv = np.column_stack([speed, grip / vehicle.inertia_kg, grip / vehicle.mass_kg])
    drive = np.minimum(vehicle.full_throttle_n(speed), vehicle.traction_n(grip)) / vehicle.inertia_kg
    machines = np.column_stack([speed, drive])

    def lap(line: Line) -> float:
        steps = np.full(len(line.s_m), line.step_m)
        bends = np.maximum(np.abs(line.curvature_per_m), _STRAIGHT_PER_M)
        v: FloatArray = calc_vel_profile(
            ax_max_machines=machines,
            kappa=bends,
            el_lengths=steps,
            closed=True,
            drag_coeff=vehicle.drag_kgpm,
            m_veh=vehicle.inertia_kg,
            ggv=ggv,
            dyn_model_exp=2.0,
        )
        return float(calc_t_profile(np.append(v, v[0]), steps)[-1])

    return lap


def _must_agree(track_id: str, laps_s: Mapping[str, float]) -> None:
    ours, theirs = laps_s[OURS], laps_s[PEER]
    if abs(ours / theirs - 1.0) > AGREE:
        raise BenchmarkError(
            f"{track_id}: {OURS} takes {ours:.2f} s and {PEER} {theirs:.2f} s: not the same work, so times mean nothing"
        )
