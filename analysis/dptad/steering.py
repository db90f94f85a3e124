"""Incidents of the steering: quick corrections, oversteer, understeer (B15)."""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.dptad.even_lap import DptadLap, grid_steps
from analysis.dptad.handling import FOLLOWS_S, HandlingBalance
from analysis.dptad.rules import EventCandidate
from analysis.signals.spans import find_prominent_peaks, find_prominent_valleys, find_runs

_JAB_DEG: Final = 10.0
_JAB_S: Final = 1.0
_EXCESS_DEG: Final = 10.0
_OPPOSITE_DEG: Final = 5.0  # more than the zero of a steering sensor is off by
_OVERSTEER_S, _UNDERSTEER_S = 0.1, 0.2
_HELD_S: Final = 0.4
_HELD_SHARE: Final = 0.6
_BEFORE_S: Final = 0.3
_TURNED_DEG: Final = 3.0


def find_steering_candidates(lap: DptadLap, handling: HandlingBalance) -> list[EventCandidate]:
    """Corrections and moments of oversteer and understeer."""
    return [*_find_oversteer(lap, handling), *_find_understeer(lap, handling), *_find_corrections(lap)]


def _find_corrections(lap: DptadLap) -> list[EventCandidate]:
    """Movements of the wheel there and back within a second; magnitude: the smaller of the two ways.

    Following a bend, a driver turns in and out once and slower.
    """
    width = grid_steps(_JAB_S) + 1
    return [
        EventCandidate("steering_jab", int(at), float(size))
        for turn in (find_prominent_peaks, find_prominent_valleys)
        for at, size in zip(*turn(lap.steering_deg, _JAB_DEG, width), strict=True)
    ]


def _find_oversteer(lap: DptadLap, handling: HandlingBalance) -> list[EventCandidate]:
    """Much less steering than the car needs, while it goes on turning as hard; magnitude: how much less.

    Unwinding the wheel at a corner's end, or from one bend to the next, looks the same for a moment, but then the
    lateral acceleration goes with it. Where it stays, the rear tyres slide and the driver holds the car.
    """
    found = []
    lateral = np.abs(handling.lat_g)
    held = grid_steps(_HELD_S)
    for start, end in find_runs(handling.excess_deg <= -_EXCESS_DEG):
        if end - start < grid_steps(_OVERSTEER_S):
            continue
        index = start + int(np.nanargmin(handling.excess_deg[start:end]))
        after = (handling.lat_g * np.sign(handling.lat_g[index]))[index : index + held + 1]
        if after.size > held and np.nanmin(after) >= _HELD_SHARE * lateral[index]:
            into_the_bend = lap.steering_deg[max(index - grid_steps(FOLLOWS_S), 0)] * np.sign(handling.lat_g[index])
            note = " (opposite lock)" if into_the_bend <= -_OPPOSITE_DEG else ""
            found.append(EventCandidate("oversteer", index, float(-handling.excess_deg[index]), note))
    return found


def _find_understeer(lap: DptadLap, handling: HandlingBalance) -> list[EventCandidate]:
    """More steering than the car needs, still growing while the lateral acceleration falls; magnitude: how much more.

    Falling speed lowers the acceleration too, but the model allows for that; at turn-in steering leads the
    acceleration, which then grows.
    """
    found = []
    lateral, turned = np.abs(handling.lat_g), np.abs(lap.steering_deg)
    late, before = grid_steps(FOLLOWS_S), grid_steps(_BEFORE_S)
    for start, end in find_runs(handling.excess_deg >= _EXCESS_DEG):
        index = start + int(np.nanargmax(handling.excess_deg[start:end]))
        if end - start < grid_steps(_UNDERSTEER_S) or index < before + late:
            continue
        more = turned[index - late] - turned[index - late - before]
        if more >= _TURNED_DEG and lateral[index] < lateral[index - before]:
            found.append(EventCandidate("understeer", index, float(handling.excess_deg[index])))
    return found
