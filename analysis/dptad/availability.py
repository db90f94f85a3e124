"""What a lap cannot tell, and why: unavailable is not zero."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from analysis.dptad.even_lap import CHANNEL_OF, DptadLap
from analysis.dptad.handling import HandlingBalance
from analysis.dptad.rules import RULES
from analysis.dptad.thresholds import Thresholds
from analysis.tracks.circuit import Circuit

LEAST_COVERAGE: Final = 0.5


def lacking(lap: DptadLap, columns: Iterable[str]) -> str | None:
    """The first channel that covers less than half of the lap, in words; ``None`` where all cover more."""
    for column in columns:
        coverage = float(np.mean(np.isfinite(getattr(lap, column))))
        if coverage == 0.0:
            return f"{CHANNEL_OF[column]} is missing"
        if coverage < LEAST_COVERAGE:
            return f"{CHANNEL_OF[column]} covers {coverage:.0%} of the lap, less than half"
    return None


def unjudged(
    lap: DptadLap, handling: HandlingBalance, circuit: Circuit | None, thresholds: Thresholds
) -> dict[str, str]:
    """Rules that cannot judge this lap, with the reason."""
    out = {rule.name: lack for rule in RULES if (lack := lacking(lap, rule.needs)) is not None}
    if not np.isfinite(handling.excess_deg).any():
        for name in ("oversteer", "understeer"):
            out.setdefault(name, "the lap does not turn for long enough to tell how the car handles")
    if circuit is None:
        out.setdefault("corner_exit", "no circuit is given")
    elif not thresholds.exits:
        out.setdefault("corner_exit", "the thresholds have no reference exits; calibrate with the circuit")
    return out
