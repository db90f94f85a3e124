"""The corner report: a lap's time loss to a reference, divided over corners and straights.

The pieces share the lap out: each metre belongs to one, and their losses add up to the difference of the lap times. A
corner's piece begins where the first of the two cars brakes for it and ends where the bend ends; a straight too short
to speak of belongs to the corner after it. Where cars brake for the first corner before the line, it is the braking at
the end of the same lap that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from analysis.comparison.aligned_laps import AlignedBy, AlignedLaps, align_laps
from analysis.comparison.corner_metrics import (
    ComparedLap,
    CornerStretch,
    corner_stretches,
    find_braking_point,
    find_throttle_point,
)
from analysis.laps.distance import distance_at_time_m
from analysis.laps.trace import ChannelGap, LapTrace
from analysis.tracks.circuit import Circuit


@dataclass(frozen=True)
class ReportRule:
    """Thresholds: what counts as braking, and which differences are reported.

    Attributes:
        brake_on_bar: Front brake pressure from which a car brakes.
        throttle_on_pct: Throttle from which it is back on the power.
        brake_word_m: Least difference between two braking points that is named.
        throttle_word_m: Least difference between two throttle-on points that is named.
        speed_word_kmh: Least difference in speed that is named.
        time_word_s: Loss that calls for a cause; below it two passings count as alike.
        min_straight_m: Least length of a straight that is a piece of its own.
    """

    brake_on_bar: float = 5.0
    throttle_on_pct: float = 50.0
    brake_word_m: float = 3.0
    throttle_word_m: float = 5.0
    speed_word_kmh: float = 1.0
    time_word_s: float = 0.05
    min_straight_m: float = 30.0


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
        label: ``T5``, or ``T5 to T6`` for a straight.
        corner: Number of the corner, ``None`` for a straight.
        start_m: Where the piece begins.
        end_m: Where it ends; below ``start_m`` for a corner that reaches over the line.
        time_lost_s: Time lost on the reference, negative where it was gained.
        lap: The lap's passing.
        reference: The reference's.
        brake_earlier_m: How much earlier the lap brakes, negative where later.
        throttle_later_m: How much later it comes back on the power, negative where earlier.
        gaps: Stretches without speed in either lap that touch the piece: its loss follows from their ends.
        finding: One line in plain words.
    """

    label: str
    corner: int | None
    start_m: float
    end_m: float
    time_lost_s: float
    lap: PassingFigures
    reference: PassingFigures
    brake_earlier_m: float | None
    throttle_later_m: float | None
    gaps: tuple[ChannelGap, ...]
    finding: str


@dataclass(frozen=True)
class CornerReport:
    """A lap's time loss to a reference, divided over the circuit.

    Attributes:
        pieces: In driving order from the line; a corner that reaches over the line is last.
        lap_delta_s: Lap time less the reference's: the sum of the pieces' losses.
        aligned_by: Position on the track, or distance scaled to the lap.
    """

    pieces: tuple[ReportPiece, ...]
    lap_delta_s: float
    aligned_by: AlignedBy


def build_corner_report(
    lap: LapTrace, reference: LapTrace, circuit: Circuit, rule: ReportRule = ReportRule()
) -> CornerReport:
    """Divide a lap's time loss to a reference over the corners and straights of a circuit.

    Args:
        lap: The lap.
        reference: What it is compared with.
        circuit: Track with corners; one without has a single piece, the lap.
        rule: Thresholds.
    """
    aligned = align_laps(lap, reference, circuit)
    sides = (ComparedLap.of(aligned, aligned.lap), ComparedLap.of(aligned, aligned.reference))
    bends = [_bend_piece(aligned, sides, stretch, rule) for stretch in corner_stretches(circuit)]
    straights = [_straight_piece(aligned, sides, *ends, rule) for ends in _between(bends, circuit.length_m)]
    pieces = sorted((*bends, *straights), key=lambda piece: piece.start_m)
    return CornerReport(tuple(pieces), aligned.lap.lap_time_s - aligned.reference.lap_time_s, aligned.aligned_by)


