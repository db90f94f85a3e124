"""Whether points are a closed road that a car can drive round: repeats, gaps, places off the road, length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from conf.arrays import FloatArray
from conf.errors import InputError
from physics.limit_lap.race_line_file import LinePoints, read_line_points

FEWEST_POINTS: Final = 10
CLOSEST_M: Final = 1.0
"""A spline through points closer than this bends as their last digits have it."""
THINNED_M: Final = 4.0
"""What is left between the points of a line that has most of them closer than that."""
SHORTEST_M: Final = 50.0
LONGEST_M: Final = 100_000.0
LONGER_THAN_MOST_M: Final = 30_000.0
LONG_CHORD: Final = 10.0
"""Times the median distance between points from which a distance is a gap."""
OPEN_SHARE: Final = 0.02
"""Share of the line that may be missing between its end and its start."""
GAP_TURN_DEG: Final = 15.0
BESIDE_M: Final = 15.0
BESIDE_SHARE: Final = 0.01
"""How near the line passes where it has passed before, and of a short line which share of it: a road's width."""
BESIDE_DEG: Final = 30.0
FAR: Final = 20.0
"""Times that distance, along the line, from which on a place is not the same passage any more."""
TURN_BACK_DEG: Final = 90.0
ZIGZAG_DEG: Final = 40.0


@dataclass(frozen=True)
class RaceLine:
    """Points of a closed line, the first not repeated at the end.

    Attributes:
        x_m: Shape (n,).
        y_m: Shape (n,).
        notes: What was mended and what looks unusual.
    """

    x_m: FloatArray
    y_m: FloatArray
    notes: tuple[str, ...] = ()


def read_race_line(path: Path) -> RaceLine:
    """Read a closed line and check that it can be a road.

    Points within a metre of the one before, and a last one within a metre of the first, are left out with a note; of a
    line that has most points so close, one each four metres is kept. So are points that drive the lap again.

    Args:
        path: CSV file, see :func:`physics.limit_lap.race_line_file.read_line_points`.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If a row is no point, or the points are too few, no closed line, or one that turns back on itself,
            or its length is none of a circuit in metres; names file, row and remedy.
    """
    points = read_line_points(path)
    whole = np.hypot(*_chords(points).T)
    _check_length(path, float(whole.sum()), points)
    points, dropped = _spread(points, CLOSEST_M if np.median(whole) >= CLOSEST_M else THINNED_M)
    points, repeated = _first_lap(points)
    if len(points) < FEWEST_POINTS:
        raise InputError(
            f"{path} has {len(points)} points that lie a metre apart, a race line needs at least {FEWEST_POINTS}"
        )
    chord_m = np.hypot(*_chords(points).T)
    turn_deg = _turns_deg(points)
    closing = _check_closed(path, points, chord_m)
    _check_road(path, points, turn_deg)
    notes = [*points.notes, *dropped, *repeated, *closing, *_check_gaps(path, points, chord_m, turn_deg)]
    length_m = float(chord_m.sum())
    if length_m > LONGER_THAN_MOST_M:
        notes.append(f"{length_m / 1000.0:.0f} km is longer than circuits are: are x and y in metres?")
    if abs(turn_deg.sum()) > 540.0:
        notes.append("The line goes round more than once: does the file hold several laps?")
    return RaceLine(points.x_m, points.y_m, tuple(notes))


def _chords(points: LinePoints) -> FloatArray:
    """From each point to the next and from the last to the first, shape (n, 2)."""
    xy = np.column_stack([points.x_m, points.y_m])
    return np.asarray(np.roll(xy, -1, axis=0) - xy)


def _turns_deg(points: LinePoints) -> FloatArray:
    """By how much the direction changes at each point, from -180 to 180, shape (n,)."""
    along = np.arctan2(*_chords(points).T[::-1])
    turn = along - np.roll(along, 1)
    return np.asarray(np.degrees((turn + np.pi) % (2 * np.pi) - np.pi))


def _check_length(path: Path, length_m: float, points: LinePoints) -> None:
    if length_m < SHORTEST_M:
        raise InputError(
            f"{path}: the line of {len(points)} points is {length_m:.3g} m long, no circuit is: x and y must be in "
            "metres; degrees must be projected, kilometres named so in the header (x_km,y_km)"
        )
    if length_m > LONGEST_M:
        raise InputError(
            f"{path}: the line is {length_m / 1000.0:,.0f} km long, no circuit is: x and y must be in metres; name "
            "another unit in the header (x_cm,y_cm), and look for points far off"
        )


