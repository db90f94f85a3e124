"""Where on a closed line a car is: its positions on a plane, and their projection on the line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter
from scipy.spatial import cKDTree

from conf.arrays import FloatArray, IndexArray
from physics.centre_line import Line

# WGS84.
_SEMI_MAJOR_M = 6_378_137.0
_ECCENTRICITY_SQ = 6.694379990141e-3

# Where two parts of a track run side by side, the nearest may be the wrong one: look no further than this from where
# the car is expected.
_WINDOW_M = 150.0
_SEARCH_STEP_M = 2.0
_MEDIAN_FIXES = 61


@dataclass(frozen=True)
class PositionFixes:
    """Positions of one lap; a position that is only repeated is left out, since it is older than its sample.

    Attributes:
        t_s: Time since the start of the lap, shape (n,).
        x_m: Position on the circuit's plane, shape (n,).
        y_m: Position on the circuit's plane, shape (n,).
    """

    t_s: FloatArray
    x_m: FloatArray
    y_m: FloatArray


@dataclass(frozen=True)
class Projection:
    """Positions seen from a line.

    Attributes:
        s_m: Distance along the line, counted on over the start/finish line, near what was expected, shape (n,).
        offset_m: Distance from the line, positive to its left, shape (n,).
    """

    s_m: FloatArray
    offset_m: FloatArray


def to_plane_metres(
    lat_deg: FloatArray, lon_deg: FloatArray, origin_deg: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Metres east and north of an origin on the WGS84 ellipsoid's tangent plane, good to centimetres over a track."""
    lat, lon = np.radians(origin_deg)
    root = np.sqrt(1.0 - _ECCENTRICITY_SQ * np.sin(lat) ** 2)
    east = _SEMI_MAJOR_M / root * np.cos(lat)
    north = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_SQ) / root**3
    return east * (np.radians(lon_deg) - lon), north * (np.radians(lat_deg) - lat)


def read_fixes(
    t_s: FloatArray, channels: Mapping[str, FloatArray], origin_deg: tuple[float, float] | None
) -> PositionFixes | None:
    """Positions of a lap on a plane.

    Args:
        t_s: Shape (n,), rising.
        channels: ``lat_deg`` and ``lon_deg``, used with an origin; ``x_m`` and ``y_m``, used without; NaN where there
            is none.
        origin_deg: Latitude and longitude of the plane's zero.

    Returns:
        The positions, or ``None`` where the lap has fewer than two.
    """
    first, second = (channels.get(name) for name in (("x_m", "y_m") if origin_deg is None else ("lat_deg", "lon_deg")))
    if first is None or second is None:
        return None
    known = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    new = known[np.append(True, (np.diff(first[known]) != 0) | (np.diff(second[known]) != 0))[: known.size]]
    if new.size < 2:
        return None
    x, y = first[new], second[new]
    return (
        PositionFixes(t_s[new], x, y)
        if origin_deg is None
        else PositionFixes(t_s[new], *to_plane_metres(x, y, origin_deg))
    )


def project_on_line(line: Line, x_m: FloatArray, y_m: FloatArray, expected_m: FloatArray) -> Projection:
    """Nearest point of a closed line for each position, on the part of the line where the car is expected.

    The nearest point overall is right for nearly all positions. What it says beyond the expectation, as a running
    median, corrects the expectation; a position far from the corrected one is looked up again in its surroundings.

    Args:
        line: Closed line.
        x_m: Positions in driving order, shape (n,).
        y_m: Shape (n,).
        expected_m: Roughly how far along the line each position is, shape (n,); may be off by a few hundred metres
            as long as it drifts slowly.
    """
    tree = cKDTree(np.column_stack([line.x_m, line.y_m]))
    index = np.asarray(tree.query(np.column_stack([x_m, y_m]))[1])
    s, offset = _refine(line, index, x_m, y_m)
    beyond = _nearest_turn(s - expected_m, line.length_m)
    drift = median_filter(beyond, size=min(_MEDIAN_FIXES, len(beyond)), mode="nearest")
    far = np.abs(beyond - drift) > _WINDOW_M
    if far.any():
        index = _search(line, x_m[far], y_m[far], (expected_m + drift)[far])
        s[far], offset[far] = _refine(line, index, x_m[far], y_m[far])
    centre = expected_m + drift
    return Projection(centre + _nearest_turn(s - centre, line.length_m), offset)


def _search(line: Line, x_m: FloatArray, y_m: FloatArray, around_m: FloatArray) -> IndexArray:
    """Index of the line's nearest point within the window around given distances."""
    reach = np.arange(-_WINDOW_M, _WINDOW_M + _SEARCH_STEP_M, _SEARCH_STEP_M)
    index = np.rint((around_m[:, None] + reach) / line.step_m).astype(np.intp) % len(line.s_m)
    apart = (line.x_m[index] - x_m[:, None]) ** 2 + (line.y_m[index] - y_m[:, None]) ** 2
    return np.asarray(index[np.arange(len(x_m)), apart.argmin(axis=1)])


def _refine(line: Line, index: IndexArray, x_m: FloatArray, y_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance along and beside the line, from its nearest point and its direction there."""
    after, before = (index + 1) % len(line.s_m), index - 1
    dx, dy = line.x_m[after] - line.x_m[before], line.y_m[after] - line.y_m[before]
    norm = np.hypot(dx, dy)
    dx, dy = dx / norm, dy / norm
    ex, ey = x_m - line.x_m[index], y_m - line.y_m[index]
    along = np.clip(ex * dx + ey * dy, -line.step_m, line.step_m)
    return line.s_m[index] + along, ey * dx - ex * dy


def _nearest_turn(difference_m: FloatArray, length_m: float) -> FloatArray:
    """A difference along a closed line as the shorter way round."""
    return np.asarray((difference_m + length_m / 2.0) % length_m - length_m / 2.0)
