"""A circuit as the analyses see it: its line, numbered corners and sectors; and one lap driven on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from conf.track import Arc, TrackSpec
from physics.track import Line, centre_line

Array = npt.NDArray[np.float64]
DistanceSource = Literal["sensor", "gps", "integrated"]

MIN_CORNER_DEG = 15.0
"""A bend that turns by less is part of a straight."""
MOST_UNSEEN = 0.1
"""Share of a lap that may be without speed: more, and its rates and distances are not to be trusted."""


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


@dataclass(frozen=True)
class Gap:
    """A stretch of a lap without a sample of a channel, s since the start of the lap."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class LapTrace:
    """One lap of one car, line to line, in time order.

    Attributes:
        t_s: Time since the start of the lap, rising, shape (n,).
        distance_m: Distance from the line on the circuit's scale (0 to its length), not falling, shape (n,).
        channels: Canonical channel name to values, shape (n,), NaN where the channel has no value at that instant.
        lap_time_s: Lap time (of the timing, where there is one).
        length_m: Length of the lap on the scale of ``distance_m``; ``None`` where only the last sample's is known.
        distance_source: What ``distance_m`` was taken from; ``None`` where its maker did not say.
        driven_m: Length of the lap as its source measured it, before it was brought to the circuit's scale.
        speed_gaps: Stretches without speed. Distance inside one follows from its two ends.
        passed_over: Why a better source of distance was not used, one sentence each.
    """

    t_s: Array
    distance_m: Array
    channels: Mapping[str, Array]
    lap_time_s: float
    length_m: float | None = None
    distance_source: DistanceSource | None = None
    driven_m: float | None = None
    speed_gaps: tuple[Gap, ...] = ()
    passed_over: tuple[str, ...] = ()

    @property
    def end_m(self) -> float:
        """Distance at the end of the lap."""
        return float(self.distance_m[-1]) if self.length_m is None else self.length_m

    @property
    def unseen_s(self) -> float:
        """Time inside gaps of the speed."""
        return sum((gap.end_s - gap.start_s for gap in self.speed_gaps), start=0.0)


def circuit_of(track: TrackSpec, step_m: float = 1.0) -> Circuit:
    """The circuit of a track file: its centre line, with a corner for each arc.

    Arcs that follow each other without a straight and turn the same way are one corner; an arc that turns by less than
    ``MIN_CORNER_DEG`` is none.

    Raises:
        ValueError: If the track does not close.
    """
    return Circuit(track.name, centre_line(track, step_m), _corners_of(track), track.sector_ends_m)


def with_names(circuit: Circuit, names: Mapping[int, str]) -> Circuit:
    """The circuit with names on some of its corners.

    Args:
        circuit: A circuit with numbered corners.
        names: Corner number to name.

    Raises:
        ValueError: If there is no corner of such a number.
    """
    numbers = [corner.number for corner in circuit.corners]
    if unknown := sorted(set(names) - set(numbers)):
        raise ValueError(
            f"track '{circuit.track_id}' has no corner {', '.join(map(str, unknown))}: it has {len(numbers)}, "
            "numbered from the line; rename or drop these names"
        )
    corners = (replace(corner, name=names.get(corner.number, corner.name)) for corner in circuit.corners)
    return replace(circuit, corners=tuple(corners))


def _corners_of(track: TrackSpec) -> tuple[Corner, ...]:
    ends = np.cumsum([segment.length_m for segment in track.segments])
    runs: list[list[tuple[float, Arc]]] = []
    for end, (before, segment) in zip(ends, pairwise((None, *track.segments)), strict=True):
        if not isinstance(segment, Arc):
            continue
        same = isinstance(before, Arc) and before.angle_deg * segment.angle_deg > 0
        if not same:
            runs.append([])
        runs[-1].append((float(end), segment))
    bends = [run for run in runs if abs(sum(arc.angle_deg for _, arc in run)) >= MIN_CORNER_DEG]
    return tuple(_corner_of(number, run) for number, run in enumerate(bends, start=1))


def _corner_of(number: int, run: list[tuple[float, Arc]]) -> Corner:
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
