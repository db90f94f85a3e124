"""A circuit without positions: from speed and lateral acceleration to heading, from heading to a line.

Per metre a car turns by ``g * lateral acceleration / speed squared``. Turned and shifted on top of lines built from
GPS, the result lies 16 m (root mean square) beside Barber's and 8 m beside Indianapolis's: good enough for a map and
for which corner comes where, not for a driven line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.laps.distance import time_at_distance_s
from analysis.laps.trace import LapTrace
from analysis.track_build.from_positions import BuiltTrack, fit_closed_line
from analysis.tracks.circuit import Circuit
from analysis.tracks.corners import find_corners
from conf.arrays import FloatArray
from conf.errors import InputError
from conf.units import GRAVITY_MPS2, KMH_PER_MPS
from physics.centre_line import Line

SPEED_LAG_S = 0.3
"""How much later than the accelerations the GR Cup feed tells of speed: with 0.3 s the curvature from both fits the
curvature of GPS lines best, at Barber and at Indianapolis."""

_FULL_TURN = 2.0 * np.pi


def build_by_dead_reckoning(
    laps: Sequence[LapTrace], track_id: str, speed_lag_s: float = SPEED_LAG_S, smoothing_m: float = 8.0
) -> BuiltTrack:
    """The line of a circuit from laps with speed, lateral acceleration and steering.

    Curvature is taken lap by lap: the sensor's offset is the one with which the lap turns by exactly one full turn, to
    the side that needs the smaller offset; where the sensor is mounted the other way round, steering shows it. The
    line follows the median curvature over the laps and is closed by spreading the gap between its ends evenly.

    Args:
        laps: Whole laps, distance as driven (made without a circuit); their median is the circuit's length.
        track_id: Name of the track.
        speed_lag_s: How much later than the accelerations speed is told of.
        smoothing_m: Standard deviation of the Gaussian along the line.

    Returns:
        The track, its first metre heading along x. ``spread_m`` says how far the lines of single laps lie from it.

    Raises:
        InputError: If there is no lap, one lacks a channel, or the laps turn different ways.
    """
    if not laps:
        raise InputError(f"track '{track_id}': no laps to reckon from; choose other laps")
    length = float(np.median([lap.end_m for lap in laps]))
    n = round(length)
    bends = np.stack([_curvature_per_m(lap, n, length / n, speed_lag_s) for lap in laps])
    turns = np.sign(bends.sum(axis=1))
    if np.ptp(turns):
        raise InputError(
            f"track '{track_id}': {int((turns > 0).sum())} laps turn left and {int((turns < 0).sum())} right; "
            "give accel_lat_g and steering_deg of one direction and whole laps"
        )
    middle = np.median(bends, axis=0)
    middle += (turns[0] * _FULL_TURN - middle.sum() * (length / n)) / length
    x, y, gap = _integrate_line(middle, length / n)
    apart = [np.hypot(own[0] - x, own[1] - y) for own in (_integrate_line(bend, length / n) for bend in bends)]
    line = _scale_to_length(fit_closed_line(x, y, smoothing_m), length)
    circuit = Circuit(track_id, line, find_corners(line), source="dead_reckoning")
    return BuiltTrack(circuit, len(laps), float(np.median(apart)), length, gap)


def _scale_to_length(line: Line, length_m: float) -> Line:
    """A line enlarged to a length: closing and smoothing had shortened it."""
    factor = length_m / line.length_m
    return Line(line.s_m * factor, line.x_m * factor, line.y_m * factor, line.curvature_per_m / factor, length_m)


def _curvature_per_m(lap: LapTrace, n: int, step_m: float, speed_lag_s: float) -> FloatArray:
    """Curvature at ``n`` even shares of a lap, positive to the left; adds up to one full turn."""
    at_s = time_at_distance_s(lap, (np.arange(n) + 0.5) / n * lap.end_m)
    speed = _interpolate_known(lap, "speed_kmh", at_s + speed_lag_s) / KMH_PER_MPS
    lateral, steering = _interpolate_known(lap, "accel_lat_g", at_s), _interpolate_known(lap, "steering_deg", at_s)
    if np.dot(lateral - lateral.mean(), steering - steering.mean()) < 0.0:
        lateral = -lateral
    per_g = GRAVITY_MPS2 / np.maximum(speed, 1.0) ** 2
    turn, turn_per_g = float(np.dot(lateral, per_g)) * step_m, float(per_g.sum()) * step_m
    side = 1.0 if turn > 0.0 else -1.0
    offset_g = (turn - side * _FULL_TURN) / turn_per_g
    return np.asarray((lateral - offset_g) * per_g)


def _interpolate_known(lap: LapTrace, name: str, at_s: FloatArray) -> FloatArray:
    values = lap.channels.get(name)
    known = np.isfinite(values) if values is not None else np.zeros(0, dtype=bool)
    if values is None or not known.any():
        raise InputError(f"a lap of {lap.lap_time_s:.1f} s has no {name}: dead reckoning needs it; leave the lap out")
    return np.interp(at_s, lap.t_s[known], values[known])


def _integrate_line(bend_per_m: FloatArray, step_m: float) -> tuple[FloatArray, FloatArray, float]:
    """Points of a closed line, and the gap between its ends before it was closed."""
    heading = np.concatenate([[0.0], np.cumsum(bend_per_m * step_m)])
    middle = (heading[1:] + heading[:-1]) / 2.0
    x, y = (np.concatenate([[0.0], np.cumsum(way)]) * step_m for way in (np.cos(middle), np.sin(middle)))
    share = np.arange(len(x)) / (len(x) - 1)
    gap = float(np.hypot(x[-1], y[-1]))
    return (x - share * x[-1])[:-1], (y - share * y[-1])[:-1], gap
