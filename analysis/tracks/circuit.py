"""A circuit as the analyses see it: its line, numbered corners and sectors; and one lap driven on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from conf.errors import InputError
from conf.track import ArcSpec, TrackSpec
from physics.centre_line import Line, build_centre_line

MIN_CORNER_DEG = 15.0
"""A bend that turns by less is part of a straight."""


@dataclass(frozen=True)
class Corner:
    """One corner, numbered from the start/finish line.

    Attributes:
        number: From 1, in driving order.
        name: Name, where one was given.
        entry_m: Where the bend begins, distance from the line.
        apex_m: Where the driven line bends most.
        exit_m: Where the bend ends.
        direction: Which way it turns.
        radius_m: Radius of the driven line at the apex.
    """

    number: int
    name: str | None
    entry_m: float
    apex_m: float
    exit_m: float
    direction: Literal["left", "right"]
    radius_m: float

    @property
    def label(self) -> str:
        """``T3``, or ``T3 Hairpin`` where it has a name."""
        return f"T{self.number} {self.name}" if self.name else f"T{self.number}"


@dataclass(frozen=True)
class Circuit:
    """A track with what lies where.

    Attributes:
        track_id: Name in tables and files.
        line: Centre line, or the line typically driven; closed, on an even grid.
        corners: In driving order; a corner may reach over the start/finish line (``exit_m`` below ``entry_m``).
        sector_ends_m: Where each sector but the last ends.
        origin_deg: Latitude and longitude of ``x = y = 0``; ``None`` where the line is not tied to the earth.
        source: Where the line is from.
    """

    track_id: str
    line: Line
    corners: tuple[Corner, ...]
    sector_ends_m: tuple[float, ...] = ()
    origin_deg: tuple[float, float] | None = None
    source: Literal["gps", "dead_reckoning", "geometry"] = "geometry"

    @property
    def length_m(self) -> float:
        """Length of one lap."""
        return self.line.length_m


def circuit_from_track(track: TrackSpec, step_m: float = 1.0) -> Circuit:
    """The circuit of a track file: its centre line, with a corner for each arc.

    Arcs that follow each other without a straight and turn the same way are one corner; an arc that turns by less than
    ``MIN_CORNER_DEG`` is none. Where the file lists corners, these are the circuit's.

    Raises:
        InputError: If the track does not close, or does not bend where its file has a corner.
    """
    circuit = Circuit(track.name, build_centre_line(track, step_m), _corners_of(track), track.sector_ends_m)
    if not track.corners:
        return circuit
    from analysis.tracks.official_corners import number_corners  # which is of circuits

    return number_corners(circuit, track.corners)


def name_corners(circuit: Circuit, names: Mapping[int, str]) -> Circuit:
    """The circuit with names on some of its corners.

    Args:
        circuit: A circuit with numbered corners.
        names: Corner number to name.

    Raises:
        InputError: If there is no corner of such a number.
    """
    numbers = [corner.number for corner in circuit.corners]
    if unknown := sorted(set(names) - set(numbers)):
        raise InputError(
            f"track '{circuit.track_id}' has no corner {', '.join(map(str, unknown))}: it has {len(numbers)}, "
            "numbered from the line; rename or drop these names"
        )
    corners = (replace(corner, name=names.get(corner.number, corner.name)) for corner in circuit.corners)
    return replace(circuit, corners=tuple(corners))


def _corners_of(track: TrackSpec) -> tuple[Corner, ...]:
    ends = np.cumsum([segment.length_m for segment in track.segments])
    runs: list[list[tuple[float, ArcSpec]]] = []
    for end, (before, segment) in zip(ends, pairwise((None, *track.segments)), strict=True):
        if not isinstance(segment, ArcSpec):
            continue
        same = isinstance(before, ArcSpec) and before.angle_deg * segment.angle_deg > 0
        if not same:
            runs.append([])
        runs[-1].append((float(end), segment))
    bends = [run for run in runs if abs(sum(arc.angle_deg for _, arc in run)) >= MIN_CORNER_DEG]
    return tuple(_corner_of(number, run) for number, run in enumerate(bends, start=1))


def _corner_of(number: int, run: list[tuple[float, ArcSpec]]) -> Corner:
    end, tightest = min(run, key=lambda item: item[1].radius_m)
    return Corner(
        number=number,
        name=None,
        entry_m=run[0][0] - run[0][1].length_m,
        apex_m=end - tightest.length_m / 2.0,
        exit_m=run[-1][0],
        direction="left" if tightest.angle_deg > 0 else "right",
        radius_m=tightest.radius_m,
    )
