"""Places of a circuit, and the time that one of two laps loses in each: one definition for every comparison.

A place is a corner or a straight. A corner begins where the first of the two cars leaves the throttle or brakes for it
and ends where the bend ends; a straight too short to speak of belongs to the corner after it. Each metre belongs to one
place, and what is lost in a place is what the clocks of both laps say at its two ends: losses add up to the difference
of the lap times. A lap is from line to line: what was done before the line for its first corner is the lap before's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.comparison.corner_metrics import (
    BRAKE_ON_BAR,
    LIFT_M,
    CornerStretch,
    acting_m,
    corner_stretches,
    find_braking_point,
)
from analysis.comparison.lap_inputs import LapInputs
from analysis.tracks.circuit import Circuit, Corner

Sides = tuple[LapInputs, LapInputs]


@dataclass(frozen=True)
class PlaceRule:
    """What makes a place.

    Attributes:
        brake_on_bar: Front brake pressure from which a car brakes.
        min_straight_m: Least length of a straight that is a place of its own.
    """

    brake_on_bar: float = BRAKE_ON_BAR
    min_straight_m: float = 30.0


@dataclass(frozen=True)
class TrackPlace:
    """A corner with what is done for it, or a straight.

    Attributes:
        label: ``T5``, or ``T5 to T6`` for a straight.
        start_m: Where it begins, a point of the grid.
        end_m: Where it ends, a point of the grid; beyond the length for a corner that the line cuts.
        stretch: The corner with its surroundings; ``None`` for a straight.
    """

    label: str
    start_m: float
    end_m: float
    stretch: CornerStretch | None = None

    @property
    def corner(self) -> Corner | None:
        """The corner; ``None`` for a straight."""
        return None if self.stretch is None else self.stretch.corner

    def parts(self, length_m: float) -> tuple[tuple[float, float], ...]:
        """Start and end within the lap: one part, or two where the line cuts the place."""
        if self.end_m > length_m:
            return (self.start_m, length_m), (0.0, self.end_m - length_m)
        return ((self.start_m, self.end_m),)

    def lost_s(self, sides: Sides) -> float:
        """Time that the first lap loses to the second here, negative where it gains."""
        lap, reference = sides
        return sum(
            (lap.passed_s(end) - lap.passed_s(start)) - (reference.passed_s(end) - reference.passed_s(start))
            for start, end in self.parts(lap.length_m)
        )


def find_places(circuit: Circuit, sides: Sides, rule: PlaceRule = PlaceRule()) -> tuple[TrackPlace, ...]:
    """Corners and straights of a circuit as two laps drive them, in driving order.

    A corner that the line cuts is last; a circuit without corners is one place, the lap.

    Args:
        circuit: The circuit.
        sides: Both laps on one grid, in either order.
        rule: What makes a place.
    """
    bends = [_corner_place(sides, stretch, rule) for stretch in corner_stretches(circuit)]
    places = [*bends, *_straights(bends, sides[0])]
    return tuple(sorted(places, key=lambda place: place.start_m))


def _corner_place(sides: Sides, stretch: CornerStretch, rule: PlaceRule) -> TrackPlace:
    step_m = sides[0].step_m
    start = min(_corner_start_m(side, stretch, rule) for side in sides)
    if start - stretch.from_m < rule.min_straight_m:
        start = stretch.from_m
    return TrackPlace(stretch.corner.label, _snap(start, step_m), _snap(stretch.exit_m, step_m), stretch)


def _corner_start_m(side: LapInputs, stretch: CornerStretch, rule: PlaceRule) -> float:
    """Where a lap leaves the throttle or brakes for a corner; where the bend begins if it does neither before."""
    acts = max(stretch.from_m, acting_m(stretch, find_braking_point(side, stretch, rule.brake_on_bar)))
    at_m, eased = side.window(side.is_eased(rule.brake_on_bar), max(stretch.from_m, acts - LIFT_M), acts)
    if not len(at_m):
        return acts
    held = np.flatnonzero(~eased[:-1])
    first = int(held[-1]) + 1 if held.size else 0
    return float(at_m[first]) if first < len(at_m) - 1 else acts


def _straights(bends: Sequence[TrackPlace], lap: LapInputs) -> list[TrackPlace]:
    """What lies between the corners; the straight that the line cuts is two."""
    length_m = lap.length_m
    if not bends:
        return [TrackPlace("lap", 0.0, length_m)]
    found = []
    for before, after in pairwise((*bends, bends[0])):
        one, two = (f"T{place.corner.number}" for place in (before, after) if place.corner is not None)
        if after is not bends[0]:
            found.append(TrackPlace(f"{one} to {two}", before.end_m, after.start_m))
        elif before.end_m > length_m:
            found.append(TrackPlace(f"{one} to {two}", before.end_m - length_m, after.start_m))
        else:
            found.append(TrackPlace(f"{one} to the line", before.end_m, length_m))
            found.append(TrackPlace(f"the line to {two}", 0.0, after.start_m))
    return [place for place in found if place.end_m - place.start_m > lap.step_m / 2.0]


def _snap(at_m: float, step_m: float) -> float:
    return round(at_m / step_m) * step_m
