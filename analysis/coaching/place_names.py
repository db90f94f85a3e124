"""Names of the sections of a lap, from the numbers and names of the corners around them."""

from __future__ import annotations

from analysis.coaching.insights import CoachingPlace
from analysis.tracks.circuit import Circuit


def section_name(place: CoachingPlace, circuit: Circuit) -> str:
    """``T5`` or ``T5 Hairpin`` for a corner, ``T5-T6`` for several, ``T5 to T6`` for what lies between two.

    A straight that begins or ends at the line says so; on a circuit without corners a place is its metres.
    """
    if not circuit.corners:
        return f"{place.start_m:,.0f} m"
    if place.kind != "Straight":
        inside = [c for c in circuit.corners if place.start_m <= c.apex_m < place.end_m]
        if not inside:
            after = [c for c in circuit.corners if c.apex_m >= place.end_m] or list(circuit.corners)
            inside = after[:1]
        if len(inside) == 1:
            return inside[0].label
        return f"T{inside[0].number}-T{inside[-1].number}"
    return f"{_before(place, circuit)} to {_after(place, circuit)}"


def _before(place: CoachingPlace, circuit: Circuit) -> str:
    passed = [c.number for c in circuit.corners if c.apex_m < place.start_m]
    return f"T{passed[-1]}" if passed else "line"


def _after(place: CoachingPlace, circuit: Circuit) -> str:
    ahead = [c.number for c in circuit.corners if c.apex_m >= place.end_m]
    return f"T{ahead[0]}" if ahead else "line"
