"""``gold.corner_passes``: how each lap passes each corner of its circuit."""

from __future__ import annotations

from typing import Any

from analysis.comparison.corner_passes import corner_pass_rows, unmeasured_rows
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.reasons import Refusal


def lap_passes(trace: LapTrace | Refusal, circuit: Circuit | None) -> list[dict[str, Any]]:
    """Rows of one lap, less its key; none where it is not known where it was driven.

    Args:
        trace: The lap, or why there is none of it.
        circuit: Where it was driven.
    """
    if circuit is None:
        return []
    return unmeasured_rows(trace, circuit) if isinstance(trace, Refusal) else corner_pass_rows(trace, circuit)
