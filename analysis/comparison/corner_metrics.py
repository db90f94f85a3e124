"""Metrics of one lap in one corner: braking point, minimum speed and throttle point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.comparison.aligned_laps import AlignedLaps
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray
from physics.centre_line import even_grid


@dataclass(frozen=True)
class CornerStretch:
    """A corner on a scale that counts on over the line: ``from_m <= entry_m < apex_m < exit_m <= to_m``.

    Attributes:
        from_m: Where the corner before ends.
        to_m: Where the next corner begins.
    """

    corner: Corner
    from_m: float
    entry_m: float
    apex_m: float
    exit_m: float
    to_m: float


@dataclass(frozen=True)
class ComparedLap:
    """The channels of one lap on an even grid over the lap, about one metre apart; NaN in gaps."""

    step_m: float
    speed_kmh: FloatArray
    throttle_pct: FloatArray
    brake_bar: FloatArray

    @classmethod
    def of(cls, aligned: AlignedLaps, trace: LapTrace) -> ComparedLap:
        """Read one of two aligned laps."""
        grid = even_grid(aligned.length_m, round(aligned.length_m))
        read = aligned.read(trace, grid)
        return cls(aligned.length_m / len(grid), read["speed_kmh"], read["throttle_pct"], read["brake_front_bar"])

    def window(self, values: FloatArray, start_m: float, end_m: float) -> tuple[FloatArray, FloatArray]:
        """Distances, counted on over the line, and values from ``start_m`` to ``end_m``."""
        index = np.arange(int(np.ceil(start_m / self.step_m)), int(np.floor(end_m / self.step_m)) + 1)
        return np.asarray(index * self.step_m, dtype=np.float64), values[index % len(values)]

    def speed_at(self, where_m: float) -> float | None:
        """Speed at a place, km/h."""
        return _or_none(float(self.speed_kmh[round(where_m / self.step_m) % len(self.speed_kmh)]))

    def least_speed(self, start_m: float, end_m: float) -> tuple[float | None, float | None]:
        """Find the minimum speed and its distance."""
        at_m, speed = self.window(self.speed_kmh, start_m, end_m)
        if not np.isfinite(speed).any():
            return None, None
        k = int(np.nanargmin(speed))
        return float(at_m[k]), float(speed[k])


def corner_stretches(circuit: Circuit) -> list[CornerStretch]:
    """The corners with what lies around them, the first one's surroundings reaching back over the line."""
    length, corners = circuit.length_m, sorted(circuit.corners, key=lambda corner: corner.entry_m)
    if not corners:
        return []
    entries = [corner.entry_m for corner in corners]
    entries.append(entries[0] + length)
    exits = [c.entry_m + (c.exit_m - c.entry_m) % length for c in corners]
    exits = [min(end, entry) for end, entry in zip(exits, entries[1:], strict=True)]
    before = [exits[-1] - length, *exits[:-1]]
    return [
        CornerStretch(c, before[k], c.entry_m, c.entry_m + (c.apex_m - c.entry_m) % length, exits[k], entries[k + 1])
        for k, c in enumerate(corners)
    ]


def find_braking_point(side: ComparedLap, stretch: CornerStretch, brake_on_bar: float) -> float | None:
    """Find where the pressure that led to the highest value before the apex rose over the threshold."""
    at_m, brake = side.window(side.brake_bar, stretch.from_m, stretch.apex_m)
    pressed = brake >= brake_on_bar
    if not pressed.any():
        return None
    released = np.flatnonzero(~pressed[: int(np.nanargmax(brake))])
    return _find_pedal_onset(at_m, brake, int(released[-1]) + 1 if released.size else 0)


def find_throttle_point(
    side: ComparedLap, start_m: float, slowest_m: float, end_m: float, throttle_on_pct: float
) -> float | None:
    """Where the throttle opened for good before the slowest point, else for the first time after it."""
    at_m, throttle = side.window(side.throttle_pct, start_m, end_m)
    on = throttle >= throttle_on_pct
    before = at_m <= slowest_m
    if not before.any() or on[before].all():
        return None
    closed = int(np.flatnonzero(before & ~on)[-1])
    opened = np.flatnonzero(on[closed:])
    return _find_pedal_onset(at_m, throttle, closed + int(opened[0])) if opened.size else None


def _find_pedal_onset(at_m: FloatArray, values: FloatArray, first: int) -> float | None:
    """Where a pedal was first pressed; unknown behind a gap."""
    return None if first > 0 and np.isnan(values[first - 1]) else float(at_m[first])


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
