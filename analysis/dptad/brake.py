"""Incidents of the brake: a harsh first application, a sharp second stab, a release and re-application (B13)."""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.dptad.even_lap import DptadLap, grid_steps, rate_of_change
from analysis.dptad.rules import RULE_OF, EventCandidate
from analysis.signals.spans import Run, find_prominent_valleys, find_runs, index_of_maximum
from conf.arrays import FloatArray

_BRAKING_BAR: Final = 10.0  # a foot that rests on the pedal, or a kerb, gives less
_BRIDGE_S: Final = 0.5  # off the brake for no longer than this, it is still the same braking
_LEAD_S: Final = 0.15
_FIRST_S: Final = 0.5
_RISING_BAR_PER_S: Final = 50.0
_STAB_BAR: Final = 5.0


def find_braking_runs(lap: DptadLap) -> list[Run]:
    """Find the applications of the brake, bridging short releases."""
    return find_runs(lap.brake_bar >= _BRAKING_BAR, bridge=grid_steps(_BRIDGE_S))


def find_brake_candidates(lap: DptadLap) -> list[EventCandidate]:
    """Rises and re-applications of each braking.

    A driver squeezes the brake on once and lets it go as the speed falls. The first application is judged by how fast
    pressure rises in its first half second; a later rise by how sharp it is (the tyre is loaded already and the nose
    goes down again); a valley in the pressure by how much was let go and applied again.
    """
    pressure_rate = rate_of_change(lap.brake_bar)
    found: list[EventCandidate] = []
    for run in find_braking_runs(lap):
        found += _find_pressure_rises(lap, pressure_rate, run)
        found += _find_reapplications(lap, run)
    return found


def _find_pressure_rises(lap: DptadLap, pressure_rate: FloatArray, run: Run) -> list[EventCandidate]:
    start, end = max(run[0] - grid_steps(_LEAD_S), 0), run[1]
    found = []
    first = None
    for a, b in find_runs(pressure_rate[start:end] > _RISING_BAR_PER_S, bridge=1):
        top = index_of_maximum(pressure_rate, start + a, start + b)
        if start + a < run[0] + grid_steps(_FIRST_S):
            first = top if first is None or pressure_rate[top] > pressure_rate[first] else first
        elif np.nanmax(lap.brake_bar[start + a : start + b + 1]) - lap.brake_bar[start + a] >= _STAB_BAR:
            found.append(EventCandidate("brake_stab", top, float(pressure_rate[top])))
    if first is not None:
        found.append(EventCandidate("brake_bite", first, float(pressure_rate[first])))
    return found


def _find_reapplications(lap: DptadLap, run: Run) -> list[EventCandidate]:
    """The deepest valley of a braking, with how many there are that are deep enough to be no noise."""
    at, depth = find_prominent_valleys(lap.brake_bar[slice(*run)], RULE_OF["brake_reapply"].low)
    if at.size == 0:
        return []
    deepest = int(np.argmax(depth))
    note = f", {at.size} times" if at.size > 1 else ""
    return [EventCandidate("brake_reapply", run[0] + int(at[deepest]), float(depth[deepest]), note, at.size)]
