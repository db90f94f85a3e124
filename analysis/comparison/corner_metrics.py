"""How one lap passes one corner: braking point, speeds and throttle point; one definition for laps and comparisons.

A pass follows from the lap alone. A lap is from line to line: what was done before the line for its first corner is the
lap before's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.comparison.lap_inputs import LapInputs
from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray

BRAKE_ON_BAR: Final = 5.0
"""Front brake pressure from which a car brakes."""
THROTTLE_ON_SHARE: Final = 0.5
"""Share of the lap's full throttle from which a car is back on the power."""
LIFT_M: Final = 80.0
"""How far before its brakes or its bend a driver's foot may come off for a corner."""

_HELD_M: Final = 20.0  # a foot that is off again sooner was not back on the power


@dataclass(frozen=True)
class CornerStretch:
    """A corner on a scale that counts on over the line: ``last_apex_m <= from_m <= entry_m < apex_m < exit_m <= to_m``.

    Attributes:
        last_apex_m: Apex of the corner before, or the line.
        from_m: Where the corner before ends, or the line.
        to_m: Where the next corner begins.
    """

    corner: Corner
    last_apex_m: float
    from_m: float
    entry_m: float
    apex_m: float
    exit_m: float
    to_m: float


@dataclass(frozen=True)
class CornerPass:
    """How one lap passes one corner; ``None`` where a channel has no value there, or the driver did not do it.

    Distances are from the line, and count on over it where the corner does.

    Attributes:
        entry_kmh: Speed where the bend begins.
        min_kmh: Least speed in the bend.
        exit_kmh: Speed where it ends.
        slowest_m: Where the speed is least.
        brake_m: Where the car began to brake for the corner.
        throttle_m: Where it came back on the power.
    """

    entry_kmh: float | None
    min_kmh: float | None
    exit_kmh: float | None
    slowest_m: float | None
    brake_m: float | None
    throttle_m: float | None


def corner_stretches(circuit: Circuit) -> list[CornerStretch]:
    """The corners with what lies around them; only a corner that the line cuts reaches over it."""
    length, corners = circuit.length_m, sorted(circuit.corners, key=lambda corner: corner.entry_m)
    if not corners:
        return []
    entries = [corner.entry_m for corner in corners]
    entries.append(entries[0] + length)
    exits = [c.entry_m + (c.exit_m - c.entry_m) % length for c in corners]
    exits = [min(end, entry) for end, entry in zip(exits, entries[1:], strict=True)]
    apexes = [c.entry_m + (c.apex_m - c.entry_m) % length for c in corners]
    ends, tops = ([max(found[-1] - length, 0.0), *found[:-1]] for found in (exits, apexes))
    return [
        CornerStretch(c, tops[k], ends[k], c.entry_m, apexes[k], exits[k], entries[k + 1])
        for k, c in enumerate(corners)
    ]


def measure_pass(
    side: LapInputs,
    stretch: CornerStretch,
    brake_on_bar: float = BRAKE_ON_BAR,
    throttle_on_share: float = THROTTLE_ON_SHARE,
) -> CornerPass:
    """Measure how a lap passes a corner.

    Args:
        side: The lap.
        stretch: The corner.
        brake_on_bar: Front brake pressure from which a car brakes.
        throttle_on_share: Share of the lap's full throttle from which a car is back on the power.
    """
    brake_m = find_braking_point(side, stretch, brake_on_bar)
    slowest_m, least_kmh = side.least_speed(stretch.entry_m, stretch.exit_m)
    return CornerPass(
        entry_kmh=side.at(side.speed_kmh, stretch.entry_m),
        min_kmh=least_kmh,
        exit_kmh=side.at(side.speed_kmh, stretch.exit_m),
        slowest_m=slowest_m,
        brake_m=brake_m,
        throttle_m=(
            None
            if slowest_m is None
            else find_throttle_point(side, stretch, slowest_m, acting_m(stretch, brake_m), throttle_on_share)
        ),
    )


def acting_m(stretch: CornerStretch, brake_m: float | None) -> float:
    """Where a driver acts for a corner at the latest: the braking point, or where the bend begins."""
    return stretch.entry_m if brake_m is None else min(brake_m, stretch.entry_m)


def find_braking_point(side: LapInputs, stretch: CornerStretch, brake_on_bar: float = BRAKE_ON_BAR) -> float | None:
    """Find where the pressure that led to the highest value before the apex rose over the threshold.

    Behind the apex of the corner before, brakes are for this one, though that bend may not have ended; what was pressed
    there already was pressed for that corner.
    """
    at_m, brake = side.window(side.brake_bar, stretch.last_apex_m, stretch.apex_m)
    pressed = brake >= brake_on_bar
    if not pressed.any():
        return None
    released = np.flatnonzero(~pressed[: int(np.nanargmax(brake))])
    return _find_pedal_onset(at_m, brake, int(released[-1]) + 1 if released.size else 0)


def find_throttle_point(
    side: LapInputs, stretch: CornerStretch, slowest_m: float, acts_m: float, throttle_on_share: float
) -> float | None:
    """Where the throttle opened for good before the slowest point, else where it first opened after it and stayed so.

    A throttle that was still closed from the corner before, and open again before the driver acted for this one, was
    not closed for it.

    Args:
        side: The lap.
        stretch: The corner.
        slowest_m: Where the car is slowest.
        acts_m: From :func:`acting_m`.
        throttle_on_share: Share of the lap's full throttle from which it is open.
    """
    at_m, throttle = side.window(side.throttle_pct, max(stretch.from_m, acts_m - LIFT_M), stretch.to_m)
    on = throttle >= throttle_on_share * side.lap_plateau_pct
    before = at_m <= slowest_m
    if not before.any() or on[before].all():
        return None
    closed = int(np.flatnonzero(before & ~on)[-1])
    held = max(1, round(_HELD_M / side.step_m))
    stays = np.convolve(np.append(on[closed:], np.ones(held - 1)), np.ones(held), "valid") >= held
    opened = closed + np.flatnonzero(stays & on[closed:])
    if not opened.size or (at_m[opened[0]] < acts_m and not on[:closed].any()):
        return None
    return _find_pedal_onset(at_m, throttle, int(opened[0]))


def _find_pedal_onset(at_m: FloatArray, values: FloatArray, first: int) -> float | None:
    """Where a pedal was first pressed; unknown behind a gap, and where it was down at the beginning."""
    return None if first == 0 or np.isnan(values[first - 1]) else float(at_m[first])
