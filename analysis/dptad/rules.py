"""Names, units and bounds of the incident rules (BX9); each channel's module says how its incidents are found.

A rule yields candidates with a magnitude. A candidate is an event when its magnitude reaches the rule's limit, which is
a quantile of the candidates of a set of laps, kept within bounds: below ``low`` a candidate is the noise of a sensor or
of a road, and at ``high`` it is an incident however common it may be among those laps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Category = Literal["brake", "throttle", "steering", "speed"]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
EventType = Literal[
    "brake_spike",
    "inconsistent_brake",
    "throttle_drop",
    "traction_control",
    "steering_correction",
    "oversteer",
    "understeer",
    "speed_scrub",
    "poor_corner_exit",
]


@dataclass(frozen=True, slots=True)
class DptadRule:
    """One type of incident.

    Attributes:
        name: Name of the rule, and of its limit in :class:`~analysis.dptad.thresholds.Thresholds`.
        event_type: What its events are called.
        category: Score that they count for.
        unit: Unit of magnitude and limit.
        quantile: Share of the candidates of a calibration set that stay below the limit.
        low: Least limit.
        high: Greatest limit.
        default: Limit where nothing is calibrated.
        needs: Columns of the lap without which it cannot judge.
        says: Start of an event's message.
        one: What an insight calls one of them.
        many: What it calls several.
    """

    name: str
    event_type: EventType
    category: Category
    unit: str
    quantile: float
    low: float
    high: float
    default: float
    needs: tuple[str, ...]
    says: str
    one: str
    many: str


@dataclass(frozen=True, slots=True)
class EventCandidate:
    """A possible incident found by a rule.

    Attributes:
        rule: Name of the rule.
        index: Grid point of the instant.
        magnitude: How strong it is, in the rule's unit.
        note: What the message adds to the numbers.
        count: How many of its kind it stands for.
        corner: Number of the corner it belongs to, where the rule knows it.
    """

    rule: str
    index: int
    magnitude: float
    note: str = ""
    count: int = 1
    corner: int | None = None


# Where two rules see one incident, the earlier in this list names it.
# fmt: off
RULES: Final = (
    DptadRule(
        "brake_bite", "brake_spike", "brake", "bar/s",
        quantile=0.99, low=300.0, high=900.0, default=750.0,
        needs=("brake_bar",),
        says="Brake applied harder than is usual here",
        one="harsh first brake application",
        many="harsh first brake applications",
    ),
    DptadRule(
        "brake_stab", "brake_spike", "brake", "bar/s",
        quantile=0.95, low=120.0, high=300.0, default=300.0,
        needs=("brake_bar",),
        says="Sharp second stab at the brake",
        one="second stab at the brake",
        many="second stabs at the brake",
    ),
    DptadRule(
        "brake_reapply", "inconsistent_brake", "brake", "bar",
        quantile=0.95, low=8.0, high=25.0, default=20.0,
        needs=("brake_bar",),
        says="Brake released and applied again",
        one="brake re-application",
        many="brake re-applications",
    ),
    DptadRule(
        "traction_loss", "traction_control", "throttle", "g",
        quantile=0.95, low=0.12, high=0.30, default=0.20,
        needs=("throttle_pct", "long_g", "gear", "rpm", "speed_kmh"),
        says="Drive fell away at full, steady throttle: the wheels spun or traction control cut in",
        one="loss of drive at full throttle",
        many="losses of drive at full throttle",
    ),
    DptadRule(
        "throttle_lift", "throttle_drop", "throttle", "%",
        quantile=0.95, low=15.0, high=40.0, default=30.0,
        needs=("throttle_pct", "brake_bar", "lat_g"),
        says="Sudden lift with neither braking nor a bend to follow",
        one="sudden lift",
        many="sudden lifts",
    ),
    DptadRule(
        "oversteer", "oversteer", "steering", "deg",
        quantile=0.95, low=20.0, high=90.0, default=45.0,
        needs=("steering_deg", "lat_g", "speed_kmh"),
        says="Oversteer: steering held against the slide while the car went on turning",
        one="oversteer moment",
        many="oversteer moments",
    ),
    DptadRule(
        "understeer", "understeer", "steering", "deg",
        quantile=0.95, low=15.0, high=60.0, default=30.0,
        needs=("steering_deg", "lat_g", "speed_kmh"),
        says="Understeer: more steering and yet less cornering",
        one="understeer moment",
        many="understeer moments",
    ),
    DptadRule(
        "steering_jab", "steering_correction", "steering", "deg",
        quantile=0.95, low=15.0, high=90.0, default=55.0,
        needs=("steering_deg",),
        says="Quick steering correction",
        one="steering correction",
        many="steering corrections",
    ),
    DptadRule(
        "speed_scrub", "speed_scrub", "speed", "km/h",
        quantile=0.95, low=4.0, high=20.0, default=12.0,
        needs=("speed_kmh", "throttle_pct", "brake_bar", "lat_g"),
        says="Speed scrubbed off in the turn on neither pedal",
        one="stretch of coasting that scrubbed off speed",
        many="stretches of coasting that scrubbed off speed",
    ),
    DptadRule(
        "corner_exit", "poor_corner_exit", "speed", "km/h",
        quantile=0.95, low=3.0, high=15.0, default=8.0,
        needs=("speed_kmh",),
        says="Slow out of the corner",
        one="slow exit",
        many="slow exits",
    ),
)
# fmt: on
RULE_OF: Final = {rule.name: rule for rule in RULES}
