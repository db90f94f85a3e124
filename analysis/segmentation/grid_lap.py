"""Laps on one even grid of distance, and the best zones of several laps combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.laps.distance import driven_length_m, time_at_distance_s
from analysis.laps.resample import interpolate_samples
from analysis.laps.trace import LapTrace
from analysis.segmentation.zones import Zone
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.errors import InputError
from conf.units import KMH_PER_MPS
from physics.integrate import elapsed_s

STEP_M = 1.0
_LEAST_MPS = 1.0


@dataclass(frozen=True)
class GridLap:
    """Speed of one lap, line to line.

    Attributes:
        step_m: Grid step.
        speed_mps: On the circuit's scale, shape (n + 1,); the last point is the line again.
        official_s: Lap time by the timing.
    """

    step_m: float
    speed_mps: FloatArray
    official_s: float

    @property
    def time_s(self) -> FloatArray:
        """Time since the line, shape (n + 1,)."""
        return elapsed_s(self.speed_mps, self.step_m)

    @property
    def lap_time_s(self) -> float:
        """Lap time by the integrator."""
        return float(self.time_s[-1])

    def between_s(self, start_m: float, end_m: float) -> float:
        """Time from one place to another."""
        at = np.arange(len(self.speed_mps)) * self.step_m
        start, end = np.interp([start_m, end_m], at, self.time_s)
        return float(end - start)


def resample_by_distance(trace: LapTrace, circuit: Circuit, step_m: float = STEP_M) -> GridLap:
    """Put a lap's speed on the grid.

    The speed is brought to the circuit's scale by the ratio of its length to the lap's by its own speed: wheels and
    positions differ by a percent. What the integrator then makes of it is not bent towards the official time.

    Args:
        trace: The lap on the circuit's scale.
        circuit: The circuit.
        step_m: Longest grid step.
    """
    speed = sample_on_grid(trace, circuit, "speed_kmh", step_m) / KMH_PER_MPS
    scale = circuit.length_m / driven_length_m(trace)
    return GridLap(circuit.length_m / (len(speed) - 1), np.maximum(speed * scale, _LEAST_MPS), trace.lap_time_s)


def sample_on_grid(trace: LapTrace, circuit: Circuit, channel: str, step_m: float = STEP_M) -> FloatArray:
    """A channel at the points of the grid, gaps bridged, shape (n + 1,).

    Raises:
        InputError: If the lap does not have the channel.
    """
    if not trace.has(channel):
        raise InputError(f"the lap has no {channel}: choose a lap that does")
    n = int(np.ceil(circuit.length_m / step_m))
    at_s = time_at_distance_s(trace, np.linspace(0.0, trace.end_m, n + 1))
    read = interpolate_samples(trace.t_s, trace.channels[channel], at_s)
    known = np.isfinite(read)
    return np.interp(np.arange(n + 1), np.flatnonzero(known), read[known])


def stitch_best_zones(laps: Sequence[GridLap], zones: Sequence[Zone]) -> tuple[float, tuple[int, ...]]:
    """The best of several laps in each zone, added up, and which lap it was in each.

    Not a lap that could be driven: each zone is entered at the speed of its own lap.

    Args:
        laps: Laps on one grid.
        zones: They cover the lap; none shorter than some hundred metres.
    """
    times = np.array([[lap.between_s(zone.start_m, zone.end_m) for zone in zones] for lap in laps])
    best = times.argmin(axis=0)
    return float(times.min(axis=0).sum()), tuple(int(k) for k in best)
