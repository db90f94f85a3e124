"""Coaching during the lap: time lost so far, and each insight as soon as its cost is known (G31).

A running lap is a value: samples go in, a new value and what there is to say come out. What a place cost is known when
the car is past it and something could be done again: until then both cars are flat out, and the loss still grows. After
the line the insights are those that :func:`analysis.coaching.insights.find_insights` finds in the whole lap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from analysis.coaching.insights import (
    CoachingInsight,
    CoachingPlace,
    CoachingReference,
    DriverInputs,
    adjust_corner_starts,
    assign_time_loss,
    find_track_sections,
    is_flat_out,
    section_losses_s,
)
from analysis.segmentation.zones import Zone
from conf.arrays import BoolArray, FloatArray
from conf.errors import InputError
from conf.ghost import GhostRules

_LEAST_KMH: Final = 3.6  # a car that stands would take for ever


@dataclass(frozen=True, eq=False)
class LiveSamples:
    """New samples of a car in order of distance, each of shape (n,); NaN where a channel has no value.

    Attributes:
        distance_m: Distance from the line on the target's scale; a sample that is no further than one before it is
            left out.
        t_s: Time since the line.
        speed_kmh: Speed.
        throttle_pct: Throttle.
        brake_bar: Front brake pressure.
    """

    distance_m: FloatArray
    t_s: FloatArray
    speed_kmh: FloatArray
    throttle_pct: FloatArray
    brake_bar: FloatArray

    def take(self, which: BoolArray) -> LiveSamples:
        """Select some of the samples."""
        return LiveSamples(*(values[which] for values in vars(self).values()))


@dataclass(frozen=True)
class LivePosition:
    """The car's position, with its inputs and those of the target at the same position (G30)."""

    distance_m: float
    delta_s: float
    speed_kmh: float
    speed_target_kmh: float
    throttle_applied_pct: float
    throttle_target_pct: float
    brake_applied_bar: float
    brake_target_bar: float


@dataclass(frozen=True, eq=False)
class GridChannel:
    """A channel on the grid as far as its samples reach, and the last of them."""

    on_grid: FloatArray = field(default_factory=lambda: np.empty(0))
    last_m: float = np.nan
    last: float = np.nan

    def then(self, distance_m: FloatArray, values: FloatArray, grid_m: FloatArray) -> GridChannel:
        """Return the channel extended by more samples."""
        known = np.isfinite(values)
        if not known.any():
            return self
        at, read = distance_m[known], values[known]
        if np.isfinite(self.last_m):
            at, read = np.append(self.last_m, at), np.append(self.last, read)
        done = len(self.on_grid)
        new = np.interp(grid_m[done : int(np.searchsorted(grid_m, at[-1], side="right"))], at, read)
        return GridChannel(np.concatenate([self.on_grid, new]), float(at[-1]), float(read[-1]))

    def held(self, points: int) -> GridChannel:
        """Return the channel with its last value held up to the end of the grid."""
        return replace(self, on_grid=np.append(self.on_grid, np.full(points - len(self.on_grid), self.last)))


@dataclass(frozen=True, eq=False)
class LiveLap:
    """A lap in progress.

    Attributes:
        held_to: What it is held against.
        speed_scale: Factor from the car's speed to the target's scale.
        said: Insights so far in the order in which they were found; ranks are among those found by then.
        now: Where the car is; ``None`` before the first sample.
        is_over: Whether it has crossed the line.
        channels: Speed, throttle, brake.
        judged: How many places have been judged.
    """

    held_to: CoachingReference
    speed_scale: float = 1.0
    said: tuple[CoachingInsight, ...] = ()
    now: LivePosition | None = None
    is_over: bool = False
    channels: tuple[GridChannel, ...] = (GridChannel(), GridChannel(), GridChannel())
    judged: int = 0

    @property
    def ranked(self) -> tuple[CoachingInsight, ...]:
        """Insights so far, the costliest first."""
        worst = sorted(self.said, key=lambda insight: -insight.time_loss_s)
        return tuple(replace(insight, rank=rank) for rank, insight in enumerate(worst, start=1))

    @property
    def points(self) -> int:
        """Number of grid points that all channels have reached."""
        return min(len(channel.on_grid) for channel in self.channels)

    def inputs(self) -> DriverInputs:
        """The lap so far, on the target's grid."""
        return DriverInputs(self.held_to.target.step_m, *(channel.on_grid[: self.points] for channel in self.channels))

    @classmethod
    def start(cls, target: DriverInputs, zones: Sequence[Zone], rules: GhostRules, speed_scale: float = 1.0) -> LiveLap:
        """Begin a lap.

        Args:
            target: What it is held against.
            zones: Zones of the track.
            rules: Thresholds.
            speed_scale: The car's speed times this is on the target's scale; a lap before tells.
        """
        return cls(CoachingReference(target, find_track_sections(zones), rules), speed_scale)

    def update(self, samples: LiveSamples) -> tuple[LiveLap, tuple[CoachingInsight, ...]]:
        """Add samples: the lap after them, and the insights that are new.

        Args:
            samples: What came next, as many as there are; they change nothing once the lap is over.
        """
        fresh = _newer_samples(self, samples)
        if self.is_over or not fresh.distance_m.size:
            return self, ()
        target = self.held_to.target
        grid = np.arange(len(target.speed_kmh), dtype=np.float64) * target.step_m
        values = (np.maximum(fresh.speed_kmh * self.speed_scale, _LEAST_KMH), fresh.throttle_pct, fresh.brake_bar)
        channels = (c.then(fresh.distance_m, v, grid) for c, v in zip(self.channels, values, strict=True))
        driven = replace(self, channels=tuple(channels))
        return _find_due_insights(
            replace(driven, now=_live_position(driven, float(fresh.distance_m[-1]), float(fresh.t_s[-1]), grid))
        )

    def finish(self) -> tuple[LiveLap, tuple[CoachingInsight, ...]]:
        """End the lap at the line: the whole lap, and the insights that were still open.

        Raises:
            InputError: If a channel never came.
        """
        if not self.points:
            raise InputError("the lap has no speed, throttle or front brake pressure: nothing can be said of it")
        points = len(self.held_to.target.speed_kmh)
        return _find_due_insights(
            replace(self, channels=tuple(channel.held(points) for channel in self.channels), is_over=True)
        )


