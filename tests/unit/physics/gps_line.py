"""Curvature of a driven line from GPS fixes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from conf.arrays import FloatArray
from physics.centre_line import Line, curvature_per_m, even_grid

_EARTH_M = 6_371_008.8  # mean radius (IUGG)


def local_metres(lat_deg: FloatArray, lon_deg: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Positions east and north of the first fix in metres, on a plane: good to millimetres over a race track.

    Raises:
        ValueError: If the values cannot be degrees, as when a file holds radians.
    """
    if max(np.ptp(lat_deg), np.ptp(lon_deg)) < 6e-4:
        raise ValueError(
            f"latitude spans {np.ptp(lat_deg):.2g} and longitude {np.ptp(lon_deg):.2g} degrees, less than 70 m: "
            "if the source holds radians, convert them first"
        )
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return (lon - lon[0]) * np.cos(lat[0]) * _EARTH_M, (lat - lat[0]) * _EARTH_M


def line_from_gps(
    distance_m: FloatArray, lat_deg: FloatArray, lon_deg: FloatArray, smoothing_m: float = 8.0, step_m: float = 1.0
) -> Line:
    """The line of one whole lap from its fixes.

    The lap is closed by spreading the gap between its two ends over it: two passes of the start/finish line do not
    run through the same point.

    Args:
        distance_m: Distance driven at each fix, rising from the line to the line, shape (n,).
        lat_deg: Shape (n,).
        lon_deg: Shape (n,).
        smoothing_m: Standard deviation of the Gaussian along the line that takes the fixes' noise away.
        step_m: Grid step.
    """
    x, y = local_metres(lat_deg, lon_deg)
    moved = np.concatenate([[True], (np.diff(x) != 0) | (np.diff(y) != 0)])
    at = distance_m[moved]
    length = float(distance_m[-1] - distance_m[0])
    n = round(length / step_m)
    s = even_grid(length, n)
    sigma = smoothing_m * n / length
    places = []
    for axis in (x[moved], y[moved]):
        even = np.interp(s, at - distance_m[0], axis)
        even -= s / length * (axis[-1] - axis[0])
        places.append(gaussian_filter1d(even, sigma, mode="wrap"))
    # Differences of the smoothed positions: a truncated second-derivative kernel would add a share of the position.
    return Line(s, places[0], places[1], curvature_per_m(places[0], places[1]), length)
