"""Stretches of a grid on which something holds, and the turning points of a signal."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.signal import find_peaks

from conf.arrays import BoolArray, FloatArray, IntArray

Run = tuple[int, int]


def find_runs(mask: BoolArray, bridge: int = 0) -> list[Run]:
    """Half-open index ranges where ``mask`` holds.

    Args:
        mask: Shape (n,).
        bridge: Gaps of up to this many points between two runs are closed.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    out: list[Run] = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if out and start - out[-1][1] <= bridge:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out


def find_prominent_peaks(x: FloatArray, least: float, width: int | None = None) -> tuple[IntArray, FloatArray]:
    """Peaks that stand out by at least ``least``, and by how much (their prominence).

    Args:
        x: Shape (n,); a gap (NaN) parts it: no peak reaches across one.
        least: Least prominence, in the unit of ``x``.
        width: Only so many points around a peak (half on each side) count for its prominence.

    Returns:
        Indices, rising, and prominences.
    """
    found, heights = [np.empty(0, np.int64)], [np.empty(0)]
    for start, end in find_runs(np.isfinite(x)):
        if end - start < 3:
            continue
        with warnings.catch_warnings():
            # A plateau wider than the window has no prominence, which is the right answer.
            warnings.simplefilter("ignore", RuntimeWarning)
            at, properties = find_peaks(x[start:end], prominence=least, wlen=width)
        found.append(np.asarray(at, np.int64) + start)
        heights.append(np.asarray(properties["prominences"], np.float64))
    return np.concatenate(found), np.concatenate(heights)


def find_prominent_valleys(x: FloatArray, least: float, width: int | None = None) -> tuple[IntArray, FloatArray]:
    """As :func:`find_prominent_peaks`, downwards."""
    return find_prominent_peaks(-x, least, width)


def index_of_maximum(x: FloatArray, start: int, end: int) -> int:
    """Index of the largest known value in ``[start, end)``; ``start`` where none is known."""
    part = x[max(start, 0) : end]
    return max(start, 0) + (int(np.nanargmax(part)) if np.isfinite(part).any() else 0)
