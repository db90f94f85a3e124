"""Two laps of one circuit side by side over distance.

Laps are aligned by where the cars are: both are projected on one line, so that a detour or a wide line takes time but
does not shift the rest of the lap. Where one of them has no positions, both are aligned by distance scaled to the lap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.laps.distance import measure_by_position, time_at_distance_s
from analysis.laps.resample import interpolate_samples
from analysis.laps.trace import THROTTLE, LapTrace
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.reasons import RefusalError

AlignedBy = Literal["position", "distance"]

STEP_M: Final = 5.0
COMPARED: Final = ("speed_kmh", "throttle_pct", "brake_front_bar", "steering_deg")


@dataclass(frozen=True)
class AlignedLaps:
    """Two laps on one scale of distance.

    Attributes:
        lap: The lap.
        reference: What it is compared with.
        length_m: Length of both.
        aligned_by: What the scale follows.
    """

    lap: LapTrace
    reference: LapTrace
    length_m: float
    aligned_by: AlignedBy

    def delta_s(self, distance_m: ArrayLike) -> FloatArray:
        """Time lost on the reference up to given distances; at the end exactly the difference of the lap times."""
        where = np.asarray(distance_m, dtype=np.float64) / self.length_m
        return time_at_distance_s(self.lap, where * self.lap.end_m) - time_at_distance_s(
            self.reference, where * self.reference.end_m
        )

    def read(self, trace: LapTrace, distance_m: FloatArray) -> dict[str, FloatArray]:
        """The compared channels of one of the two laps at given distances, NaN where it has none."""
        at_s = time_at_distance_s(trace, distance_m / self.length_m * trace.end_m)
        names = {name: name for name in COMPARED} | {"throttle_pct": self.throttle_channel}
        none = np.full(len(trace.t_s), np.nan)
        return {to: interpolate_samples(trace.t_s, trace.channels.get(name, none), at_s) for to, name in names.items()}

    @property
    def throttle_channel(self) -> str:
        """The throttle channel that both laps have: a pedal is not to be compared with a blade."""
        both = [n for n in THROTTLE if all(trace.has(n) for trace in (self.lap, self.reference))]
        return both[0] if both else THROTTLE[0]


@dataclass(frozen=True)
class LapComparison:
    """A lap against a reference on a grid of distance; arrays of shape (n,).

    Attributes:
        distance_m: Distance from the line; the last point is the line again.
        delta_s: Time lost so far, positive where the lap is slower than the reference.
        lap: Channel name (``speed_kmh``, ``throttle_pct``, ``brake_front_bar``, ``steering_deg``) to the lap's values.
        reference: The same of the reference.
        difference: Lap less reference.
        aligned_by: Position on the track, or distance scaled to the lap.
    """

    distance_m: FloatArray
    delta_s: FloatArray
    lap: Mapping[str, FloatArray]
    reference: Mapping[str, FloatArray]
    difference: Mapping[str, FloatArray]
    aligned_by: AlignedBy


def compare_laps(
    lap: LapTrace, reference: LapTrace, circuit: Circuit | None = None, step_m: float = STEP_M
) -> LapComparison:
    """Compare any two laps of one circuit.

    Args:
        lap: The lap.
        reference: What it is compared with.
        circuit: Line on which both are projected. Without it the reference's own line is used.
        step_m: Grid step; the last step is what is left of the lap.
    """
    aligned = align_laps(lap, reference, circuit)
    grid = np.append(np.arange(0.0, aligned.length_m - 1e-6, step_m), aligned.length_m)
    ours, theirs = (aligned.read(trace, grid) for trace in (aligned.lap, aligned.reference))
    difference = {name: ours[name] - theirs[name] for name in COMPARED}
    return LapComparison(grid, aligned.delta_s(grid), ours, theirs, difference, aligned.aligned_by)


def align_laps(lap: LapTrace, reference: LapTrace, circuit: Circuit | None = None) -> AlignedLaps:
    """Bring two laps to one scale of distance, by position where both have positions on the circuit."""
    line = circuit or _reference_line(lap, reference)
    if line is not None:
        try:
            return AlignedLaps(
                measure_by_position(lap, line), measure_by_position(reference, line), line.length_m, "position"
            )
        except RefusalError:
            pass  # one of them has no positions on the circuit: both are taken by distance
    return AlignedLaps(lap, reference, circuit.length_m if circuit else reference.end_m, "distance")


def _reference_line(lap: LapTrace, reference: LapTrace) -> Circuit | None:
    """The reference's line, where both laps have positions."""
    for pair in (("lat_deg", "lon_deg"), ("x_m", "y_m")):
        if all(trace.has(name) for name in pair for trace in (lap, reference)):
            return build_from_positions([reference], "reference").circuit
    return None
