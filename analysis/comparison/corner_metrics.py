"""Metrics of one lap in one corner: braking point, minimum speed and throttle point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.comparison.lap_inputs import LapInputs
from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray

_HELD_M = 20.0  # a foot that is off again sooner was not back on the power


@dataclass(frozen=True)
class CornerStretch:
    """A corner on a scale that counts on over the line: ``from_m <= entry_m < apex_m < exit_m <= to_m``.

    Attributes:
        from_m: Where the corner before ends, or the line.
        to_m: Where the next corner begins.
    """

    corner: Corner
    from_m: float
    entry_m: float
    apex_m: float
    exit_m: float
    to_m: float


def corner_stretches(circuit: Circuit) -> list[CornerStretch]:
    """The corners with what lies around them; only a corner that the line cuts reaches over it."""
    length, corners = circuit.length_m, sorted(circuit.corners, key=lambda corner: corner.entry_m)
    if not corners:
        return []
    entries = [corner.entry_m for corner in corners]
    entries.append(entries[0] + length)
    exits = [c.entry_m + (c.exit_m - c.entry_m) % length for c in corners]
    exits = [min(end, entry) for end, entry in zip(exits, entries[1:], strict=True)]
    before = [max(exits[-1] - length, 0.0), *exits[:-1]]
    return [
        CornerStretch(c, before[k], c.entry_m, c.entry_m + (c.apex_m - c.entry_m) % length, exits[k], entries[k + 1])
        for k, c in enumerate(corners)
    ]


def find_braking_point(side: LapInputs, stretch: CornerStretch, brake_on_bar: float) -> float | None:
    """Find where the pressure that led to the highest value before the apex rose over the threshold."""
    at_m, brake = side.window(side.brake_bar, stretch.from_m, stretch.apex_m)
    pressed = brake >= brake_on_bar
    if not pressed.any():
        return None
    released = np.flatnonzero(~pressed[: int(np.nanargmax(brake))])
    return _find_pedal_onset(at_m, brake, int(released[-1]) + 1 if released.size else 0)


def find_throttle_point(
    side: LapInputs, start_m: float, slowest_m: float, end_m: float, throttle_on_share: float
) -> float | None:
    """Where the throttle opened for good before the slowest point, else where it first opened after it and stayed so.

    Args:
        side: The lap.
        start_m: Where the corner begins.
        slowest_m: Where the car is slowest.
        end_m: Where the next corner begins.
        throttle_on_share: Share of full throttle from which it is open.
    """
    at_m, throttle = side.window(side.throttle_pct, start_m, end_m)
    on = throttle >= throttle_on_share * side.plateau_pct
    before = at_m <= slowest_m
    if not before.any() or on[before].all():
        return None
    closed = int(np.flatnonzero(before & ~on)[-1])
    held = max(1, round(_HELD_M / side.step_m))
    stays = np.convolve(np.append(on[closed:], np.ones(held - 1)), np.ones(held), "valid") >= held
    opened = np.flatnonzero(stays & on[closed:])
    return _find_pedal_onset(at_m, throttle, closed + int(opened[0])) if opened.size else None


def _find_pedal_onset(at_m: FloatArray, values: FloatArray, first: int) -> float | None:
    """Where a pedal was first pressed; unknown behind a gap, and where it was down at the line."""
    is_unknown = np.isnan(values[first - 1]) if first > 0 else at_m[first] <= 0.0
    return None if is_unknown else float(at_m[first])