def _newer_samples(lap: LiveLap, samples: LiveSamples) -> LiveSamples:
    """Samples that are further than all before them."""
    samples = samples.take(np.isfinite(samples.distance_m))
    before = -np.inf if lap.now is None else lap.now.distance_m
    furthest = np.maximum.accumulate(np.append(before, samples.distance_m))
    return samples.take(samples.distance_m > furthest[:-1])


def _live_position(lap: LiveLap, distance_m: float, t_s: float, grid: FloatArray) -> LivePosition:
    target = lap.held_to.target
    speed, throttle, brake = (channel.last for channel in lap.channels)

    def there(values: FloatArray) -> float:
        return float(np.interp(distance_m, grid, values))

    return LivePosition(
        distance_m=distance_m,
        delta_s=t_s - there(target.time_s),
        speed_kmh=speed,
        speed_target_kmh=there(target.speed_kmh),
        throttle_applied_pct=throttle,
        throttle_target_pct=there(target.throttle_pct),
        brake_applied_bar=brake,
        brake_target_bar=there(target.brake_bar),
    )


def _find_due_insights(lap: LiveLap) -> tuple[LiveLap, tuple[CoachingInsight, ...]]:
    """Judge the places whose cost is known by now."""
    held_to, points = lap.held_to, lap.points
    past = len(held_to.places) if lap.is_over else _count_sections_past(held_to.places, points, held_to.target.step_m)
    if lap.judged >= past:
        return lap, ()
    inputs, target = lap.inputs(), _first_points(held_to.target, points)
    driven = adjust_corner_starts(held_to.places, inputs, held_to.rules)
    owner = assign_time_loss(inputs, target, driven, held_to.rules)
    lost_s = section_losses_s(inputs, target, driven, held_to.rules)
    found: list[CoachingInsight] = []
    k = lap.judged
    while k < past and (lap.is_over or (owner.max() > k and _is_effect_over(held_to, inputs, driven, k))):
        if lost_s[k] >= held_to.rules.coaching.least_loss_s:
            rank = 1 + sum(i.time_loss_s >= lost_s[k] for i in (*lap.said, *found))
            found.append(held_to.insight(inputs, driven, k, float(lost_s[k]), rank))
        k += 1
    return replace(lap, said=(*lap.said, *found), judged=k), tuple(found)


def _count_sections_past(places: Sequence[CoachingPlace], points: int, step_m: float) -> int:
    """How many places the car has left behind."""
    return sum(int(np.ceil(place.end_m / step_m)) < points for place in places)


def _is_effect_over(held_to: CoachingReference, lap: DriverInputs, driven: Sequence[CoachingPlace], k: int) -> bool:
    """Whether the car has been flat out since its slowest point in a place, or is past where that still counts."""
    start, end = int(driven[k].start_m / lap.step_m), int(np.ceil(driven[k].end_m / lap.step_m)) + 1
    slowest = start + int(np.argmin(lap.speed_kmh[start:end]))
    flat = is_flat_out(lap, held_to.rules)
    return len(flat) > round(held_to.reach_m(k) / lap.step_m) or bool(flat[slowest:].any())


def _first_points(inputs: DriverInputs, points: int) -> DriverInputs:
    """The first points of a lap."""
    return DriverInputs(
        inputs.step_m, inputs.speed_kmh[:points], inputs.throttle_pct[:points], inputs.brake_bar[:points]
    )
