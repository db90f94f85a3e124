"""What a good lap takes from corner to corner on a track: the reference of the insights' costs, frozen with thresholds.

A driver's own best lap would be the better reference and is none here: it changes while a session goes on, and each
change would change what was said of laps long judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from analysis.dptad.insights import corner_times_s
from analysis.dptad.phases import corner_stretches_m
from analysis.dptad.speed import REFERENCE_QUANTILE
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit

REFERENCE_NAME: Final = "a good lap here"
_LEAD_IN_MPS: Final = 30.0  # speed up to the first stretch: needed to draw the lap, part of no stretch


def reference_times_s(laps: Sequence[LapTrace], circuit: Circuit) -> dict[int, float]:
    """Time that each corner's stretch of road takes on a good lap, by corner number: near the best of the laps.

    Each stretch by itself, as are the reference exits: no single lap need be good everywhere.

    Args:
        laps: Laps on the circuit's scale of distance.
        circuit: Where they were driven.
    """
    taken = [corner_times_s(lap, circuit) for lap in laps]
    numbers = corner_stretches_m(circuit) if taken else ()
    return {n: float(np.quantile([times[n] for times in taken], 1.0 - REFERENCE_QUANTILE)) for n in numbers}


def build_reference_lap(circuit: Circuit, times_s: Mapping[int, float]) -> LapTrace | None:
    """A lap that takes these times on the corners' stretches; ``None`` where they are not this circuit's corners."""
    stretches = corner_stretches_m(circuit)
    if not stretches or stretches.keys() != times_s.keys():
        return None
    knots_m = [start for start, _ in stretches.values()]
    lead_in_s = knots_m[0] / _LEAD_IN_MPS
    at_s = lead_in_s + np.concatenate([[0.0], np.cumsum([times_s[n] for n in stretches])])
    return LapTrace(at_s[:-1], np.array(knots_m), {}, float(at_s[-1]), circuit.length_m)
