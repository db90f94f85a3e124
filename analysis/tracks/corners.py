"""Corners of a line, found on its curvature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analysis.tracks.circuit import MIN_CORNER_DEG, Corner
from conf.arrays import FloatArray
from physics.centre_line import Line


@dataclass(frozen=True)
class CornerRule:
    """What counts as a corner.

    Attributes:
        bend_per_m: Curvature that a corner reaches somewhere (a radius of 250 m).
        edge_per_m: Curvature at which it begins and ends (a radius of 500 m).
        min_turn_deg: Least angle it turns by.
        smoothing_m: Standard deviation of the Gaussian over curvature.
        split_share: A bend with two apexes is two corners where curvature between them falls under this share of the
            weaker one's ...
        split_turn_deg: ... and each of the two turns by at least this.
    """

    bend_per_m: float = 1 / 250
    edge_per_m: float = 1 / 500
    min_turn_deg: float = MIN_CORNER_DEG
    smoothing_m: float = 5.0
    split_share: float = 0.5
    split_turn_deg: float = 25.0


def find_corners(line: Line, rule: CornerRule = CornerRule()) -> tuple[Corner, ...]:
    """Corners of a closed line in driving order, numbered from its start.

    A stretch that bends one way by more than ``edge_per_m`` and somewhere by more than ``bend_per_m`` is one corner, or
    several where it straightens between two apexes. The one that reaches over the start/finish line is the last.

    Args:
        line: Closed line.
        rule: Thresholds.
    """
    bend = gaussian_filter1d(line.curvature_per_m, rule.smoothing_m / line.step_m, mode="wrap")
    start = int(np.abs(bend).argmin())  # from the straightest point on, no corner is cut in two
    bend = np.roll(bend, -start)
    pieces = [part for run in _runs(bend, rule.edge_per_m) for part in _split(bend, *run, line.step_m, rule)]
    found = [
        _corner(line, bend, first, last, start)
        for first, last in pieces
        if np.abs(bend[first:last]).max() >= rule.bend_per_m
        and _turn_deg(bend, first, last, line.step_m) >= rule.min_turn_deg
    ]
    return tuple(replace(corner, number=k) for k, corner in enumerate(sorted(found, key=lambda c: c.apex_m), start=1))


def _runs(bend: FloatArray, edge_per_m: float) -> list[tuple[int, int]]:
    """Stretches ``[first, last)`` that bend one way by more than the edge."""
    way = np.sign(bend) * (np.abs(bend) > edge_per_m)
    cuts = np.flatnonzero(np.diff(way, prepend=0.0, append=0.0))
    return [(int(a), int(b)) for a, b in pairwise(cuts) if way[a] != 0]


def _split(bend: FloatArray, first: int, last: int, step_m: float, rule: CornerRule) -> list[tuple[int, int]]:
    """A stretch cut at its deepest straightening between two apexes, as often as both sides are corners."""
    size = np.abs(bend[first:last])
    left, right = np.maximum.accumulate(size), np.maximum.accumulate(size[::-1])[::-1]
    dip = size / np.minimum(left, right)
    for k in np.argsort(dip):
        if dip[k] >= rule.split_share:
            break
        cut = first + int(k)
        if min(_turn_deg(bend, first, cut, step_m), _turn_deg(bend, cut, last, step_m)) >= rule.split_turn_deg:
            return [*_split(bend, first, cut, step_m, rule), *_split(bend, cut, last, step_m, rule)]
    return [(first, last)]


def _turn_deg(bend: FloatArray, first: int, last: int, step_m: float) -> float:
    return abs(float(np.degrees(bend[first:last].sum() * step_m)))


def _corner(line: Line, bend: FloatArray, first: int, last: int, start: int) -> Corner:
    apex = first + int(np.abs(bend[first:last]).argmax())
    entry_m, apex_m, exit_m = (float((k + start) * line.step_m % line.length_m) for k in (first, apex, last))
    side: Literal["left", "right"] = "left" if bend[apex] > 0 else "right"
    return Corner(0, None, entry_m, apex_m, exit_m, side, float(1.0 / abs(bend[apex])))
