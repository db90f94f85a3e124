"""Locate an instant on the lap: corner, phase, sector and corner stretch (B18)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from analysis.dptad.brake import find_braking_runs
from analysis.dptad.even_lap import DptadLap
from analysis.tracks.circuit import Circuit, Corner

LapPhase = Literal["braking", "entry", "apex", "exit", "straight"]
APEX_SHARE: Final = 0.15  # of the corner's length, to either side of its apex
_REACHES_M: Final = 30.0
APPROACH_M: Final = 250.0  # braking this far before a corner is braking for it


@dataclass(frozen=True, slots=True)
class LapLocation:
    """Where on the circuit an instant is.

    Attributes:
        corner: The corner, or the one that is braked for; ``None`` on a straight.
        phase: Part of the lap.
        sector: Sector, from 1.
    """

    corner: Corner | None
    phase: LapPhase
    sector: int


def locate_on_lap(lap: DptadLap, circuit: Circuit, index: int, corner: int | None = None) -> LapLocation:
    """Find corner, phase and sector of a grid point.

    Inside a corner the phase is ``entry``, ``apex`` or ``exit``, brake or not; outside it is ``braking`` where the
    brake is pressed, else ``straight``. Braking past an apex that goes on to the next corner belongs to that one.

    Args:
        lap: The lap.
        circuit: Where it was driven.
        index: Grid point.
        corner: Number of the corner whose exit this is, where that is known.
    """
    at_m = float(lap.distance_m[index]) % circuit.length_m
    sector = int(np.searchsorted(circuit.sector_ends_m, at_m, side="right")) + 1
    inside, phase = _corner_and_phase(circuit, at_m, corner)
    if phase in ("entry", "apex") or (inside is not None and inside.number == corner):
        return LapLocation(inside, phase, sector)
    pressed = next((run for run in find_braking_runs(lap) if run[0] <= index < run[1]), None)
    if pressed is None:
        return LapLocation(inside, phase, sector)
    ahead, gap_m = _next_corner(circuit, at_m)
    if inside is not None:
        left_m = float(lap.distance_m[pressed[1] - 1] - lap.distance_m[index])
        if left_m >= gap_m - _REACHES_M:
            return LapLocation(ahead, "braking", sector)
        return LapLocation(inside, phase, sector)
    return LapLocation(ahead if gap_m <= APPROACH_M else None, "braking", sector)


def _corner_and_phase(circuit: Circuit, at_m: float, known: int | None) -> tuple[Corner | None, LapPhase]:
    """Corner and phase by distance alone."""
    for one in circuit.corners:
        if one.number == known:
            return one, "exit"
    for one in circuit.corners:
        length = (one.exit_m - one.entry_m) % circuit.length_m
        into = (at_m - one.entry_m) % circuit.length_m
        if into <= length:
            return one, _lap_phase(into, (one.apex_m - one.entry_m) % circuit.length_m, length)
    return None, "straight"


def _next_corner(circuit: Circuit, at_m: float) -> tuple[Corner | None, float]:
    """The next corner to be entered, and how far it is."""
    if not circuit.corners:
        return None, np.inf
    ahead = min(circuit.corners, key=lambda one: (one.entry_m - at_m) % circuit.length_m)
    return ahead, (ahead.entry_m - at_m) % circuit.length_m


def _lap_phase(into_m: float, apex_m: float, length_m: float) -> LapPhase:
    if abs(into_m - apex_m) <= APEX_SHARE * length_m:
        return "apex"
    return "entry" if into_m < apex_m else "exit"


def corner_stretches_m(circuit: Circuit) -> dict[int, tuple[float, float]]:
    """Each corner's stretch of road, by corner number: from its braking, or the end of the corner before, to the next.

    So it holds what a corner costs on the road after it. The last one ends at the line; what a corner that reaches over
    the line costs after it is left out.
    """
    corners = sorted(circuit.corners, key=lambda one: one.entry_m)
    ends = [0.0, *(one.exit_m if one.exit_m >= one.entry_m else circuit.length_m for one in corners)]
    starts = [max(end, one.entry_m - APPROACH_M) for end, one in zip(ends, corners, strict=False)]
    edges = [*starts, circuit.length_m]
    return {one.number: (edges[i], edges[i + 1]) for i, one in enumerate(corners)}
