"""A line through published points: a closed cubic spline, on an even grid, with its curvature."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d

from conf.arrays import FloatArray
from physics.centre_line import Line, even_grid

SMOOTHING_M = 10.0
STEP_M = 5.0


def spline_line(x_m: FloatArray, y_m: FloatArray, step_m: float = STEP_M, smoothing_m: float = SMOOTHING_M) -> Line:
    """The closed cubic spline through points, with the curvature of the spline itself.

    Args:
        x_m: Shape (n,), unclosed.
        y_m: Shape (n,).
        step_m: Longest grid step; the lap is a whole number of equal steps.
        smoothing_m: Width of the moving average over the curvature; 0 for none.
    """
    points = np.column_stack([np.append(x_m, x_m[0]), np.append(y_m, y_m[0])])
    chord = np.hypot(*np.diff(points, axis=0).T)
    knots = np.concatenate([[0.0], np.cumsum(chord)])
    spline = CubicSpline(knots, points, bc_type="periodic")
    along = np.concatenate([[0.0], np.cumsum(_lengths(spline, knots))])
    length = float(along[-1])
    n = math.ceil(length / step_m)
    s = even_grid(length, n)
    at = np.interp(s, along, knots)
    place, slope, bend = spline(at), spline(at, 1), spline(at, 2)
    curvature = (slope[:, 0] * bend[:, 1] - slope[:, 1] * bend[:, 0]) / np.hypot(*slope.T) ** 3
    width = round(smoothing_m * n / length) + 1
    smooth = uniform_filter1d(curvature, width + (width % 2 == 0), mode="wrap")
    return Line(s, place[:, 0], place[:, 1], smooth, length)


def _lengths(spline: CubicSpline, knots: FloatArray) -> FloatArray:
    """Length of each piece, by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    piece = np.diff(knots)
    at = knots[:-1, None] + piece[:, None] * (nodes + 1.0) / 2.0
    slope = spline(at.ravel(), 1).reshape(*at.shape, 2)
    return np.asarray(np.hypot(slope[..., 0], slope[..., 1]) @ weights * piece / 2.0)
