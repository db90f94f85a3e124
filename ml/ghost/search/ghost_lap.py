"""A ghost lap: a chained lap on the grid, smoothed, and integrated over time (seed items G16 and G17).

Its lap time is a result: one integrator turns its speed over distance into time, the same as for human laps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from analysis.laps.resample import RATE_HZ
from analysis.segmentation.grid_lap import STEP_M
from analysis.segmentation.segmentation import microsector_index
from analysis.segmentation.zones import Microsector
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray, IntArray
from conf.ghost import GhostRules
from conf.units import GRAVITY_MPS2, KMH_PER_MPS
from ml.ghost.search.chain import STEPS, ChainedLap
from ml.ghost.search.limits import CarLimits, LapAccelerations, flying_accelerations
from ml.ghost.search.smoothing import junction_jumps_kmh, separate_pedals, smooth_lap
from physics.integrate import elapsed_s


@dataclass(frozen=True)
class GhostLap:
    """A ghost lap from the line to the line, on the circuit's scale; not necessarily one that can be driven.

    Attributes:
        step_m: Grid step.
        values: Speed (m/s), throttle (%), front brake pressure (bar) and steering (deg), shape (n + 1, 4).
        junctions_m: Where stretches meet.
        junction_gaps_kmh: Jump of speed at each: the larger of that in the chain and of what smoothing left or made.
        limits: What the car can do.
        candidates: How many stretches were drawn for it.
    """

    step_m: float
    values: FloatArray
    junctions_m: FloatArray
    junction_gaps_kmh: FloatArray
    limits: CarLimits
    candidates: int = 0

    @property
    def at_m(self) -> FloatArray:
        """Distance from the line, shape (n + 1,)."""
        return np.arange(len(self.values), dtype=np.float64) * self.step_m

    @property
    def speed_mps(self) -> FloatArray:
        """Shape (n + 1,)."""
        return np.asarray(self.values[:, 0])

    @cached_property
    def time_s(self) -> FloatArray:
        """Time since the line, shape (n + 1,)."""
        return elapsed_s(self.speed_mps, self.step_m)

    @property
    def lap_time_s(self) -> float:
        """Lap time."""
        return float(self.time_s[-1])

    @cached_property
    def moves(self) -> LapAccelerations:
        """Accelerations, each shape (1, n + 1)."""
        return flying_accelerations(self.limits, self.at_m, self.speed_mps[None])

    @property
    def car_kmh(self) -> FloatArray:
        """Speed as the car's own sensor would show it; engine speeds go by that."""
        return self.speed_mps * self.limits.scale * KMH_PER_MPS

    @cached_property
    def gear(self) -> IntArray | None:
        """Shape (n + 1,); ``None`` where the laps that it was learnt from have no gear or engine speed."""
        box = self.limits.gearbox
        return None if box is None else box.gear(self.car_kmh)

    def samples(self, circuit: Circuit, pieces: Sequence[Microsector], rate_hz: int = RATE_HZ) -> dict[str, Any]:
        """The lap at even times, as the columns of ``gold.ghost_laps``.

        Args:
            circuit: The circuit.
            pieces: Micro-sectors of the lap.
            rate_hz: Samples a second.

        Returns:
            Column name to array of shape (samples,); ``gear`` and ``rpm`` are ``None`` where nothing is known of them.
        """
        t = np.arange(int(np.floor(self.lap_time_s * rate_hz + 1e-9)) + 1) / rate_hz
        at = np.interp(t, self.time_s, self.at_m)
        along, speed = (
            np.interp(at, self.at_m, x[0]) for x in (self.moves.slopes.along_mps2, self.moves.slopes.speed_mps)
        )
        values = np.stack([np.interp(at, self.at_m, column) for column in self.values.T])
        piece = microsector_index(pieces, at)
        line = circuit.line
        return {
            "sample_idx": np.arange(len(t), dtype=np.int32),
            "t_s": t,
            "lap_distance_m": at,
            "speed_kmh": values[0] * KMH_PER_MPS,
            "throttle_pct": values[1],
            "brake_front_bar": values[2],
            "brake_pct": np.minimum(values[2] / max(self.limits.hardest_bar, 1e-9), 1.0) * 100.0,
            "steering_deg": values[3],
            **self._engine(at, values[0]),
            "accel_long_g": along / GRAVITY_MPS2,
            "accel_lat_g": self.limits.across_mps2(at, speed) / GRAVITY_MPS2,
            "x_m": np.interp(at, line.s_m, line.x_m, period=line.length_m),
            "y_m": np.interp(at, line.s_m, line.y_m, period=line.length_m),
            "microsector_id": np.array([p.number for p in pieces], dtype=np.int32)[piece],
            "zone_type": np.array([p.kind for p in pieces])[piece],
            "sector_id": (1 + np.searchsorted(circuit.sector_ends_m, at, side="right")).astype(np.int32),
        }

    def _engine(self, at_m: FloatArray, speed_mps: FloatArray) -> dict[str, Any]:
        box = self.limits.gearbox
        if box is None or self.gear is None:
            return {"gear": None, "rpm": None}
        gear = self.gear[np.minimum((at_m / self.step_m).astype(np.intp), len(self.gear) - 1)]
        return {"gear": gear.astype(np.int32), "rpm": box.rpm(speed_mps * self.limits.scale * KMH_PER_MPS, gear)}


def assemble_ghost(
    chain: ChainedLap, limits: CarLimits, rules: GhostRules, step_m: float = STEP_M, *, is_smoothed: bool = True
) -> GhostLap:
    """Put a chain on the grid and smooth it; the gaps where stretches meet are measured again afterwards (GX4).

    Args:
        chain: The chain.
        limits: What the car can do.
        rules: The filter.
        step_m: Longest grid step.
        is_smoothed: Whether to smooth it; without, to see what that buys.
    """
    n = int(np.ceil(limits.length_m / step_m))
    step = limits.length_m / n
    raw = resample_chain(chain, n, step)
    together = limits.both_pedals(raw[:, 1], raw[:, 2])
    smoothed = smooth_lap(raw, step, rules.smoothing) if is_smoothed else raw
    values = separate_pedals(smoothed, together, step, rules.smoothing, limits.rules)
    junctions = np.array([stretch.end_m for stretch in chain.stretches])
    inside = junctions[:-1]
    left = np.append(junction_jumps_kmh(values[:, 0], step, inside.tolist()), 0.0)
    return GhostLap(step, values, junctions, np.maximum(chain.junction_gaps_kmh, left), limits, chain.candidates)


def resample_chain(chain: ChainedLap, n: int, step_m: float) -> FloatArray:
    """The chain on an even grid, ``v^2`` linear between its points as for the integrator, shape (n + 1, 4)."""
    at = np.concatenate([np.linspace(s.start_m, s.end_m, STEPS) for s in chain.stretches])
    values = chain.pieces.reshape(len(at), -1)
    grid = np.arange(n + 1) * step_m
    found = np.stack([np.interp(grid, at, column) for column in values.T], axis=1)
    found[:, 0] = np.sqrt(np.interp(grid, at, values[:, 0] ** 2))
    return found
