"""Corners of a line as the circuit itself numbers them, each found near the distance that was given for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analysis.tracks.circuit import Circuit, Corner
from analysis.tracks.corners import CornerRule, find_corners
from conf.arrays import FloatArray
from conf.corners import OfficialCorner, check_corner_order
from conf.errors import InputError
from physics.centre_line import Line

_RULE: Final = CornerRule()
_NEAR_M: Final = 60.0  # published distances are of another line, and read off a map
_AS_GIVEN: Final = 0.8  # of the sharpest bend nearby: the given place is the apex where it bends so much
_LEAST_BEND_PER_M: Final = 1 / 1500
_ALIKE: Final = 0.1  # of the sharpest bend: what differs by less is as straight
_FOOT: Final = 0.5  # of the bend at the apex: a kink begins and ends there


def number_corners(circuit: Circuit, official: Sequence[OfficialCorner], length_m: float | None = None) -> Circuit:
    """The circuit with the corners of a list in place of those that were found on its line.

    A corner is what bends the way its apex does, up to the straightest point before the next corner: one long bend is
    two corners where the list has two, and a kink that is no corner by the rule is one where the list has it.

    Args:
        circuit: The circuit.
        official: Its corners in driving order.
        length_m: Length of the lap that their distances are of; the circuit's own where it is left out.

    Raises:
        InputError: If the line does not bend where a corner is said to be, or one lies beyond the lap.
    """
    try:
        check_corner_order(official, length_m or circuit.length_m)
    except ValueError as error:
        raise InputError(f"track '{circuit.track_id}': {error}") from None
    line = circuit.line
    bend = gaussian_filter1d(line.curvature_per_m, _RULE.smoothing_m / line.step_m, mode="wrap")
    scale = circuit.length_m / (length_m or circuit.length_m)
    given = [round(corner.apex_m * scale / line.step_m) % len(bend) for corner in official]
    corners = []
    for k, (corner, at) in enumerate(zip(official, given, strict=True)):
        first = _straightest(bend, given[k - 1], at)
        last = _straightest(bend, at, given[(k + 1) % len(given)])
        found = _find_bend(line, bend, (first, at, last))
        if found is None:
            raise InputError(
                f"track '{circuit.track_id}': the line does not bend within {_NEAR_M:.0f} m of corner {corner.number} "
                f"at {corner.apex_m:,.0f} m; mend its apex_m"
            )
        corners.append(replace(found, number=corner.number, name=corner.name))
    return replace(circuit, corners=tuple(corners))


def find_unnumbered_bends(circuit: Circuit) -> tuple[float, ...]:
    """Apexes of the bends of a circuit's line that are in none of its corners, distances from the line."""
    taken = [(corner.entry_m, (corner.exit_m - corner.entry_m) % circuit.length_m) for corner in circuit.corners]
    return tuple(
        bend.apex_m
        for bend in find_corners(circuit.line)
        if not any((bend.apex_m - start) % circuit.length_m <= reach for start, reach in taken)
    )


def _straightest(bend: FloatArray, first: int, last: int) -> int:
    """The middle of what is straightest from one index to another, over the line where it lies between.

    Of one and the same index it is what is straightest all round; of a bend that is even, its middle.
    """
    n = len(bend)
    ahead = (first + np.arange((last - first) % n or n)) % n
    size = np.abs(bend[ahead])
    straight = np.flatnonzero(size <= size.min() + _ALIKE * size.max())
    return int(ahead[straight[len(straight) // 2]])


def _find_bend(line: Line, bend: FloatArray, stretch: tuple[int, int, int]) -> Corner | None:
    """The bend within a stretch near a place, ``None`` where it is straight there."""
    first, at, last = stretch
    n, near = len(bend), max(1, round(_NEAR_M / line.step_m))
    before, after = (at - first) % n, (last - at) % n
    around = (at + np.arange(-min(before, near), min(after, near) + 1)) % n
    size = np.abs(bend[around])
    sharpest = float(size.max())
    if sharpest < _LEAST_BEND_PER_M:
        return None
    apex = at if abs(bend[at]) >= _AS_GIVEN * sharpest else int(around[size.argmax()])
    before, after = (apex - first) % n, (last - apex) % n
    edge = min(_RULE.edge_per_m, _FOOT * abs(bend[apex]))

    def reach(steps: int, way: int) -> int:
        ahead = np.sign(bend[apex]) * bend[(apex + way * np.arange(1, max(steps, 1) + 1)) % n]
        straight = np.flatnonzero(ahead < edge)
        return max(1, int(straight[0]) if straight.size else len(ahead))

    entry_m, apex_m, exit_m = (
        float(k % n * line.step_m) for k in (apex - reach(before, -1), apex, apex + reach(after, 1))
    )
    side: Literal["left", "right"] = "left" if bend[apex] > 0 else "right"
    return Corner(0, None, entry_m, apex_m, exit_m, side, float(1.0 / abs(bend[apex])))
