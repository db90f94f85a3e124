"""Which rules and scores a lap cannot give, and why: unavailable is not zero."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from analysis.dptad.even_lap import CHANNEL_OF, DptadLap
from analysis.dptad.handling import HandlingBalance
from analysis.dptad.rules import RULES
from analysis.dptad.thresholds import Thresholds
from analysis.tracks.circuit import Circuit
from conf.reasons import ReasonCode, Refusal

LEAST_COVERAGE: Final = 0.5


def missing_channel_reason(lap: DptadLap, columns: Iterable[str]) -> Refusal | None:
    """The first channel that covers less than half of the lap; ``None`` where all cover more."""
    for column in columns:
        coverage = float(np.mean(np.isfinite(getattr(lap, column))))
        if coverage == 0.0:
            return Refusal.of(ReasonCode.CHANNEL_MISSING, channel=CHANNEL_OF[column])
        if coverage < LEAST_COVERAGE:
            return Refusal.of(ReasonCode.CHANNEL_SPARSE, channel=CHANNEL_OF[column], coverage=coverage)
    return None


def unavailable_rules(
    lap: DptadLap, handling: HandlingBalance, circuit: Circuit | None, thresholds: Thresholds
) -> dict[str, Refusal]:
    """List the rules that cannot be applied to this lap, with the reason."""
    out = {rule.name: lack for rule in RULES if (lack := missing_channel_reason(lap, rule.needs)) is not None}
    if not np.isfinite(handling.excess_deg).any():
        for name in ("oversteer", "understeer"):
            out.setdefault(name, Refusal.of(ReasonCode.TURNS_TOO_LITTLE))
    if circuit is None:
        out.setdefault("corner_exit", Refusal.of(ReasonCode.NO_CIRCUIT))
    elif not thresholds.exits:
        out.setdefault("corner_exit", Refusal.of(ReasonCode.NO_REFERENCE_EXITS))
    return out
