"""A car that is known, the track it drives, and laps at a share of its limit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from analysis.car_limits.fitted_envelope import EnvelopeCurve, FittedEnvelope
from analysis.car_limits.observed_limit import ObservedLimit
from analysis.segmentation.stretches import TrackStretch
from analysis.tracks.circuit import Circuit
from conf.ghost import load_ghost_rules
from conf.track import load_track
from ml.ghost.search.gearbox import ObservedGearbox
from ml.ghost.search.ghost_lap import GhostLap
from ml.ghost.search.human_laps import HumanLaps
from ml.ghost.search.limits import CarLimits, learn_limits
from physics.centre_line import Line, build_centre_line, build_driven_line
from physics.limit_lap.lap import solve_limit_lap

RULES = load_ghost_rules()
BOX = ObservedGearbox(
    gears=(2, 3, 4),
    rpm_per_kmh=np.array([58.0, 47.0, 39.0]),
    rpm_low=np.array([2000.0, 4500.0, 4500.0]),
    rpm_high=np.array([7200.0, 7200.0, 8500.0]),
    up_kmh=np.array([124.0, 153.0, np.inf]),
    down_kmh=np.array([0.0, 110.0, 140.0]),
)


def fitted(share: float = 1.0) -> FittedEnvelope:
    """12 + 0.001 v^2 across, 9 backward, 60 / v - 0.0004 v^2 forward, joined as ellipses."""
    return FittedEnvelope(
        EnvelopeCurve((12.0 * share, 0.001 * share), 1.0, 80.0),
        EnvelopeCurve((9.0 * share, 0.0), 1.0, 80.0),
        EnvelopeCurve((60.0 * share, 0.0004 * share, 0.0), 15.0, 80.0),
        2.0,
        2.0,
        0.98,
        1000,
    )


@cache
def line() -> Line:
    return build_driven_line(build_centre_line(load_track("three-oaks")), 12.0)


def circuit() -> Circuit:
    return Circuit("three-oaks", line(), (), sector_ends_m=(line().length_m / 3.0, line().length_m / 1.5))


def driven(speed_mps: np.ndarray, step_m: float) -> np.ndarray:
    """A lap of a speed, with the pedals that go with it, shape (n + 1, 4)."""
    gain = np.gradient(speed_mps**2 / 2.0, step_m)
    coast = 0.3
    return np.stack(
        [
            speed_mps,
            np.where(gain >= -coast, 100.0, 0.0),
            np.where(gain < -coast, -6.0 * gain, 0.0),
            1000.0 * np.interp(np.arange(len(speed_mps)) * step_m, line().s_m, line().curvature_per_m),
        ],
        axis=1,
    )


@cache
def laps() -> HumanLaps:
    """Laps at 80 to 92 percent of the car's limit, the fastest first."""
    found = [solve_limit_lap(fitted(share).envelope(), line()) for share in (0.92, 0.9, 0.88, 0.86, 0.8)]
    values = np.array([driven(lap.speed_mps, line().step_m) for lap in found])
    return HumanLaps(line().step_m, values, np.array([lap.lap_time_s for lap in found]), tuple(range(5)))


@cache
def limits() -> CarLimits:
    seen = ObservedLimit(line(), fitted(), solve_limit_lap(fitted().envelope(), line()))
    return replace(learn_limits(laps(), [], circuit(), seen, RULES.feasibility), gearbox=BOX, both_pedals_m=20.0)


def even_stretches(n: int = 16) -> tuple[TrackStretch, ...]:
    edges = np.linspace(0.0, line().length_m, n + 1)
    return tuple(TrackStretch(k, "Turn", float(edges[k]), float(edges[k + 1]), k, k) for k in range(n))


def ghost(values: np.ndarray | None = None, gap_kmh: float = 0.0) -> GhostLap:
    """The second fastest lap as a ghost, or another."""
    where = np.array([stretch.end_m for stretch in even_stretches()])
    gaps = np.zeros(len(where))
    gaps[3] = gap_kmh
    return GhostLap(line().step_m, laps().values[1] if values is None else values, where, gaps, limits())
