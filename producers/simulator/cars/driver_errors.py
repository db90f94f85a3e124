"""Drivers' errors made on purpose: the same drive with a foot early on the brake or off the throttle, to tell its cost.

They change what a driver aims at and nothing that is drawn by chance, so a run with an error and one without are the
same up to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conf.arrays import FloatArray
from conf.errors import InputError
from producers.simulator.cars.speed_plan import SpeedPlan, acceleration_along
from producers.simulator.config import DriverError

_APEX_WITHIN_M = 60.0  # the corner meant is the slowest place so near
_PEAK_MPS = 1.0  # a target that has fallen by so much on the way back is past its peak


def with_driver_errors(plan: SpeedPlan, errors: Sequence[DriverError], length_m: float) -> SpeedPlan:
    """What drivers aim at who make errors.

    Args:
        plan: What they aim at without.
        errors: Whose, where and which.
        length_m: Length of a lap, on the scale of the errors' places.

    Raises:
        InputError: If an error lies beyond the lap.
    """
    target, lifted = plan.target_mps.copy(), np.zeros(plan.target_mps.shape, np.bool_)
    per_m = plan.points / length_m
    for error in errors:
        if error.at_m >= length_m:
            raise InputError(f"driver error at {error.at_m:g} m: a lap of this track is {length_m:,.0f} m")
        car, by = error.car - 1, round(error.by_m * per_m)
        for lap in range(target.shape[1] // plan.points):
            if error.lap not in (None, lap + 1):
                continue
            at = lap * plan.points + round(error.at_m * per_m)
            if error.kind == "lift":
                lifted[car, at : at + by] = True
            else:
                _brake_early(target[car], at, by, round(_APEX_WITHIN_M * per_m))
    return replace(plan, target_mps=target, slope_mps2=acceleration_along(target, plan.step_m), lifted=lifted)


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
