"""From segments to a driven line: position and curvature over distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from conf.arrays import FloatArray
from conf.errors import InputError
from conf.track import TrackSpec

MAX_GAP_M = 0.5


@dataclass(frozen=True)
class Line:
    """A closed line on an even distance grid; the last point lies one step before the first.

    Attributes:
        s_m: Distance from the start/finish line, shape (n,).
        x_m: Position, shape (n,).
        y_m: Position, shape (n,).
        curvature_per_m: Signed curvature, positive to the left, shape (n,).
        length_m: Length of one lap.
    """

    s_m: FloatArray
    x_m: FloatArray
    y_m: FloatArray
    curvature_per_m: FloatArray
    length_m: float

    @property
    def step_m(self) -> float:
        """Distance between two points."""
        return self.length_m / len(self.s_m)


def build_centre_line(track: TrackSpec, step_m: float = 1.0) -> Line:
    """Lay the segments end to end.

    Raises:
        InputError: If the end misses the start by more than ``MAX_GAP_M`` or the bends do not sum to a full turn.
    """
    n = round(track.length_m / step_m)
    ends = np.cumsum([segment.length_m for segment in track.segments])
    bends = np.array([segment.curvature_per_m for segment in track.segments])
    starts = ends - [segment.length_m for segment in track.segments]
    headings = np.concatenate([[0.0], np.cumsum(bends * (ends - starts))])
    corners = np.cumsum(
        [[0.0, 0.0], *(_chord(*piece) for piece in zip(headings, bends, ends - starts, strict=False))], 0
    )
    gap, turn = float(np.hypot(*corners[-1])), abs(headings[-1])
    if gap > MAX_GAP_M or abs(turn - 2 * np.pi) > 1e-6:
        raise InputError(
            f"track '{track.name}' does not close: it ends {gap:.2f} m from its start after a turn of "
            f"{np.degrees(turn):.2f} degrees; change its straights (gap <= {MAX_GAP_M} m) and angles (360)"
        )
    s = even_grid(track.length_m, n)
    which = np.searchsorted(ends, s, side="right")
    into = s - starts[which]
    x, y = np.array([_chord(*p) for p in zip(headings[which], bends[which], into, strict=True)]).T
    closing = np.outer(s / track.length_m, corners[-1])
    return Line(
        s, corners[which, 0] + x - closing[:, 0], corners[which, 1] + y - closing[:, 1], bends[which], track.length_m
    )


def build_driven_line(centre: Line, smoothing_m: float) -> Line:
    """The line a car drives: the centre line with its jumps in curvature rounded off, corners cut a little.

    Args:
        centre: Line to smooth.
        smoothing_m: Standard deviation of the Gaussian along the line.

    Returns:
        A line on an even grid of its own, slightly shorter length.
    """
    sigma = smoothing_m / centre.step_m
    x, y = (gaussian_filter1d(axis, sigma, mode="wrap") for axis in (centre.x_m, centre.y_m))
    return fit_line_through(x, y, len(x))


def fit_line_through(x_m: FloatArray, y_m: FloatArray, n: int) -> Line:
    """Closed line through points: resampled to ``n`` even steps, curvature by periodic central differences."""
    step = np.hypot(np.diff(x_m, append=x_m[0]), np.diff(y_m, append=y_m[0]))
    along = np.concatenate([[0.0], np.cumsum(step)])
    length = float(along[-1])
    s = even_grid(length, n)
    x, y = (np.interp(s, along, np.append(axis, axis[0])) for axis in (x_m, y_m))
    return Line(s, x, y, curvature_per_m(x, y), length)


def even_grid(length_m: float, n: int) -> FloatArray:
    """Distances of ``n`` points spread evenly over a closed lap, shape (n,)."""
    return np.asarray(np.arange(n) * (length_m / n), dtype=np.float64)


def curvature_per_m(x: FloatArray, y: FloatArray) -> FloatArray:
    """Signed curvature of a closed curve through points, by periodic central differences; positive to the left."""
    dx, dy = (np.roll(axis, -1) - np.roll(axis, 1) for axis in (x, y))
    ddx, ddy = (np.roll(axis, -1) - 2 * axis + np.roll(axis, 1) for axis in (x, y))
    return np.asarray((dx * ddy - dy * ddx) * 4.0 / (dx * dx + dy * dy) ** 1.5)


def _chord(heading: float, bend: float, length: float) -> tuple[float, float]:
    """Way from the start of an arc (or straight) of a given heading to a point ``length`` along it."""
    half = bend * length / 2.0
    reach = length * np.sinc(half / np.pi)
    return reach * np.cos(heading + half), reach * np.sin(heading + half)