def _spread(points: LinePoints, closest_m: float) -> tuple[LinePoints, list[str]]:
    """The points that lie so far from the one kept before them, the last also from the first."""
    xy = np.column_stack([points.x_m, points.y_m])
    kept = [0]
    for i in range(1, len(xy)):
        if np.hypot(*(xy[i] - xy[kept[-1]])) >= closest_m:
            kept.append(i)
    repeats = len(xy) - len(kept)
    closing_m = float(np.hypot(*(xy[kept[-1]] - xy[0])))
    closed = len(kept) > 1 and closing_m < closest_m
    if closed:
        kept.pop()
    notes = []
    if closed and 0.0 < closing_m < CLOSEST_M:
        notes.append(f"The last point lies {closing_m:.3g} m from the first: taken for its repeat and left out.")
    if repeats:
        first = next(i for i, k in enumerate([*kept, len(xy)]) if k != i)
        notes.append(
            f"{repeats} of {len(xy)} points lie less than {closest_m:g} m from the one before, the first of them in "
            f"row {points.row[first]}: left out."
        )
    return LinePoints(points.x_m[kept], points.y_m[kept], points.row[kept], points.notes), notes


def _first_lap(points: LinePoints) -> tuple[LinePoints, list[str]]:
    """The points before those that all lie beside earlier ones, in the same direction: what follows is another lap."""
    xy, chords = np.column_stack([points.x_m, points.y_m]), _chords(points)
    chord_m = np.hypot(*chords.T)
    along_m, ahead = np.cumsum(chord_m) - chord_m, chords / np.maximum(chord_m, 1e-9)[:, None]
    ahead[-1] = ahead[-2:][0]  # how the line comes to its last point, whether or not it goes on to its first
    beside_m = min(BESIDE_M, BESIDE_SHARE * float(chord_m.sum())) + 0.5 * float(np.median(chord_m))
    first, again = cKDTree(xy).query_pairs(beside_m, output_type="ndarray").T
    passed = along_m[again] - along_m[first] > FAR * beside_m
    passed &= (ahead[first] * ahead[again]).sum(axis=1) > math.cos(math.radians(BESIDE_DEG))
    first, again = first[passed], again[passed]
    nearest = np.full(len(points), -1)
    for i in np.argsort(-np.hypot(*(xy[again] - xy[first]).T)):  # the nearest of each comes last
        nearest[again[i]] = first[i]
    end = int(np.flatnonzero(nearest < 0)[-1]) + 1
    while end < len(points) and nearest[end] == 0 and (xy[end] - xy[0]) @ ahead[0] < -CLOSEST_M:
        end += 1  # still before the point at which the lap began
    if end == len(points):
        return points, []
    note = f"Rows {points.row[end]} to {points.row[-1]} drive the lap again: left out."
    return LinePoints(points.x_m[:end], points.y_m[:end], points.row[:end], points.notes), [note]


def _check_road(path: Path, points: LinePoints, turn_deg: FloatArray) -> None:
    """Refuse a point at which the line turns back, or that stands out to one side of its neighbours."""
    before, after = np.roll(turn_deg, 1), np.roll(turn_deg, -1)
    zigzag = (np.abs(turn_deg) > ZIGZAG_DEG) & (before * turn_deg < 0) & (after * turn_deg < 0)
    zigzag &= np.minimum(np.abs(before), np.abs(after)) > 0.3 * np.abs(turn_deg)
    off = np.flatnonzero((np.abs(turn_deg) > TURN_BACK_DEG) | zigzag)
    if off.size:
        worst = off[np.argmax(np.abs(turn_deg[off]))]
        raise InputError(
            f"{path}, row {points.row[worst]}: the line turns by {abs(turn_deg[worst]):.0f} degrees at this point, no "
            "road does; correct it, or leave out points that are not on the road"
        )


def _check_closed(path: Path, points: LinePoints, chord_m: FloatArray) -> list[str]:
    """Refuse a line whose end is not where it starts; note a small gap that is closed."""
    usual_m, closing_m = float(np.median(chord_m)), float(chord_m[-1])
    if closing_m > max(3.0 * usual_m, OPEN_SHARE * float(chord_m.sum()), float(chord_m[:-1].max())):
        raise InputError(
            f"{path}: the line is open: its last point (row {points.row[-1]}) lies {closing_m:,.0f} m from its first; "
            "a lap needs a closed line"
        )
    if 3.0 * usual_m < closing_m <= LONG_CHORD * usual_m:
        return [f"The line's ends lie {closing_m:,.0f} m apart: closed."]
    return []


def _check_gaps(path: Path, points: LinePoints, chord_m: FloatArray, turn_deg: FloatArray) -> list[str]:
    """Refuse a line with a piece missing; note what is taken for a straight."""
    usual_m = float(np.median(chord_m))
    notes = []
    for i in np.flatnonzero(chord_m > LONG_CHORD * usual_m):
        after = (i + 1) % len(points)
        rows = f"rows {points.row[i]} and {points.row[after]}"
        if max(abs(turn_deg[i]), abs(turn_deg[after])) > GAP_TURN_DEG:
            raise InputError(
                f"{path}: {chord_m[i]:,.0f} m lie between the points of {rows}, and a bend between them, where points "
                f"mostly lie {usual_m:.1f} m apart: a piece of the road is missing"
            )
        notes.append(f"{chord_m[i]:,.0f} m lie between the points of {rows}: taken for a straight.")
    return notes
