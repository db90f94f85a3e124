"""Explain a lap's events to the driver in a few sentences, the most costly first (B17)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.dptad.even_lap import sort_by_time
from analysis.dptad.events import DptadEvent
from analysis.dptad.phases import LapPhase, corner_stretches_m
from analysis.dptad.rules import RULE_OF, RULES
from analysis.laps.distance import time_at_distance_s
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit

MOST: Final = 5
WORTH_NAMING_S: Final = 0.03  # two laps' distances match to about a metre
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_WHERE: Final[dict[LapPhase, str]] = {
    "braking": "under braking",
    "entry": "before the apex",
    "apex": "at the apex",
    "exit": "on the way out",
    "straight": "on the straight",
}


@dataclass(frozen=True, slots=True)
class DptadInsight:
    """One sentence.

    Attributes:
        text: The sentence, without a full stop.
        corner: Label of the corner; ``None`` for events elsewhere.
        cost_s: Time lost on the corner's stretch of road against the reference; ``None`` without one.
    """

    text: str
    corner: str | None
    cost_s: float | None


def corner_times_s(trace: LapTrace, circuit: Circuit) -> dict[int, float]:
    """Time that each corner's stretch of road took, by corner number."""
    ordered = sort_by_time(trace)
    return {
        number: float(np.diff(time_at_distance_s(ordered, edges))[0])
        for number, edges in corner_stretches_m(circuit).items()
    }


def explain_events(
    events: Sequence[DptadEvent],
    trace: LapTrace,
    circuit: Circuit | None,
    references: Sequence[LapTrace] = (),
    reference_name: str = "your own best lap",
) -> tuple[DptadInsight, ...]:
    """Up to five sentences, one for each corner that has events; then for events elsewhere.

    The cost of a corner is measured, not modelled: what its stretch of road took beyond the median of the references.
    It is what was lost there, by whatever cause; where several things went wrong they share it.

    Args:
        events: Events of the lap.
        trace: The lap.
        circuit: ``None`` puts all events down to places by distance, without a cost.
        references: Laps to compare with on the same circuit; none leaves the cost out.
        reference_name: What the sentence calls them.
    """
    costs = _costs(trace, circuit, references)
    groups: dict[str | None, list[DptadEvent]] = {}
    for event in events:
        groups.setdefault(event.corner, []).append(event)
    out = [
        DptadInsight(
            f"{label}: {_count_kinds(group)}{_describe_loss(costs.get(label), reference_name)}", label, costs.get(label)
        )
        for label, group in groups.items()
        if label is not None
    ]
    out += [
        DptadInsight(f"At {event.lap_distance_m:.0f} m: {_count_kinds([event])}", None, None)
        for event in groups.get(None, [])
    ]
    weight = {label: max(e.magnitude / e.threshold for e in group) for label, group in groups.items()}
    return tuple(sorted(out, key=lambda one: (-(one.cost_s or 0.0), -weight[one.corner], one.text))[:MOST])


def _costs(trace: LapTrace, circuit: Circuit | None, references: Sequence[LapTrace]) -> dict[str, float]:
    if circuit is None or not references:
        return {}
    taken = corner_times_s(trace, circuit)
    theirs = [corner_times_s(one, circuit) for one in references]
    usual = {number: float(np.median([times[number] for times in theirs])) for number in taken}
    return {corner.label: taken[corner.number] - usual[corner.number] for corner in circuit.corners}


def _describe_loss(cost_s: float | None, reference_name: str) -> str:
    if cost_s is None:
        return ""
    if cost_s < WORTH_NAMING_S:
        return f", without losing time to {reference_name}"
    return f", about {cost_s:.2f} s lost against {reference_name}"


def _count_kinds(events: Sequence[DptadEvent]) -> str:
    """How many of each kind, and in which part of the lap, if they are all in one."""
    counts = Counter[str]()
    for event in events:
        counts[event.rule] += event.occurrences
    kinds = [
        f"{_corner_number(counts[rule.name])} {rule.one if counts[rule.name] == 1 else rule.many}"
        for rule in RULES
        if rule.name in counts
    ]
    text = kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} and {kinds[-1]}"
    phases = {event.lap_phase for event in events}
    only = phases.pop() if len(phases) == 1 else None
    if only is None or all(RULE_OF[event.rule].event_type == "poor_corner_exit" for event in events):
        return text
    return f"{text} {_WHERE[only]}"


def _corner_number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)
