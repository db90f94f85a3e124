"""The one integrator that turns speed over distance into time, for driven, limit and ghost laps alike."""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray


def elapsed_s(speed_mps: FloatArray, step_m: float) -> FloatArray:
    """Time at each point of an even grid of distance, from zero, shape as given.

    ``dt = 2 ds / (v_i + v_i+1)``: exact for a constant acceleration.
    """
    steps = 2.0 * step_m / (speed_mps[1:] + speed_mps[:-1])
    return np.concatenate([[0.0], np.cumsum(steps)])
