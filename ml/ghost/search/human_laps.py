"""What drivers did on one grid of distance: speed, pedals and steering of their laps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import resample_by_distance, sample_on_grid
from analysis.segmentation.stretches import TrackStretch
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.errors import InputError

CHANNELS: Final = ("speed_mps", "throttle_pct", "brake_front_bar", "steering_deg")
STEPS: Final = 32


@dataclass(frozen=True)
class HumanLaps:
    """Laps line to line on one grid, on the circuit's scale.

    Attributes:
        step_m: Grid step.
        values: Of ``CHANNELS``, shape (laps, n + 1, 4); the last point is the line again.
        official_s: Lap times by the timing, shape (laps,).
        used: Index of each lap among those given.
        notes: Why a lap was left out, one sentence each.
    """

    step_m: float
    values: FloatArray
    official_s: FloatArray
    used: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def at_m(self) -> FloatArray:
        """Distance of the points of the grid, shape (n + 1,)."""
        return np.arange(self.values.shape[1], dtype=np.float64) * self.step_m

    @property
    def speed_mps(self) -> FloatArray:
        """Shape (laps, n + 1)."""
        return self.values[:, :, 0]

    def speeds_at(self, at_m: float) -> FloatArray:
        """Speed of each lap at a place, m/s, shape (laps,)."""
        return np.array([np.interp(at_m, self.at_m, speed) for speed in self.speed_mps])

    def passages(self, stretch: TrackStretch) -> FloatArray:
        """Each lap over a stretch at ``STEPS`` even distances, shape (laps, STEPS, 4)."""
        place = np.linspace(stretch.start_m, stretch.end_m, STEPS) / self.step_m
        k = np.minimum(place.astype(np.intp), self.values.shape[1] - 2)
        share = (place - k)[:, None]
        return np.asarray(self.values[:, k] * (1.0 - share) + self.values[:, k + 1] * share)


def build_human_laps(traces: Sequence[LapTrace], circuit: Circuit) -> HumanLaps:
    """Put laps on the circuit's grid; a lap without one of the channels is left out, and the notes say so.

    Raises:
        InputError: If no lap has all channels.
    """
    found: list[FloatArray] = []
    used: list[int] = []
    notes: list[str] = []
    step_m = circuit.length_m
    for k, trace in enumerate(traces):
        try:
            lap = resample_by_distance(trace, circuit)
            rest = [sample_on_grid(trace, circuit, name) for name in (trace.throttle_channel, *CHANNELS[2:])]
        except InputError as error:
            notes.append(f"lap {k} of {trace.lap_time_s:.3f} s is left out: {error}")
            continue
        step_m = lap.step_m
        found.append(np.stack([lap.speed_mps, *rest], axis=1))
        used.append(k)
    if not found:
        raise InputError(f"no lap has speed, throttle, brake pressure and steering: {'; '.join(notes) or 'none given'}")
    return HumanLaps(step_m, np.array(found), np.array([traces[k].lap_time_s for k in used]), tuple(used), tuple(notes))
