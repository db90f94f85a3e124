"""Rainflow counting of a load history given in pieces.

The four-point form of the count: of four successive turning points the inner two are a closed cycle once the ranges on
both sides are at least as large. What is left open, the residue, counts as half cycles, and the count is then that of
ASTM E1049-85, "Standard Practices for Cycle Counting in Fatigue Analysis", 5.4.4.
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray


class RainflowCounter:
    """A rainflow count whose residue is carried from piece to piece, so that the cuts do not matter."""

    def __init__(self) -> None:
        self._residue: list[float] = []

    def add(self, load: FloatArray) -> FloatArray:
        """Continue the count with a piece of the history.

        Args:
            load: The next piece of the history, any unit, shape (n,).

        Returns:
            Ranges of the cycles that closed in it, shape (cycles,).

        Raises:
            ValueError: If a value is not finite.
        """
        if not np.isfinite(load).all():
            raise ValueError(f"load[{int(np.flatnonzero(~np.isfinite(load))[0])}] is not finite: cut the history there")
        stack, closed = self._residue, []
        for point in self._turning_points(load):
            stack.append(point)
            while len(stack) > 3:
                first, second, third, last = stack[-4:]
                inner = abs(third - second)
                if inner > abs(second - first) or inner > abs(last - third):
                    break
                closed.append(inner)
                del stack[-3:-1]
        return np.array(closed)

    @property
    def open_ranges(self) -> FloatArray:
        """Ranges of the half cycles that the residue stands for, shape (half cycles,)."""
        return np.abs(np.diff(self._residue))

    def _turning_points(self, load: FloatArray) -> list[float]:
        """Turning points of the last two points of the residue and what follows; the first and the last point count.

        The two are taken off the residue: the last one was a turning point only if the load turns after it.
        """
        series = np.concatenate([self._residue[-2:], load])
        del self._residue[-2:]
        series = series[np.append(True, series[1:] != series[:-1])] if len(series) else series
        if len(series) < 3:
            return list(map(float, series))
        slope = np.sign(np.diff(series))
        turns = np.concatenate([[True], slope[1:] != slope[:-1], [True]])
        return list(map(float, series[turns]))
