"""From candidates to events: filtered by the limits, one for each incident, located on the track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from analysis.dptad import brake, speed, steering, throttle
from analysis.dptad.availability import unavailable_rules
from analysis.dptad.even_lap import DptadLap, grid_steps
from analysis.dptad.handling import HandlingBalance
from analysis.dptad.phases import LapPhase, locate_on_lap
from analysis.dptad.rules import RULE_OF, RULES, Category, EventCandidate, EventType
from analysis.dptad.thresholds import Thresholds
from analysis.tracks.circuit import Circuit

Severity = Literal["low", "medium", "high"]
APART_S: Final = 0.8  # two findings of one category closer than this are one incident
_RANK: Final = {rule.name: rank for rank, rule in enumerate(RULES)}


@dataclass(frozen=True, slots=True)
class DptadEvent:
    """One incident of a lap; the names are those of ``gold.dptad_events``.

    Attributes:
        t_lap_s: Time since the start of the lap.
        lap_distance_m: Distance from the line.
        category: Score that it counts for.
        event_type: What it is.
        rule: Rule that found it; a ``brake_spike`` is a ``brake_bite`` or a ``brake_stab``.
        corner: Label of the corner; ``None`` on a straight, and without a circuit.
        lap_phase: Part of the lap; ``None`` without a circuit.
        sector_id: Sector, from 1; ``None`` without a circuit.
        magnitude: How strong it is.
        threshold: Limit that it reached.
        unit: Unit of both.
        severity: ``low`` below one and a half times the limit, ``medium`` below two and a half times.
        message: One sentence.
        occurrences: How many of its kind it stands for.
    """

    t_lap_s: float
    lap_distance_m: float
    category: Category
    event_type: EventType
    rule: str
    corner: str | None
    lap_phase: LapPhase | None
    sector_id: int | None
    magnitude: float
    threshold: float
    unit: str
    severity: Severity
    message: str
    occurrences: int


def find_candidates(
    lap: DptadLap, handling: HandlingBalance, circuit: Circuit | None, thresholds: Thresholds
) -> list[EventCandidate]:
    """What the rules that can judge a lap find on it, before any limit."""
    found = [
        *brake.find_brake_candidates(lap),
        *throttle.find_throttle_candidates(lap, handling),
        *steering.find_steering_candidates(lap, handling),
        *speed.find_speed_scrub(lap, handling),
    ]
    if circuit is not None:
        found += speed.find_slow_exits(lap, circuit, thresholds.exits)
    silent = unavailable_rules(lap, handling, circuit, thresholds)
    return [one for one in found if one.rule not in silent]


def find_events(
    lap: DptadLap, handling: HandlingBalance, circuit: Circuit | None, thresholds: Thresholds
) -> tuple[DptadEvent, ...]:
    """Events of a lap in order of time, one for each incident."""
    found = find_candidates(lap, handling, circuit, thresholds)
    over = [one for one in found if one.magnitude >= thresholds.limits[one.rule]]
    kept = sorted(_merge_candidates(over, thresholds), key=lambda one: (one.index, _RANK[one.rule]))
    return tuple(_build_event(one, lap, circuit, thresholds) for one in kept)


def _merge_candidates(candidates: list[EventCandidate], thresholds: Thresholds) -> list[EventCandidate]:
    """Of findings of one category close together the one of the first rule in the list, then the strongest."""
    kept: list[EventCandidate] = []
    for one in sorted(candidates, key=lambda c: (_RANK[c.rule], -c.magnitude / thresholds.limits[c.rule], c.index)):
        category = RULE_OF[one.rule].category
        near = (other for other in kept if RULE_OF[other.rule].category == category)
        if all(abs(one.index - other.index) >= grid_steps(APART_S) for other in near):
            kept.append(one)
    return kept


def _build_event(one: EventCandidate, lap: DptadLap, circuit: Circuit | None, thresholds: Thresholds) -> DptadEvent:
    rule, limit = RULE_OF[one.rule], thresholds.limits[one.rule]
    place = None if circuit is None else locate_on_lap(lap, circuit, one.index, one.corner)
    digits = 2 if limit < 1.0 else 0
    return DptadEvent(
        t_lap_s=float(lap.t_s[one.index]),
        lap_distance_m=float(lap.distance_m[one.index]),
        category=rule.category,
        event_type=rule.event_type,
        rule=rule.name,
        corner=place.corner.label if place is not None and place.corner is not None else None,
        lap_phase=place.phase if place is not None else None,
        sector_id=place.sector if place is not None else None,
        magnitude=one.magnitude,
        threshold=limit,
        unit=rule.unit,
        severity=_event_severity(one.magnitude / limit),
        message=f"{rule.says}{one.note}: {one.magnitude:.{digits}f} {rule.unit}, limit {limit:.{digits}f} {rule.unit}",
        occurrences=one.count,
    )


def _event_severity(ratio: float) -> Severity:
    if ratio < 1.5:
        return "low"
    return "medium" if ratio < 2.5 else "high"
