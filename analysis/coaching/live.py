"""Coaching during the lap: time lost so far, and each insight as soon as it is known (G31).

A running lap is a value: samples go in, a new value and what there is to say come out. What a corner cost is known when
the car is out of it and flat out again, what a straight cost once the car is at the apex of the corner behind it: only
then is it known where it left the throttle for that. After the line the insights are those that
:func:`analysis.coaching.insights.find_insights` finds in the whole lap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from analysis.coaching.insights import HELD_M, REPORT, CoachingInsight, build_insight, power_m, reach_m
from analysis.comparison.corner_report import report_piece
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.places import TrackPlace, find_places
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray
from conf.errors import InputError
from conf.ghost import CoachingRules
from conf.units import KMH_PER_MPS

_LEAST_KMH: Final = 3.6  # a car that stands would take for ever
_EVERY_M: Final = 10.0  # between two looks at what is known


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
        target: What it is held against.
        circuit: The circuit.
        rules: Thresholds.
        plateau_pct: What the car's throttle reads at full throttle.
        speed_scale: Factor from the car's speed to the circuit's scale.
        said: Insights so far in the order in which they were found; ranks are among those found by then.
        now: Where the car is; ``None`` before the first sample.
        is_over: Whether it has crossed the line.
        channels: Time, speed, throttle, brake.
        judged: Labels of the places that have been judged.
        looked_m: How far the lap had come when places were last judged.
    """

    target: LapInputs
    circuit: Circuit
    rules: CoachingRules
    plateau_pct: float
    speed_scale: float = 1.0
    said: tuple[CoachingInsight, ...] = ()
    now: LivePosition | None = None
    is_over: bool = False
    channels: tuple[GridChannel, ...] = (GridChannel(),) * 4
    judged: frozenset[str] = frozenset()
    looked_m: float = 0.0

    @property
    def ranked(self) -> tuple[CoachingInsight, ...]:
        """Insights so far, the costliest first."""
        worst = sorted(self.said, key=lambda insight: -insight.time_loss_s)
        return tuple(replace(insight, rank=rank) for rank, insight in enumerate(worst, start=1))

    @property
    def points(self) -> int:
        """Number of grid points that all channels have reached."""
        return min(len(channel.on_grid) for channel in self.channels)

    def inputs(self) -> LapInputs:
        """The lap so far on the target's grid, NaN where the car has not been yet."""
        whole = np.full((len(self.channels) + 1, len(self.target.time_s)), np.nan)
        for row, channel in zip(whole, self.channels, strict=False):
            row[: self.points] = channel.on_grid[: self.points]
        time_s, speed, throttle, brake, gear = whole
        return LapInputs(self.target.step_m, time_s, speed, throttle, brake, gear, self.plateau_pct, self.speed_scale)

    @classmethod
    def start(
        cls,
        target: LapInputs,
        circuit: Circuit,
        rules: CoachingRules,
        plateau_pct: float | None = None,
        speed_scale: float | None = None,
    ) -> LiveLap:
        """Begin a lap.

        Args:
            target: What it is held against.
            circuit: The circuit.
            rules: Thresholds.
            plateau_pct: What the car's throttle reads at full throttle; a lap before tells. The target's if left out.
            speed_scale: The car's speed times this is on the circuit's scale; a lap before tells. The target's if left
                out.
        """
        plateau_pct = target.plateau_pct if plateau_pct is None else plateau_pct
        return cls(target, circuit, rules, plateau_pct, target.speed_scale if speed_scale is None else speed_scale)

    def update(self, samples: LiveSamples) -> tuple[LiveLap, tuple[CoachingInsight, ...]]:
        """Add samples: the lap after them, and the insights that are new.

        Args:
            samples: What came next, as many as there are; they change nothing once the lap is over.
        """
        fresh = _newer_samples(self, samples)
        if self.is_over or not fresh.distance_m.size:
            return self, ()
        values = (fresh.t_s, fresh.speed_kmh, fresh.throttle_pct, fresh.brake_bar)
        grid = self.target.distance_m
        channels = (c.then(fresh.distance_m, v, grid) for c, v in zip(self.channels, values, strict=True))
        driven = replace(self, channels=tuple(channels))
        return _find_due_insights(
            replace(driven, now=_live_position(driven, float(fresh.distance_m[-1]), float(fresh.t_s[-1]), grid))
        )

    def finish(self, lap_time_s: float | None = None) -> tuple[LiveLap, tuple[CoachingInsight, ...]]:
        """End the lap at the line: the whole lap, and the insights that were still open.

        Args:
            lap_time_s: When the car crossed it, where the timing has said so by now; else the car is taken to have
                gone on at its last speed.

        Raises:
            InputError: If a channel never came.
        """
        if not self.points:
            raise InputError("the lap has no speed, throttle or front brake pressure: nothing can be said of it")
        clock, *pedals = self.channels
        length_m = np.array([self.target.length_m])
        if lap_time_s is None:
            last_mps = max(pedals[0].last * self.speed_scale, _LEAST_KMH) / KMH_PER_MPS
            lap_time_s = clock.last + (self.target.length_m - clock.last_m) / last_mps
        whole = (clock.then(length_m, np.array([lap_time_s]), self.target.distance_m), *pedals)
        points = len(self.target.time_s)
        return _find_due_insights(
            replace(self, channels=tuple(channel.held(points) for channel in whole), is_over=True)
        )


def _newer_samples(lap: LiveLap, samples: LiveSamples) -> LiveSamples:
    """Samples that are further than all before them."""
    samples = samples.take(np.isfinite(samples.distance_m))
    before = -np.inf if lap.now is None else lap.now.distance_m
    furthest = np.maximum.accumulate(np.append(before, samples.distance_m))
    return samples.take(samples.distance_m > furthest[:-1])


def _live_position(lap: LiveLap, distance_m: float, t_s: float, grid: FloatArray) -> LivePosition:
    target = lap.target
    _, speed, throttle, brake = (channel.last for channel in lap.channels)

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
    driven_m = (lap.points - 1) * lap.target.step_m
    if not lap.is_over and driven_m < lap.looked_m + _EVERY_M:
        return lap, ()
    inputs = lap.inputs()
    sides = (inputs, lap.target)
    places = find_places(lap.circuit, sides, REPORT.place)
    found: list[CoachingInsight] = []
    judged = set(lap.judged)
    for k, place in enumerate(places):
        if place.label in judged or not (lap.is_over or _is_known(places, k, inputs, driven_m)):
            continue
        judged.add(place.label)
        piece = report_piece(sides, place, REPORT)
        if piece.time_lost_s >= lap.rules.least_loss_s:
            rank = 1 + sum(i.time_loss_s >= piece.time_lost_s for i in (*lap.said, *found))
            found.append(build_insight(sides, piece, reach_m(places, k), rank, lap.rules))
    return replace(lap, said=(*lap.said, *found), judged=frozenset(judged), looked_m=driven_m), tuple(found)


def _is_known(places: tuple[TrackPlace, ...], k: int, lap: LapInputs, driven_m: float) -> bool:
    """Whether more of the lap can change nothing in a place."""
    place = places[k]
    ahead = next((p.stretch for p in places[k + 1 :] if p.stretch is not None), None)
    if ahead is not None and driven_m > ahead.apex_m:
        return True  # where the car left the throttle for the next corner is known
    if place.stretch is None or driven_m <= place.end_m:
        return False
    felt_to_m = min(reach_m(places, k), driven_m)
    power = power_m(lap, place, felt_to_m)
    return felt_to_m == place.end_m or (power is not None and power + HELD_M <= felt_to_m)
