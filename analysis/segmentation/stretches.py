"""Stretches that a ghost lap is chained from: neighbouring micro-sectors, generated as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.segmentation.zones import Microsector, Zone, ZoneType, merge_short_zones


@dataclass(frozen=True)
class TrackStretch:
    """Part of a lap that is generated as one.

    Attributes:
        number: From 0 at the line.
        kind: What most of it is.
        start_m: Distance from the line.
        end_m: Distance from the line.
        first: Number of its first micro-sector.
        last: Number of its last.
    """

    number: int
    kind: ZoneType
    start_m: float
    end_m: float
    first: int
    last: int

    @property
    def length_m(self) -> float:
        """Its length."""
        return self.end_m - self.start_m


def zones_from_microsectors(pieces: Sequence[Microsector]) -> tuple[Zone, ...]:
    """The zones that micro-sectors were cut from."""
    ends = [k for k, piece in enumerate(pieces) if k + 1 == len(pieces) or pieces[k + 1].zone != piece.zone]
    starts = [0, *(k + 1 for k in ends[:-1])]
    return tuple(Zone(pieces[a].kind, pieces[a].start_m, pieces[b].end_m) for a, b in zip(starts, ends, strict=True))


def split_into_stretches(pieces: Sequence[Microsector], least_m: float) -> tuple[TrackStretch, ...]:
    """Stretches of ``least_m`` up to little more than twice that, where the micro-sectors allow; they cover the lap.

    Args:
        pieces: Micro-sectors of the lap in order.
        least_m: Least length; a lap shorter than that is one stretch.
    """
    ends = np.array([piece.end_m for piece in pieces])
    longest_m = max(piece.end_m - piece.start_m for piece in pieces)
    found: list[TrackStretch] = []
    first = 0
    for zone in merge_short_zones(zones_from_microsectors(pieces), least_m):
        parts = max(1, math.floor(zone.length_m / (least_m + longest_m)))
        for end_m in np.linspace(zone.start_m, zone.end_m, parts + 1)[1:]:
            last = int(np.argmin(np.abs(ends - end_m)))
            inside = pieces[first : last + 1]
            found.append(
                TrackStretch(len(found), _longest_kind(inside), inside[0].start_m, inside[-1].end_m, first, last)
            )
            first = last + 1
    return tuple(found)


def _longest_kind(pieces: Sequence[Microsector]) -> ZoneType:
    """The kind of the longest part of some micro-sectors."""
    length_m: dict[ZoneType, float] = {}
    for piece in pieces:
        length_m[piece.kind] = length_m.get(piece.kind, 0.0) + piece.end_m - piece.start_m
    return max(length_m, key=lambda kind: length_m[kind])
