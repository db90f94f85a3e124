"""Where a lap loses time to its target, why, and how much time each mistake costs in total (seed items G29 to G31).

Time is lost metre by metre. Where both laps are flat out the driver can do nothing there any more: that loss belongs to
whatever came before, so a late exit pays for the straight behind it. All other loss belongs to the place where it
happens: a corner, from its braking zone to where the next begins, or a straight. Each place then gets the one verdict
that its figures support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import resample_by_distance, sample_on_grid, throttle_channel
from analysis.segmentation.zones import Zone, ZoneType
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray, IndexArray
from conf.ghost import CoachingRules, GhostRules
from conf.units import KMH_PER_MPS
from physics.integrate import elapsed_s

_Finding = tuple[str, str, float, float, str]  # code, metric, human's value, target's value, unit

_LOOK_BACK_M: Final = 80.0  # how far before a braking zone a driver's foot may already act for it
_SAME_PRESS_M: Final = 15.0  # off the brake for no longer than this, it is still the same braking
VERDICTS: Final = {
    "BRAKE_TOO_EARLY": "Braking Too Early",
    "BRAKE_TOO_LATE": "Braking Too Late",
    "BRAKE_TOO_SOFT": "Not Braking Hard Enough",
    "TOO_SLOW_AT_APEX": "Too Slow at Apex",
    "HESITANT_THROTTLE": "Hesitant Throttle Application",
    "LIFTING_ON_STRAIGHT": "Lifting on the Straight",
    "SLOWER_HERE": "Slower Through Here",
}


@dataclass(frozen=True)
class DriverInputs:
    """Driver inputs over one lap on an even grid from line to line, each of shape (n + 1,).

    Attributes:
        step_m: Grid step.
        speed_kmh: Speed, on one scale for both laps.
        throttle_pct: Throttle.
        brake_bar: Front brake pressure.
    """

    step_m: float
    speed_kmh: FloatArray
    throttle_pct: FloatArray
    brake_bar: FloatArray

    @property
    def time_s(self) -> FloatArray:
        """Time since the line."""
        return elapsed_s(self.speed_kmh / KMH_PER_MPS, self.step_m)


def read_driver_inputs(trace: LapTrace, circuit: Circuit, throttle: str | None = None) -> DriverInputs:
    """Read speed and pedals of a lap on the circuit's grid.

    The integrator meets the timing to some hundredths of a second. The speed is brought to the lap's own time, so that
    the losses of two laps add up to the difference that the timing shows.

    Args:
        trace: The lap on the circuit's scale.
        circuit: The circuit.
        throttle: Channel to take for the throttle; the first that the lap has if left out.

    Raises:
        InputError: If the lap has no speed, throttle or front brake pressure.
    """
    lap = resample_by_distance(trace, circuit)
    return DriverInputs(
        lap.step_m,
        lap.speed_mps * KMH_PER_MPS * lap.lap_time_s / lap.official_s,
        sample_on_grid(trace, circuit, throttle or throttle_channel(trace)),
        sample_on_grid(trace, circuit, "brake_front_bar"),
    )


@dataclass(frozen=True)
class CoachingPlace:
    """A corner with its braking, or a straight.

    Attributes:
        kind: ``Turn``, or ``Braking`` where it begins with that, or ``Straight``.
        start_m: Distance from the line.
        end_m: Distance from the line.
    """

    kind: ZoneType
    start_m: float
    end_m: float


@dataclass(frozen=True)
class CoachingInsight:
    """One improvement that a driver can make in one section.

    Attributes:
        rank: From 1, the costliest first.
        place: Where.
        code: Key of ``VERDICTS``.
        time_loss_s: What it cost, with what followed from it.
        metric: What was measured.
        human_value: In ``unit``.
        target_value: In ``unit``.
        throttle_applied_pct: Mean over the place.
        throttle_target_pct: Mean over the place.
        brake_applied_bar: Hardest in the place.
        brake_target_bar: Hardest in the place.
    """

    rank: int
    place: CoachingPlace
    code: str
    time_loss_s: float
    metric: str
    human_value: float
    target_value: float
    unit: str
    throttle_applied_pct: float
    throttle_target_pct: float
    brake_applied_bar: float
    brake_target_bar: float

    @property
    def text(self) -> str:
        """The verdict in plain English."""
        return VERDICTS[self.code]


def find_track_sections(zones: Sequence[Zone]) -> tuple[CoachingPlace, ...]:
    """Group zones into corners and straights; a braking zone belongs to the corner that follows it."""
    places: list[CoachingPlace] = []
    for zone in zones:
        if zone.kind == "Turn" and places and places[-1].kind != "Straight":
            places[-1] = CoachingPlace(places[-1].kind, places[-1].start_m, zone.end_m)
        else:
            places.append(CoachingPlace(zone.kind, zone.start_m, zone.end_m))
    return tuple(places)


@dataclass(frozen=True)
class CoachingReference:
    """The reference that a lap is compared with.

    Attributes:
        target: A lap to learn from.
        places: Corners and straights of the track.
        rules: Thresholds.
    """

    target: DriverInputs
    places: tuple[CoachingPlace, ...]
    rules: GhostRules

    def insight(
        self, lap: DriverInputs, driven: Sequence[CoachingPlace], k: int, lost_s: float, rank: int
    ) -> CoachingInsight:
        """Build the insight for one section.

        Args:
            lap: The lap, at least up to ``reach_m`` of the place.
            driven: The places as the lap drove them.
            k: Which of them.
            lost_s: What it cost.
            rank: Among the other insights.
        """
        finding = _find_verdict(_LapPair(lap, self.target, driven[k], self.reach_m(k), self.rules))
        whole = _LapPair(lap, self.target, self.places[k], self.reach_m(k), self.rules)
        return _build_insight(rank, lost_s, finding, whole)

    def reach_m(self, k: int) -> float:
        """Return the distance up to which a section affects the lap: its own end, or that of the following straight."""
        after = self.places[k + 1 : k + 2]
        return after[0].end_m if after and after[0].kind == "Straight" else self.places[k].end_m


def find_insights(
    lap: DriverInputs, target: DriverInputs, zones: Sequence[Zone], rules: GhostRules
) -> tuple[CoachingInsight, ...]:
    """Find what the driver can improve, the largest loss first.

    Args:
        lap: The lap to judge.
        target: What it is held against, on the same grid.
        zones: Zones of the track.
        rules: Thresholds.
    """
    held_to = CoachingReference(target, find_track_sections(zones), rules)
    driven = adjust_corner_starts(held_to.places, lap, rules)
    lost_s = section_losses_s(lap, target, driven, rules)
    worth = [int(k) for k in np.argsort(-lost_s, kind="stable") if lost_s[k] >= rules.coaching.least_loss_s]
    return tuple(held_to.insight(lap, driven, k, float(lost_s[k]), rank) for rank, k in enumerate(worth, start=1))


def adjust_corner_starts(
    places: Sequence[CoachingPlace], lap: DriverInputs, rules: GhostRules
) -> tuple[CoachingPlace, ...]:
    """Move the start of each corner to where the lap lifted off the throttle, if that was earlier than the target.

    A place that the lap has not come to yet stays as it is.
    """
    flat = is_flat_out(lap, rules)
    found = list(places)
    for k, place in enumerate(places):
        start = first = round(place.start_m / lap.step_m)
        if place.kind != "Braking" or k == 0 or start > len(flat):
            continue
        furthest = max(round(places[k - 1].start_m / lap.step_m) + 1, start - round(_LOOK_BACK_M / lap.step_m))
        while first > furthest and not flat[first - 1]:
            first -= 1
        if first < start:
            found[k] = CoachingPlace(place.kind, first * lap.step_m, place.end_m)
            found[k - 1] = CoachingPlace(found[k - 1].kind, found[k - 1].start_m, first * lap.step_m)
    return tuple(found)


def section_losses_s(
    lap: DriverInputs, target: DriverInputs, places: Sequence[CoachingPlace], rules: GhostRules
) -> FloatArray:
    """Compute the time lost in each section and after it as a consequence, shape (sections,).

    The sum is the difference of the two laps less what was lost before the first place that could have caused it.
    """
    per_step = np.diff(lap.time_s) - np.diff(target.time_s)
    owner = assign_time_loss(lap, target, places, rules)
    owned = owner >= 0
    return np.bincount(owner[owned], per_step[owned], len(places)).astype(np.float64)


def assign_time_loss(
    lap: DriverInputs, target: DriverInputs, places: Sequence[CoachingPlace], rules: GhostRules
) -> IndexArray:
    """Assign the time lost in each grid step to a section, -1 before the first, shape (n,).

    The last place where something could have been done: carried on along both laps' full throttle.
    """
    both_flat = is_flat_out(lap, rules) & is_flat_out(target, rules)
    at = (np.arange(len(both_flat) - 1) + 0.5) * lap.step_m
    place = np.searchsorted([p.end_m for p in places], at, side="right").clip(0, len(places) - 1)
    acts = ~(both_flat[:-1] & both_flat[1:])
    last = np.maximum.accumulate(np.where(acts, np.arange(len(acts)), -1))
    return np.where(last >= 0, place[np.maximum(last, 0)], -1)


def is_flat_out(inputs: DriverInputs, rules: GhostRules) -> BoolArray:
    """Mark where a car is at full throttle and off the brakes."""
    is_full = inputs.throttle_pct >= rules.coaching.full_throttle_pct
    return np.asarray(is_full & ~(inputs.brake_bar >= rules.brake_on_bar))


class _LapPair:
    """Both laps within one place."""

    def __init__(
        self, lap: DriverInputs, target: DriverInputs, place: CoachingPlace, reach_m: float, rules: GhostRules
    ) -> None:
        self.place, self.rules, self.step_m = place, rules, lap.step_m
        self.reach = round(reach_m / lap.step_m)
        self.start = int(np.floor(place.start_m / lap.step_m))
        self.end = min(int(np.ceil(place.end_m / lap.step_m)) + 1, len(lap.speed_kmh))
        self.lap, self.target = lap, target

    def cut(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values[self.start : self.end]

    def brake_m(self, inputs: DriverInputs) -> float | None:
        """Where the brakes come on, looking back as far as an early foot may reach."""
        slowest = self.start + int(np.argmin(self.cut(inputs.speed_kmh)))
        first = max(0, self.start - round(_LOOK_BACK_M / self.step_m))
        pressed = np.flatnonzero(inputs.brake_bar[first : slowest + 1] >= self.rules.brake_on_bar)
        if not pressed.size:
            return None
        # The hardest press that reaches into the place: not one for the corner before, not a dab after it.
        cuts = np.flatnonzero(np.diff(pressed) > round(_SAME_PRESS_M / self.step_m)) + 1
        presses = np.split(first + pressed, cuts)
        reaching = [press for press in presses if press[-1] >= self.start] or presses[-1:]
        return float(max(reaching, key=lambda press: inputs.brake_bar[press].sum())[0] * self.step_m)

    def comes_as_fast(self, at_m: float) -> bool:
        """Whether the lap is about as fast as the target in a place before the corner."""
        at = round(at_m / self.step_m)
        return bool(self.lap.speed_kmh[at] > self.target.speed_kmh[at] - self.rules.coaching.slow_apex_kmh)

    def power_m(self, inputs: DriverInputs) -> float:
        """Where the car is flat out again after its slowest point, or how far the place is felt if it is not."""
        slowest = self.start + int(np.argmin(self.cut(inputs.speed_kmh)))
        flat = np.flatnonzero(is_flat_out(inputs, self.rules)[slowest : self.reach])
        return float((slowest + flat[0] if flat.size else self.reach) * self.step_m)


def _build_insight(rank: int, lost_s: float, finding: _Finding, pair: _LapPair) -> CoachingInsight:
    code, metric, human, target, unit = finding
    return CoachingInsight(
        rank=rank,
        place=pair.place,
        code=code,
        time_loss_s=lost_s,
        metric=metric,
        human_value=human,
        target_value=target,
        unit=unit,
        throttle_applied_pct=float(np.nanmean(pair.cut(pair.lap.throttle_pct))),
        throttle_target_pct=float(np.nanmean(pair.cut(pair.target.throttle_pct))),
        brake_applied_bar=float(np.nanmax(pair.cut(pair.lap.brake_bar))),
        brake_target_bar=float(np.nanmax(pair.cut(pair.target.brake_bar))),
    )


def _find_verdict(pair: _LapPair) -> _Finding:
    rules = pair.rules.coaching
    found = _straight_verdict(pair, rules) if pair.place.kind == "Straight" else _corner_verdict(pair, rules)
    if found is not None:
        return found
    speeds = [float(np.mean(pair.cut(x.speed_kmh))) for x in (pair.lap, pair.target)]
    return ("SLOWER_HERE", "mean speed", speeds[0], speeds[1], "km/h")


def _straight_verdict(pair: _LapPair, rules: CoachingRules) -> _Finding | None:
    lifted = ~pair.cut(is_flat_out(pair.lap, pair.rules)) & pair.cut(is_flat_out(pair.target, pair.rules))
    metres = float(lifted.sum() * pair.step_m)
    return ("LIFTING_ON_STRAIGHT", "distance off full throttle", metres, 0.0, "m") if metres > rules.lift_m else None


def _corner_verdict(pair: _LapPair, rules: CoachingRules) -> _Finding | None:
    """The first thing that went wrong, in the order in which a corner is driven."""
    brake, target_brake = pair.brake_m(pair.lap), pair.brake_m(pair.target)
    slowest, target_slowest = (float(pair.cut(x.speed_kmh).min()) for x in (pair.lap, pair.target))
    if pair.place.kind == "Braking" and brake is not None and target_brake is not None:
        point = ("braking point", brake, target_brake, "m")
        if brake < target_brake - rules.brake_early_m:
            return ("BRAKE_TOO_EARLY", *point)
        is_late = brake > target_brake + rules.brake_early_m and slowest < target_slowest
        if is_late and pair.comes_as_fast(target_brake):
            return ("BRAKE_TOO_LATE", *point)
        hardest, target_hardest = (float(pair.cut(x.brake_bar).max()) for x in (pair.lap, pair.target))
        if hardest < rules.brake_weak_share * target_hardest:
            return ("BRAKE_TOO_SOFT", "hardest brake pressure", hardest, target_hardest, "bar")
    if slowest < target_slowest - rules.slow_apex_kmh:
        return ("TOO_SLOW_AT_APEX", "slowest speed", slowest, target_slowest, "km/h")
    power, target_power = pair.power_m(pair.lap), pair.power_m(pair.target)
    if power > target_power + rules.power_late_m:
        return ("HESITANT_THROTTLE", "flat out again", power, target_power, "m")
    return None
