"""Mistakes made on purpose: the same drive with one foot early on the brake or off the throttle, to tell what it costs.

They change what a driver aims at and nothing that is drawn by chance, so a run with a mistake and one without are the
same up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conf.arrays import FloatArray
from conf.errors import InputError
from producers.simulator.cars.speed_plan import Road, slope_of
from producers.simulator.config import PlantedMistake

_APEX_WITHIN_M = 60.0  # the corner meant is the slowest place so near
_PEAK_MPS = 1.0  # a target that has fallen by so much on the way back is past its peak


def with_mistakes(road: Road, mistakes: Sequence[PlantedMistake], length_m: float) -> Road:
    """What drivers aim at who make mistakes.

    Args:
        road: What they aim at without.
        mistakes: Whose, where and which.
        length_m: Length of a lap, on the scale of the mistakes' places.

    Raises:
        InputError: If a mistake lies beyond the lap.
    """
    target, lifted = road.target_mps.copy(), np.zeros(road.target_mps.shape, np.bool_)
    per_m = road.points / length_m
    for mistake in mistakes:
        if mistake.at_m >= length_m:
            raise InputError(f"mistake at {mistake.at_m:g} m: a lap of this track is {length_m:,.0f} m")
        car, by = mistake.car - 1, round(mistake.by_m * per_m)
        for lap in range(target.shape[1] // road.points):
            if mistake.lap not in (None, lap + 1):
                continue
            at = lap * road.points + round(mistake.at_m * per_m)
            if mistake.kind == "lift":
                lifted[car, at : at + by] = True
            else:
                _brake_early(target[car], at, by, round(_APEX_WITHIN_M * per_m))
    return replace(road, target_mps=target, slope_mps2=slope_of(target, road.step_m), lifted=lifted)


def _brake_early(target_mps: FloatArray, at: int, by: int, within: int) -> None:
    """Move the fall of the target towards a corner's slowest point forward; it then stays as slow up to that point."""
    first = max(0, at - within)
    apex = first + int(np.argmin(target_mps[first : at + within + 1]))
    peak = _peak_before(target_mps, apex)
    here = np.arange(max(0, peak - by), apex)
    target_mps[here] = np.minimum(target_mps[here], target_mps[np.minimum(here + by, apex)])


def _peak_before(target_mps: FloatArray, apex: int) -> int:
    """Where the target begins to fall towards a corner."""
    peak = k = apex
    while k > 0 and target_mps[k - 1] > target_mps[peak] - _PEAK_MPS:
        k -= 1
        peak = k if target_mps[k] > target_mps[peak] else peak
    return peak
