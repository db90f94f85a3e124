"""What to do better in each place where a lap loses time to its target (seed items G29 to G31).

Places and losses are those of every comparison of two laps (:mod:`analysis.comparison.places`). Each place that costs
time gets the one verdict that its figures support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.comparison.corner_report import ReportPiece, ReportRule, report_pieces
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.places import Sides, TrackPlace
from analysis.segmentation.zones import ZoneType
from analysis.signals.spans import find_runs
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray
from conf.ghost import CoachingRules
from conf.units import KMH_PER_MPS

_Finding = tuple[str, str, float, float, str]  # code, metric, human's value, target's value, unit

_SHIFT_S: Final = 1.5  # a foot that is back within that changed gear
_AROUND_SHIFT_S: Final = 0.2
_UNSEEN_SHIFT_S: Final = 0.5  # the same where the gear is not known
_BEFORE_M: Final = 60.0  # looked at before a place: a change of gear may begin there
HELD_M: Final = 50.0  # a foot that comes up again sooner was not down for good
REPORT: Final = ReportRule()
VERDICTS: Final = {
    "BRAKE_TOO_EARLY": "Braking Too Early",
    "BRAKE_TOO_LATE": "Braking Too Late",
    "BRAKE_TOO_SOFT": "Not Braking Hard Enough",
    "TOO_SLOW_AT_APEX": "Too Slow at Apex",
    "HESITANT_THROTTLE": "Hesitant Throttle Application",
    "LIFTING_ON_STRAIGHT": "Lifting on the Straight",
    "SLOW_ONTO_STRAIGHT": "Slow Onto the Straight",
    "SLOWER_HERE": "Slower Through Here",
}


@dataclass(frozen=True)
class CoachingInsight:
    """One improvement that a driver can make in one place.

    Attributes:
        rank: From 1, the costliest first.
        place: Where.
        kind: ``Turn``, or ``Braking`` where either lap brakes for it, or ``Straight``.
        start_m: Where the place begins.
        end_m: Where it ends; below ``start_m`` for a corner that reaches over the line.
        code: Key of ``VERDICTS``.
        time_loss_s: What was lost there.
        metric: What was measured.
        human_value: In ``unit``.
        target_value: In ``unit``.
        throttle_applied_pct: Mean over the place.
        throttle_target_pct: Mean over the place.
        brake_applied_bar: Hardest in the place.
        brake_target_bar: Hardest in the place.
    """

    rank: int
    place: TrackPlace
    kind: ZoneType
    start_m: float
    end_m: float
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


def find_insights(sides: Sides, circuit: Circuit, rules: CoachingRules) -> tuple[CoachingInsight, ...]:
    """Find what the driver can improve, the largest loss first.

    Args:
        sides: The lap to judge and what it is held against, on one grid.
        circuit: The circuit.
        rules: Thresholds.
    """
    pieces = report_pieces(sides, circuit, REPORT)
    worth = [k for k, piece in enumerate(pieces) if piece.time_lost_s >= rules.least_loss_s]
    ranked = sorted(worth, key=lambda k: -pieces[k].time_lost_s)
    return tuple(
        build_insight(sides, pieces[k], reach_m([piece.place for piece in pieces], k), rank, rules)
        for rank, k in enumerate(ranked, start=1)
    )


def reach_m(places: Sequence[TrackPlace], k: int) -> float:
    """How far a place is felt: to its own end, or to that of the straight behind it."""
    after = places[k + 1 : k + 2]
    return after[0].end_m if after and after[0].corner is None else places[k].end_m


def build_insight(
    sides: Sides, piece: ReportPiece, felt_to_m: float, rank: int, rules: CoachingRules
) -> CoachingInsight:
    """Judge one place.

    Args:
        sides: The lap, at least up to ``felt_to_m``, and its target.
        piece: What both did there.
        felt_to_m: From :func:`reach_m`.
        rank: Among the other insights.
        rules: Thresholds.
    """
    code, metric, human, target, unit = _Passing(sides, piece, felt_to_m, rules).judge()
    place, (lap, aimed) = piece.place, sides
    throttle, brake = (
        [side.window(getattr(side, name), place.start_m, place.end_m)[1] for side in sides]
        for name in ("throttle_pct", "brake_bar")
    )
    return CoachingInsight(
        rank=rank,
        place=place,
        kind=_kind_of(lap, aimed, place),
        start_m=piece.start_m,
        end_m=piece.end_m,
        code=code,
        time_loss_s=piece.time_lost_s,
        metric=metric,
        human_value=human,
        target_value=target,
        unit=unit,
        throttle_applied_pct=_mean(throttle[0]),
        throttle_target_pct=_mean(throttle[1]),
        brake_applied_bar=_largest(brake[0]),
        brake_target_bar=_largest(brake[1]),
    )


def _kind_of(lap: LapInputs, aimed: LapInputs, place: TrackPlace) -> ZoneType:
    if place.stretch is None:
        return "Straight"
    pressed = [
        side.window(side.brake_bar, place.start_m, place.stretch.apex_m)[1] >= REPORT.place.brake_on_bar
        for side in (lap, aimed)
    ]
    return "Braking" if any(press.any() for press in pressed) else "Turn"


class _Passing:
    """Both laps in one place."""

    def __init__(self, sides: Sides, piece: ReportPiece, felt_to_m: float, rules: CoachingRules) -> None:
        self.lap, self.target = sides
        self.piece, self.place, self.felt_to_m, self.rules = piece, piece.place, felt_to_m, rules

    def judge(self) -> _Finding:
        found = self._judge_straight() if self.place.stretch is None else self._judge_corner()
        return found or (
            "SLOWER_HERE",
            "average speed",
            self._average_kmh(self.lap),
            self._average_kmh(self.target),
            "km/h",
        )

    def _average_kmh(self, side: LapInputs) -> float:
        """From the clock, not from the speed: what is slower by it did take longer."""
        parts = self.place.parts(side.length_m)
        metres = sum(end - start for start, end in parts)
        return metres / sum(side.passed_s(end) - side.passed_s(start) for start, end in parts) * KMH_PER_MPS

    def _judge_corner(self) -> _Finding | None:
        """The first thing that went wrong, in the order in which a corner is driven."""
        rules, one, two = self.rules, self.piece.lap, self.piece.reference
        slowest, target_slowest = (self._slowest_kmh(side) for side in (self.lap, self.target))
        if one.brake_m is not None and two.brake_m is not None and self.piece.brake_earlier_m is not None:
            earlier, point = self.piece.brake_earlier_m, ("braking point", one.brake_m, two.brake_m, "m")
            if earlier > rules.brake_early_m:
                return ("BRAKE_TOO_EARLY", *point)
            if earlier < -rules.brake_early_m and slowest < target_slowest and self._comes_as_fast(two.brake_m):
                return ("BRAKE_TOO_LATE", *point)
            hardest, target_hardest = (self._hardest_bar(side) for side in (self.lap, self.target))
            if hardest < rules.brake_weak_share * target_hardest and self._comes_as_fast(two.brake_m):
                return ("BRAKE_TOO_SOFT", "hardest brake pressure", hardest, target_hardest, "bar")
        if slowest < target_slowest - rules.slow_apex_kmh:
            return ("TOO_SLOW_AT_APEX", "minimum speed", slowest, target_slowest, "km/h")
        power, target_power = self._power_m(self.lap), self._power_m(self.target)
        if power is not None and target_power is not None and power > target_power + rules.power_late_m:
            return (
                "HESITANT_THROTTLE",
                "flat out again",
                power % self.lap.length_m,
                target_power % self.lap.length_m,
                "m",
            )
        return None

    def _judge_straight(self) -> _Finding | None:
        rules, start_m = self.rules, self.place.start_m
        late_m, lifted_m = self._eased_m()
        if lifted_m > rules.lift_m:
            return ("LIFTING_ON_STRAIGHT", "distance off full throttle", lifted_m, 0.0, "m")
        if late_m[0] > late_m[1] + rules.power_late_m:
            return ("HESITANT_THROTTLE", "flat out again", start_m + late_m[0], start_m + late_m[1], "m")
        return self._judge_speeds()

    def _judge_speeds(self) -> _Finding | None:
        """What both speeds say of a straight on which the pedals do not differ."""
        rules, start_m = self.rules, self.place.start_m
        entry, target_entry = (side.at(side.scaled_kmh, start_m) for side in (self.lap, self.target))
        top, target_top = (self._top_kmh(side) for side in (self.lap, self.target))
        if entry is None or target_entry is None:
            return None
        less, less_at_top = target_entry - entry, target_top - top
        if less_at_top > max(less, 0.0) + rules.slow_entry_kmh:  # what was lacking at its start is not the reason
            return ("SLOWER_HERE", "highest speed", top, target_top, "km/h")
        if less > rules.slow_entry_kmh:
            if start_m == 0.0:  # the lap before brought it there
                return ("SLOWER_HERE", "speed at the line", entry, target_entry, "km/h")
            return ("SLOW_ONTO_STRAIGHT", "speed at its start", entry, target_entry, "km/h")
        return None

    def _top_kmh(self, side: LapInputs) -> float:
        return _largest(side.window(side.scaled_kmh, self.place.start_m, self.place.end_m)[1])

    def _slowest_kmh(self, side: LapInputs) -> float:
        """NaN where it is not known, which nothing is less than."""
        stretch = self.place.stretch
        least = None if stretch is None else side.least_speed(stretch.entry_m, stretch.exit_m)[1]
        return np.nan if least is None else least * side.speed_scale

    def _hardest_bar(self, side: LapInputs) -> float:
        apex_m = self.place.end_m if self.place.stretch is None else self.place.stretch.apex_m
        return _largest(side.window(side.brake_bar, self.place.start_m, apex_m)[1])

    def _comes_as_fast(self, at_m: float) -> bool:
        """Whether the lap is about as fast as the target in a place before the corner."""
        speeds = [side.at(side.scaled_kmh, at_m) for side in (self.lap, self.target)]
        return None not in speeds and bool((speeds[0] or 0.0) > (speeds[1] or 0.0) - self.rules.slow_apex_kmh)

    def _power_m(self, side: LapInputs) -> float | None:
        """Where the car is flat out again after its slowest point, or how far the place is felt if it is not."""
        return power_m(side, self.place, self.felt_to_m)

    def _eased_m(self) -> tuple[tuple[float, float], float]:
        """Metres until each lap is flat out on a straight; those that the lap is off it then, and the target is not."""
        start_m, end_m = self.place.start_m, self.place.end_m
        down, target_down = (_foot_down(side, start_m, end_m)[1] for side in (self.lap, self.target))
        late, target_late = (int(np.argmax(np.append(x, True))) for x in (down, target_down))
        lifted = ~down & target_down & (np.arange(len(down)) >= late)
        return (late * self.lap.step_m, target_late * self.lap.step_m), float(lifted.sum() * self.lap.step_m)


def power_m(side: LapInputs, place: TrackPlace, felt_to_m: float) -> float | None:
    """Where a car is flat out again after its slowest point in a corner, or ``felt_to_m`` if it is not by then.

    ``None`` where speed or throttle is not known.
    """
    if place.stretch is None or not np.isfinite(side.plateau_pct):
        return None
    slowest_m, _ = side.least_speed(place.stretch.entry_m, place.stretch.exit_m)
    if slowest_m is None:
        return None
    at_m, down = _foot_down(side, slowest_m, felt_to_m)
    stays = [start for start, end in find_runs(down) if at_m[end - 1] - at_m[start] >= HELD_M or end == len(down)]
    return float(at_m[stays[0]]) if stays else felt_to_m


def _foot_down(side: LapInputs, start_m: float, end_m: float) -> tuple[FloatArray, BoolArray]:
    """Distances, and where a lap is flat out or only off the throttle to change gear."""
    first_m = max(0.0, start_m - _BEFORE_M)
    at_m, eased = side.window(side.is_eased(REPORT.place.brake_on_bar), first_m, end_m)
    _, time_s = side.window(side.time_s, first_m, end_m)
    _, gear = side.window(side.gear, first_m, end_m)
    shifts_s = time_s[1:][np.abs(np.diff(gear)) > 0] if np.isfinite(gear).any() else None
    down = ~eased
    for start, end in find_runs(eased):
        if start > 0 and _is_shift(float(time_s[start]), float(time_s[end - 1]), shifts_s):
            down[start:end] = True
    inside = at_m >= start_m - side.step_m / 2.0
    return at_m[inside], down[inside]


def _is_shift(began_s: float, ended_s: float, shifts_s: FloatArray | None) -> bool:
    """Whether a foot that is off for so long changes gear; by its length alone where the gear is not known."""
    if shifts_s is None:
        return ended_s - began_s < _UNSEEN_SHIFT_S
    near = (shifts_s >= began_s - _AROUND_SHIFT_S) & (shifts_s <= ended_s + _AROUND_SHIFT_S)
    return ended_s - began_s < _SHIFT_S and bool(near.any())


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else np.nan


def _largest(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else np.nan
