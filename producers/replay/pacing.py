"""When to send which reading, so that a replay keeps the file's own rate."""

from __future__ import annotations

import numpy as np
import polars as pl

from conf.arrays import FloatArray
from conf.errors import InputError


def check_speed(speed: float | None) -> None:
    """Check a speed; None is as fast as possible.

    Raises:
        InputError: If it is not a positive number.
    """
    if speed is not None and not (np.isfinite(speed) and speed > 0):
        raise InputError(f"speed {speed:g}: must be a positive number; leave it out to send as fast as possible")


def due_times_s(frame: pl.DataFrame, speed: float) -> FloatArray:
    """Seconds after the replay's start at which each reading is due.

    Readings keep the distance of their arrival times, divided by ``speed``. From one session to the next no time
    passes: a file may hold two races, a day apart.

    Args:
        frame: Rows in arrival order with ``meta_time_us`` and ``session_id``.
        speed: 1 is the file's rate, 10 is ten times as fast.

    Returns:
        Non-decreasing, of shape (rows,), beginning at 0.

    Raises:
        InputError: If the speed is not a positive number.
    """
    check_speed(speed)
    step_us = pl.col("meta_time_us").forward_fill().diff()
    same_session = pl.col("session_id") == pl.col("session_id").shift()
    steps = frame.select(pl.when(same_session).then(step_us).fill_null(0)).to_series()
    return np.asarray(steps.cum_sum().to_numpy() / (1e6 * speed), dtype=np.float64)