def _bend_piece(
    aligned: AlignedLaps, sides: Sequence[ComparedLap], stretch: CornerStretch, rule: ReportRule
) -> ReportPiece:
    brakes = [find_braking_point(side, stretch, rule.brake_on_bar) for side in sides]
    start = min([stretch.entry_m, *(at for at in brakes if at is not None)])
    if start - stretch.from_m < rule.min_straight_m:
        start = stretch.from_m
    passings, powers = [], []
    for side, brake in zip(sides, brakes, strict=True):
        slowest_m, least = side.least_speed(stretch.entry_m, stretch.exit_m)
        power = (
            None
            if slowest_m is None
            else find_throttle_point(side, start, slowest_m, stretch.to_m, rule.throttle_on_pct)
        )
        powers.append(power)
        ends = (side.speed_at(stretch.entry_m), least, side.speed_at(stretch.exit_m))
        passings.append(
            PassingFigures(*ends, *(None if at is None else at % aligned.length_m for at in (brake, power)))
        )
    earlier, later = _difference(brakes[1], brakes[0]), _difference(powers[0], powers[1])
    words = [
        _metres("braked", earlier, ("earlier", "later"), rule.brake_word_m),
        _speeds(passings[0].min_kmh, passings[1].min_kmh, "at the apex", rule),
        _metres("on the power", later, ("later", "earlier"), rule.throttle_word_m),
    ]
    named = (stretch.corner.label, stretch.corner.number)
    return _piece(aligned, named, (start, stretch.exit_m), passings, (earlier, later), words, rule)


def _straight_piece(
    aligned: AlignedLaps, sides: Sequence[ComparedLap], label: str, start_m: float, end_m: float, rule: ReportRule
) -> ReportPiece:
    passings = [
        PassingFigures(side.speed_at(start_m), side.least_speed(start_m, end_m)[1], side.speed_at(end_m))
        for side in sides
    ]
    words = [
        _speeds(passings[0].entry_kmh, passings[1].entry_kmh, "at its start", rule),
        _speeds(passings[0].exit_kmh, passings[1].exit_kmh, "at its end", rule),
    ]
    return _piece(aligned, (label, None), (start_m, end_m), passings, (None, None), words, rule)


def _piece(
    aligned: AlignedLaps,
    named: tuple[str, int | None],
    ends_m: tuple[float, float],
    passings: Sequence[PassingFigures],
    moved: tuple[float | None, float | None],
    words: Sequence[str | None],
    rule: ReportRule,
) -> ReportPiece:
    parts = _parts(*ends_m, aligned.length_m)
    lost = float(sum(np.diff(aligned.delta_s(part))[0] for part in parts))
    gaps = tuple(
        gap
        for trace in (aligned.lap, aligned.reference)
        for gap in trace.speed_gaps
        if any(_touches(trace, gap, part) for part in parts)
    )
    alike = "driven alike" if abs(lost) < rule.time_word_s else "no clear cause"
    said = ", ".join(word for word in words if word) or alike
    unseen = sum(gap.end_s - gap.start_s for gap in gaps)
    note = f" (no speed for {unseen:.1f} s of it)" if gaps else ""
    return ReportPiece(
        label=named[0],
        corner=named[1],
        start_m=parts[0][0],
        end_m=parts[-1][1],
        time_lost_s=lost,
        lap=passings[0],
        reference=passings[1],
        brake_earlier_m=moved[0],
        throttle_later_m=moved[1],
        gaps=gaps,
        finding=f"{named[0]}: {said}: {_seconds(lost)}{note}",
    )


def _between(bends: Sequence[ReportPiece], length_m: float) -> list[tuple[str, float, float]]:
    """Label, start and end of the straights; the one that the line cuts is two."""
    if not bends:
        return [("lap", 0.0, length_m)]
    found = []
    for before, after in pairwise((*bends, bends[0])):
        start, end = before.end_m, after.start_m
        names = (f"T{before.corner}", f"T{after.corner}")
        over = after is bends[0] and not _over_line(before) and not _over_line(after)
        if over:
            found += [(f"{names[0]} to the line", start, length_m), (f"the line to {names[1]}", 0.0, end)]
        else:
            found.append((f"{names[0]} to {names[1]}", start, end))
    return [(label, start, end) for label, start, end in found if end - start > 1e-9]


def _over_line(piece: ReportPiece) -> bool:
    return piece.end_m < piece.start_m


def _parts(start_m: float, end_m: float, length_m: float) -> list[tuple[float, float]]:
    """A stretch inside the lap: one part, or two where it reaches over the line."""
    if start_m < 0.0:
        return [(start_m + length_m, length_m), (0.0, end_m)]
    if end_m > length_m:
        return [(start_m, length_m), (0.0, end_m - length_m)]
    return [(start_m, end_m)]


def _touches(trace: LapTrace, gap: ChannelGap, part: tuple[float, float]) -> bool:
    start, end = distance_at_time_m(trace, [gap.start_s, gap.end_s])
    return bool(start < part[1] and end > part[0])


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
