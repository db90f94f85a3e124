"""Feasibility of a ghost lap: only a feasible one may be called optimal (seed ruling GX1).

Seven checks, each with a sentence that says where and by how much it failed. The car's mass (GX5) enters one of them:
the energy of each acceleration, mass times what the slope of the speed says, against what the engine gave human laps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from conf.ghost import GhostRules
from conf.units import GRAVITY_MPS2, KMH_PER_MPS
from ml.ghost.search.ghost_lap import GhostLap
from ml.ghost.search.smoothing import filter_window_points

_RUN_END_M: Final = 5.0  # an acceleration that pauses for less goes on


@dataclass(frozen=True)
class FeasibilityVerdict:
    """Whether a ghost can be driven.

    Attributes:
        feasible: Whether all checks passed.
        notes: One sentence for each that did not, and for each that could not be made.
        figures: What was measured: ``max_junction_speed_gap_kmh``, ``max_long_g``, ``max_lat_g``,
            ``envelope_excess_mps2``, ``envelope_beyond_mps2`` (outside the fitted surface alone), ``engine_excess_n``,
            ``both_pedals_m``, ``rpm_beyond``, ``over_limit_s``.
    """

    feasible: bool
    notes: tuple[str, ...]
    figures: dict[str, float]


@dataclass(frozen=True)
class _Check:
    passed: bool
    note: str
    figures: dict[str, float]


def check_feasibility(ghost: GhostLap) -> FeasibilityVerdict:
    """Check a ghost against the limits it was made for."""
    checks = [_check_finite(ghost)]
    if checks[0].passed:
        every = (_check_envelope, _check_gaps, _check_engine, _check_pedals, _check_gears, _check_limit)
        checks += [check(ghost) for check in every]
    return FeasibilityVerdict(
        all(check.passed for check in checks),
        tuple(check.note for check in checks if check.note),
        {name: value for check in checks for name, value in check.figures.items()},
    )


def ghost_summary_columns(ghost: GhostLap, verdict: FeasibilityVerdict, rules: GhostRules) -> dict[str, Any]:
    """What of ``gold.ghost_summary`` follows from a ghost and its verdict: column name to value."""
    columns = ("max_junction_speed_gap_kmh", "max_long_g", "max_lat_g", "envelope_excess_mps2")
    return {
        "ghost_lap_time_s": ghost.lap_time_s,
        "limit_lap_time_s": ghost.limits.limit_lap_s,
        "n_stretches": len(ghost.junctions_m),
        "n_candidates": ghost.candidates,
        **{name: verdict.figures.get(name) for name in columns},
        "feasible": verdict.feasible,
        "feasibility_notes": list(verdict.notes),
        "sg_window": filter_window_points(ghost.step_m, rules.smoothing),
        "sg_polyorder": rules.smoothing.polyorder,
    }


def _check_finite(ghost: GhostLap) -> _Check:
    bad = np.flatnonzero(~np.isfinite(ghost.values).all(axis=1))
    note = (
        f"The ghost has no value at {bad[0] * ghost.step_m:.0f} m and {len(bad) - 1} places more." if bad.size else ""
    )
    return _Check(not bad.size, note, {})


def _check_envelope(ghost: GhostLap) -> _Check:
    """Accelerations inside the surface, or where humans lay outside it, no further than they."""
    moves, most = ghost.moves, ghost.limits.rules.envelope_mps2
    across = ghost.limits.across_mps2(ghost.at_m, moves.slopes.speed_mps[0])
    excess = np.where(moves.slopes.whole, moves.excess_mps2, np.inf)[0]
    worst = int(np.argmax(excess))
    figures = {
        "envelope_excess_mps2": float(excess[worst]),
        "envelope_beyond_mps2": float(np.nan_to_num(moves.beyond_mps2).max()),
        "max_long_g": float(np.abs(moves.slopes.along_mps2).max() / GRAVITY_MPS2),
        "max_lat_g": float(np.abs(across).max() / GRAVITY_MPS2),
    }
    along = moves.slopes.along_mps2[0, worst]
    note = (
        f"At {worst * ghost.step_m:.0f} m the ghost takes {along:.1f} m/s^2 along and {abs(across[worst]):.1f} across "
        f"at {ghost.speed_mps[worst] * KMH_PER_MPS:.0f} km/h: {excess[worst]:.2f} m/s^2 more than the car showed "
        f"there, and {most:g} are allowed; it does so over {(excess > most).sum() * ghost.step_m:.0f} m of the lap."
    )
    return _result(excess[worst] <= most, note, figures)


def _check_gaps(ghost: GhostLap) -> _Check:
    gaps, most = ghost.junction_gaps_kmh, ghost.limits.rules.junction_gap_kmh
    worst = int(np.argmax(gaps))
    note = (
        f"At {ghost.junctions_m[worst]:.0f} m, where two stretches meet, the speed jumps by {gaps[worst]:.1f} km/h; "
        f"{most:g} is allowed."
    )
    return _result(gaps[worst] <= most, note, {"max_junction_speed_gap_kmh": float(gaps[worst])})


def _check_engine(ghost: GhostLap) -> _Check:
    """Energy of each acceleration: mass times what its speed gains beyond what the engine gives."""
    rules = ghost.limits.rules
    energy, length = (x[0] for x in ghost.limits.over_engine(ghost.at_m, ghost.speed_mps[None]))
    runs = [(energy[a:b].sum() / length[a:b].sum(), a, b) for a, b in _acceleration_runs(ghost)]
    if not runs:
        return _Check(True, "", {"engine_excess_n": 0.0})
    mean, a, b = max(runs)
    force = float(rules.mass_kg * mean)
    kilowatts = force * (b - a) * ghost.step_m / (ghost.time_s[b] - ghost.time_s[a]) / 1000.0
    note = (
        f"From {a * ghost.step_m:.0f} to {b * ghost.step_m:.0f} m the ghost gains speed as if the engine pushed a car "
        f"of {rules.mass_kg:g} kg with {force:.0f} N ({kilowatts:.0f} kW) more than it gave human laps there; "
        f"{rules.engine_n:g} N are allowed."
    )
    return _result(force <= rules.engine_n, note, {"engine_excess_n": force})


def _acceleration_runs(ghost: GhostLap) -> Iterator[tuple[int, int]]:
    """First and last point of each acceleration long enough to be asked for its energy."""
    _, length = ghost.limits.over_engine(ghost.at_m, ghost.speed_mps[None])
    faster = np.flatnonzero(length[0] > 0)
    breaks = np.flatnonzero(np.diff(faster) * ghost.step_m > _RUN_END_M)
    for first, last in pairwise([-1, *breaks, len(faster) - 1]):
        a, b = int(faster[first + 1]), int(faster[last]) + 1
        if (b - a) * ghost.step_m >= ghost.limits.rules.engine_over_m:
            yield a, b


def _check_pedals(ghost: GhostLap) -> _Check:
    limits = ghost.limits
    together = limits.both_pedals(ghost.values[:-1, 1], ghost.values[:-1, 2])
    metres, most = float(together.sum() * ghost.step_m), limits.both_pedals_m
    first = float(np.argmax(together) * ghost.step_m)
    note = (
        f"The ghost presses throttle and brake together over {metres:.0f} m, first at {first:.0f} m; no human lap does "
        f"over more than {most:.0f} m."
    )
    return _result(metres <= most, note, {"both_pedals_m": metres})


def _check_gears(ghost: GhostLap) -> _Check:
    box, most = ghost.limits.gearbox, ghost.limits.rules.rpm
    if box is None or ghost.gear is None:
        return _Check(
            True, "The human laps have no gear or engine speed: the ghost has none, and they are not checked.", {}
        )
    beyond = box.beyond_rpm(ghost.car_kmh, ghost.gear)
    worst = int(np.argmax(np.abs(beyond)))
    note = (
        f"At {worst * ghost.step_m:.0f} m the engine would turn {abs(beyond[worst]):.0f}/min "
        f"{'faster' if beyond[worst] > 0 else 'more slowly'} in gear {ghost.gear[worst]} than in any human lap, at "
        f"{ghost.car_kmh[worst]:.0f} km/h; {most:g} are allowed."
    )
    return _result(abs(beyond[worst]) <= most, note, {"rpm_beyond": float(abs(beyond[worst]))})


def _check_limit(ghost: GhostLap) -> _Check:
    over = ghost.lap_time_s - ghost.limits.limit_lap_s
    note = (
        f"Its {ghost.lap_time_s:.3f} s are {-over:.3f} s faster than the limit lap of the car's envelope, "
        f"{ghost.limits.limit_lap_s:.3f} s."
    )
    return _result(over >= 0.0, note, {"over_limit_s": over})


def _result(passed: bool, note: str, figures: dict[str, float]) -> _Check:
    return _Check(bool(passed), "" if passed else note, figures)
