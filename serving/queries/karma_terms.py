"""Names of factors and inputs in a mechanic's terms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from conf.karma import load_karma_rules
from serving.queries.karma import KarmaScore

# What a car has to send for the inputs of ``conf/karma.yaml``.
_SIGNALS: Final = {
    "motion": "accelerations at a sufficient rate",
    "engine": "engine speed and throttle",
    "gears": "gears",
    "brakes": "brake pressures",
    "torque": "engine torque",
    "heat": "temperatures",
}


def factor_words(name: str) -> str:
    """A factor as words, e.g. ``brake heat``; of an input the factor that it belongs to."""
    own = (factor for factor, rule in load_karma_rules().factors.items() if name in rule.inputs)
    return next(own, name).replace("_", " ")


def missing_signals(inputs: Iterable[str]) -> list[str]:
    """What a car does not send, each once, for inputs that have no value."""
    group_of = {name: group for group, names in load_karma_rules().inputs.items() for name in names}
    groups = dict.fromkeys(group_of.get(name, name) for name in inputs)
    return [_SIGNALS.get(group, group.replace("_", " ")) for group in groups]


def format_share(value: float) -> str:
    """A share as a percentage to two digits, e.g. ``0.041 %``, ``3.2 %``, ``41 %``."""
    percent = 100.0 * value
    if percent >= 9.95:
        return f"{percent:.0f} %"
    exponent = int(f"{percent:.1e}".partition("e")[2])
    return f"{percent:.{max(0, 1 - exponent)}f} %"


def remaining_words(score: KarmaScore) -> str:
    """Laps that remain with their interval, e.g. ``61 (48 to 83)``."""
    if score.remaining_laps is None:
        return ""
    if score.remaining_low is None or score.remaining_high is None:
        return f"{score.remaining_laps:,.0f}"
    return f"{score.remaining_laps:,.0f} ({score.remaining_low:,.0f} to {score.remaining_high:,.0f})"
