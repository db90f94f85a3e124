"""The corner report: a lap's time loss to a reference in each place of the circuit, and what differs there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.comparison.aligned_laps import AlignedBy, AlignedLaps, align_laps
from analysis.comparison.corner_metrics import THROTTLE_ON_SHARE, CornerStretch, measure_pass
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.places import PlaceRule, Sides, TrackPlace, find_places
from analysis.laps.trace import ChannelGap, LapTrace
from analysis.tracks.circuit import Circuit


@dataclass(frozen=True)
class ReportRule:
    """Thresholds: what makes a place, and which differences are reported.

    Attributes:
        place: What makes a place.
        throttle_on_share: Share of the lap's full throttle from which a car is back on the power.
        brake_word_m: Least difference between two braking points that is named.
        throttle_word_m: Least difference between two throttle-on points that is named.
        speed_word_kmh: Least difference in speed that is named.
        time_word_s: Loss that calls for a cause; below it two passings count as alike.
    """

    place: PlaceRule = field(default_factory=PlaceRule)
    throttle_on_share: float = THROTTLE_ON_SHARE
    brake_word_m: float = 3.0
    throttle_word_m: float = 5.0
    speed_word_kmh: float = 1.0
    time_word_s: float = 0.05


@dataclass(frozen=True)
class PassingFigures:
    """How one lap passes a piece; ``None`` where a channel has no value there or the driver did not do it.

    Attributes:
        entry_kmh: Speed where the corner (or straight) begins.
        min_kmh: Least speed.
        exit_kmh: Speed where it ends.
        brake_m: Where the car began to brake for the corner, distance from the line.
        throttle_m: Where it came back on the power.
    """

    entry_kmh: float | None
    min_kmh: float | None
    exit_kmh: float | None
    brake_m: float | None = None
    throttle_m: float | None = None


@dataclass(frozen=True)
class ReportPiece:
    """One corner or straight of the report.

    Attributes:
        place: Where.
        start_m: Where it begins.
        end_m: Where it ends; below ``start_m`` for a corner that reaches over the line.
        time_lost_s: Time lost on the reference, negative where it was gained.
        lap: The lap's passing.
        reference: The reference's.
        brake_earlier_m: How much earlier the lap brakes, negative where later.
        throttle_later_m: How much later it comes back on the power, negative where earlier.
        gaps: Stretches without speed in either lap that touch the piece: its loss follows from their ends.
        finding: One line in plain words.
    """

    place: TrackPlace
    start_m: float
    end_m: float
    time_lost_s: float
    lap: PassingFigures
    reference: PassingFigures
    brake_earlier_m: float | None
    throttle_later_m: float | None
    gaps: tuple[ChannelGap, ...]
    finding: str

    @property
    def label(self) -> str:
        """``T5``, or ``T5 to T6`` for a straight."""
        return self.place.label

    @property
    def corner(self) -> int | None:
        """Number of the corner, ``None`` for a straight."""
        return None if self.place.corner is None else self.place.corner.number


@dataclass(frozen=True)
class CornerReport:
    """A lap's time loss to a reference, divided over the circuit.

    Attributes:
        pieces: In driving order from the line; a corner that reaches over the line is last.
        lap_delta_s: Lap time less the reference's: the sum of the pieces' losses.
        aligned_by: Position on the track, or distance scaled to the lap.
        sides: The lap and the reference on one grid.
    """

    pieces: tuple[ReportPiece, ...]
    lap_delta_s: float
    aligned_by: AlignedBy
    sides: Sides


def build_corner_report(
    lap: LapTrace,
    reference: LapTrace,
    circuit: Circuit,
    rule: ReportRule = ReportRule(),
    car_plateaus_pct: tuple[float | None, float | None] = (None, None),
) -> CornerReport:
    """Divide a lap's time loss to a reference over the corners and straights of a circuit.

    Args:
        lap: The lap.
        reference: What it is compared with.
        circuit: Track with corners; one without has a single piece, the lap.
        rule: Thresholds.
        car_plateaus_pct: What the throttle of each car reads at full throttle over its session, where that is known.
    """
    aligned = align_laps(lap, reference, circuit)
    sides = read_sides(aligned, car_plateaus_pct)
    return CornerReport(
        report_pieces(sides, circuit, rule), lap.lap_time_s - reference.lap_time_s, aligned.aligned_by, sides
    )


def read_sides(aligned: AlignedLaps, car_plateaus_pct: tuple[float | None, float | None] = (None, None)) -> Sides:
    """Two aligned laps on one grid; see :func:`build_corner_report`."""
    one, two = car_plateaus_pct
    return LapInputs.of(aligned, aligned.lap, one), LapInputs.of(aligned, aligned.reference, two)


def report_pieces(sides: Sides, circuit: Circuit, rule: ReportRule = ReportRule()) -> tuple[ReportPiece, ...]:
    """Divide what a lap loses to a reference, both on one grid, over the places of a circuit.

    Args:
        sides: The lap and the reference.
        circuit: The circuit.
        rule: Thresholds.
    """
    return tuple(report_piece(sides, place, rule) for place in find_places(circuit, sides, rule.place))


def report_piece(sides: Sides, place: TrackPlace, rule: ReportRule = ReportRule()) -> ReportPiece:
    """What two laps do in one place, and what the first loses there."""
    if place.stretch is None:
        return _straight_piece(sides, place, rule)
    return _corner_piece(sides, place, place.stretch, rule)


def _corner_piece(sides: Sides, place: TrackPlace, stretch: CornerStretch, rule: ReportRule) -> ReportPiece:
    one, two = (measure_pass(side, stretch, rule.place.brake_on_bar, rule.throttle_on_share) for side in sides)
    passings = [
        PassingFigures(
            each.entry_kmh, each.min_kmh, each.exit_kmh, side.in_lap(each.brake_m), side.in_lap(each.throttle_m)
        )
        for side, each in zip(sides, (one, two), strict=True)
    ]
    earlier, later = _difference(two.brake_m, one.brake_m), _difference(one.throttle_m, two.throttle_m)
    words = [
        _metres("braked", earlier, ("earlier", "later"), rule.brake_word_m),
        _speeds(passings[0].min_kmh, passings[1].min_kmh, "at the apex", rule),
        _metres("on the power", later, ("later", "earlier"), rule.throttle_word_m),
    ]
    return _piece(sides, place, passings, (earlier, later), words, rule)


def _straight_piece(sides: Sides, place: TrackPlace, rule: ReportRule) -> ReportPiece:
    start_m, end_m = place.start_m, place.end_m
    passings = [
        PassingFigures(
            side.at(side.speed_kmh, start_m), side.least_speed(start_m, end_m)[1], side.at(side.speed_kmh, end_m)
        )
        for side in sides
    ]
    words = [
        _speeds(passings[0].entry_kmh, passings[1].entry_kmh, "at its start", rule),
        _speeds(passings[0].exit_kmh, passings[1].exit_kmh, "at its end", rule),
    ]
    return _piece(sides, place, passings, (None, None), words, rule)


def _piece(
    sides: Sides,
    place: TrackPlace,
    passings: Sequence[PassingFigures],
    moved: tuple[float | None, float | None],
    words: Sequence[str | None],
    rule: ReportRule,
) -> ReportPiece:
    parts, lost = place.parts(sides[0].length_m), place.lost_s(sides)
    gaps = tuple(
        placed.gap
        for side in sides
        for placed in side.gaps
        if any(placed.start_m < end and placed.end_m > start for start, end in parts)
    )
    alike = "driven alike" if abs(lost) < rule.time_word_s else "no clear cause"
    said = ", ".join(word for word in words if word) or alike
    unseen = sum(gap.end_s - gap.start_s for gap in gaps)
    note = f" (no speed for {unseen:.1f} s of it)" if gaps else ""
    return ReportPiece(
        place=place,
        start_m=parts[0][0],
        end_m=parts[-1][1],
        time_lost_s=lost,
        lap=passings[0],
        reference=passings[1],
        brake_earlier_m=moved[0],
        throttle_later_m=moved[1],
        gaps=gaps,
        finding=f"{place.label}: {said}: {_seconds(lost)}{note}",
    )


def _metres(verb: str, metres: float | None, way: tuple[str, str], least: float) -> str | None:
    if metres is None or abs(metres) < least:
        return None
    return f"{verb} {abs(metres):.0f} m {way[0] if metres > 0 else way[1]}"


def _speeds(lap: float | None, reference: float | None, where: str, rule: ReportRule) -> str | None:
    if (less := _difference(reference, lap)) is None or abs(less) < rule.speed_word_kmh:
        return None
    return f"{abs(less):.0f} km/h {'slower' if less > 0 else 'faster'} {where}"


def _seconds(lost_s: float) -> str:
    if abs(lost_s) < 0.005:
        return "no time lost"
    return f"{abs(lost_s):.2f} s {'lost' if lost_s > 0 else 'gained'}"


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
