"""A circuit from the positions of several laps: the line they typically drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from analysis.laps.distance import distance_at_time_m
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from analysis.tracks.corners import find_corners
from analysis.tracks.projection import PositionFixes, project_on_line, read_fixes
from conf.arrays import FloatArray
from conf.errors import InputError
from physics.centre_line import Line, curvature_per_m, even_grid

_FIRST_SMOOTHING_M = 10.0
_REFINEMENTS = 2
_MAX_BESIDE_M = 30.0  # further from the line a car is in the pits, on the grass or wrongly placed


@dataclass(frozen=True)
class BuiltTrack:
    """A circuit and how well the laps agree on it.

    Attributes:
        circuit: The circuit, without sector ends.
        laps: How many laps it was built from.
        spread_m: Median distance of the laps' own lines from it.
        driven_m: Median length of the laps as their own source of distance measured it. Far from the circuit's length
            where positions came in a wrong unit.
        misclosure_m: Gap between the two ends of the line before it was closed, where it had ends.
    """

    circuit: Circuit
    laps: int
    spread_m: float
    driven_m: float
    misclosure_m: float = 0.0


def build_from_positions(
    laps: Sequence[LapTrace], track_id: str, smoothing_m: float = 8.0, step_m: float = 1.0
) -> BuiltTrack:
    """The median line of laps with latitude and longitude, or with map coordinates where none has those.

    A first line is the median of the laps at equal shares of their distance. The laps are then projected on it and it
    moves sideways to their median: shares of distance do not blur the second line, and a lap off the road does not
    bend it. The line starts where the laps start, in the median.

    Args:
        laps: Whole laps, on any scale of distance.
        track_id: Name of the track.
        smoothing_m: Standard deviation of the Gaussian along the line.
        step_m: Grid step.

    Raises:
        InputError: If no lap has positions.
    """
    origin = _find_origin(laps)
    placed = [(lap, fixes) for lap in laps if (fixes := read_fixes(lap.t_s, lap.channels, origin)) is not None]
    if not placed:
        raise InputError(f"track '{track_id}': no lap has positions; build it by dead reckoning or choose other laps")
    line = _first_line(placed, step_m)
    spread = np.nan
    for _ in range(_REFINEMENTS):
        offsets = np.stack([_offsets(line, lap, fixes) for lap, fixes in placed])
        sideways = _trimmed_mean(offsets)
        spread = float(np.median(np.abs(offsets - sideways)))
        line = _shift_left(line, sideways, smoothing_m, step_m)
    driven = float(np.median([lap.driven_m or lap.end_m for lap, _ in placed]))
    return BuiltTrack(Circuit(track_id, line, find_corners(line), (), origin, "gps"), len(placed), spread, driven)


def fit_closed_line(x_m: FloatArray, y_m: FloatArray, smoothing_m: float, step_m: float = 1.0) -> Line:
    """A smooth closed line through points spread about evenly.

    Args:
        x_m: Shape (n,); the last point lies before the first.
        y_m: Shape (n,).
        smoothing_m: Standard deviation of the Gaussian along the line.
        step_m: Grid step of the result.
    """
    length = float(np.hypot(np.diff(x_m, append=x_m[0]), np.diff(y_m, append=y_m[0])).sum())
    sigma = smoothing_m * len(x_m) / length
    x, y = (gaussian_filter1d(axis, sigma, mode="wrap") for axis in (x_m, y_m))
    step = np.hypot(np.diff(x, append=x[0]), np.diff(y, append=y[0]))
    along = np.concatenate([[0.0], np.cumsum(step)])
    through = CubicSpline(along, np.column_stack([np.append(x, x[0]), np.append(y, y[0])]), bc_type="periodic")
    s = even_grid(float(along[-1]), round(float(along[-1]) / step_m))
    x, y = through(s).T
    return Line(s, x, y, curvature_per_m(x, y), float(along[-1]))


def _find_origin(laps: Sequence[LapTrace]) -> tuple[float, float] | None:
    """Median position at the start of the laps, to about a metre; ``None`` where no lap has one."""
    starts: list[list[float]] = []
    for lap in laps:
        lat, lon = (lap.channels.get(name, np.full(len(lap.t_s), np.nan)) for name in ("lat_deg", "lon_deg"))
        known = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
        starts.extend([float(lat[k]), float(lon[k])] for k in known[:1])
    if not starts:
        return None
    lat, lon = np.round(np.median(starts, axis=0), 5)
    return float(lat), float(lon)


def _first_line(placed: Sequence[tuple[LapTrace, PositionFixes]], step_m: float) -> Line:
    """Median over laps at equal shares of their distance; each lap is closed by spreading the gap between its ends."""
    n = round(float(np.median([lap.end_m for lap, _ in placed])) / step_m)
    share = np.arange(n) / n
    lines = []
    for lap, fixes in placed:
        at = distance_at_time_m(lap, fixes.t_s) / lap.end_m
        axes = [np.interp(share, at, axis) - share * (axis[-1] - axis[0]) for axis in (fixes.x_m, fixes.y_m)]
        lines.append(axes)
    x, y = np.median(lines, axis=0)
    return fit_closed_line(x, y, _FIRST_SMOOTHING_M, step_m)


def _offsets(line: Line, lap: LapTrace, fixes: PositionFixes) -> FloatArray:
    """How far to the left of each point of a line a lap passes, shape of the line."""
    expected = distance_at_time_m(lap, fixes.t_s) * (line.length_m / lap.end_m)
    seen = project_on_line(line, fixes.x_m, fixes.y_m, expected)
    near = np.abs(seen.offset_m) <= _MAX_BESIDE_M
    if not near.any():
        return np.zeros(len(line.s_m))
    return np.interp(line.s_m, seen.s_m[near], seen.offset_m[near], period=line.length_m)


def _trimmed_mean(values: FloatArray) -> FloatArray:
    """Mean over laps of the middle half: as robust as the median, and not bound to the steps of coarse positions."""
    laps = len(values)
    return np.asarray(np.sort(values, axis=0)[laps // 4 : laps - laps // 4].mean(axis=0))


def _shift_left(line: Line, sideways_m: FloatArray, smoothing_m: float, step_m: float) -> Line:
    """The line moved to its left, point by point."""
    dx, dy = (np.roll(axis, -1) - np.roll(axis, 1) for axis in (line.x_m, line.y_m))
    norm = np.hypot(dx, dy)
    return fit_closed_line(line.x_m - sideways_m * dy / norm, line.y_m + sideways_m * dx / norm, smoothing_m, step_m)
