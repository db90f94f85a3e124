"""Channels of one lap in each micro-sector, on even steps of distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.laps.distance import distance_at_time_m, time_at_distance_s
from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import resample_by_distance, sample_on_grid
from analysis.segmentation.zones import Microsector
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray
from conf.errors import InputError
from conf.units import KMH_PER_MPS

STEPS = 5
NEEDED = ("speed_kmh", "throttle_pct", "brake_front_bar", "steering_deg")
NORMALISED = ("speed_n", "throttle_n", "brake_n", "steering_n")  # what they are called once a scaler has seen them
EXTRA = ("rpm", "gear", "accel_long_g", "accel_lat_g")
MOST_ERROR_S = 0.1  # between the integrator and the timing: more, and distance and speed contradict each other
MOST_WANDER_S = 0.4  # the same on the way; the laps of three tracks stay below 0.24, a jump of 15 m makes 0.46


MOST_BLIND_S = 0.5


class LapSegmentError(InputError):
    """A lap cannot be split into micro-sectors; the message says why."""


@dataclass(frozen=True)
class LapSegments:
    """One lap by micro-sector; arrays of shape (pieces, STEPS).

    Attributes:
        distance_m: Distance from the line.
        t_s: Time since the line, by the integrator.
        channels: ``NEEDED`` and ``EXTRA``; NaN where the lap has none.
        is_seen: Whether nothing of a piece lies where speed is missing for long, shape (pieces,).
        lap_time_s: Lap time by the integrator.
        official_s: Lap time by the timing.
    """

    distance_m: FloatArray
    t_s: FloatArray
    channels: dict[str, FloatArray]
    is_seen: BoolArray
    lap_time_s: float
    official_s: float


def split_lap(trace: LapTrace, circuit: Circuit, pieces: Sequence[Microsector]) -> LapSegments:
    """Put a lap's channels on the steps of micro-sectors.

    Speed is brought to the circuit's scale as everywhere (see
    :func:`~analysis.segmentation.grid_lap.resample_by_distance`), and time follows from it and the distance.

    Raises:
        PiecesError: If the lap lacks a channel, or its time does not follow from its speed.
    """
    try:
        lap = resample_by_distance(trace, circuit)
        read = {name: sample_on_grid(trace, circuit, name) for name in ("brake_front_bar", "steering_deg")}
        read["throttle_pct"] = sample_on_grid(trace, circuit, trace.throttle_channel)
    except InputError as error:
        raise LapSegmentError(str(error)) from error
    grid = np.linspace(0.0, circuit.length_m, len(lap.speed_mps))
    _require_consistent_distance(lap.time_s - time_at_distance_s(trace, grid / grid[-1] * trace.end_m), grid)
    if abs(lap.lap_time_s - lap.official_s) > MOST_ERROR_S:
        raise LapSegmentError(
            f"by its speed over distance the lap takes {lap.lap_time_s:.3f} s, by the timing {lap.official_s:.3f} s: "
            "its places jump, or its speed has a hole"
        )
    at = np.array([np.linspace(piece.start_m, piece.end_m, STEPS) for piece in pieces])
    read["speed_kmh"] = lap.speed_mps * KMH_PER_MPS
    channels = {name: np.interp(at, grid, values) for name, values in read.items()}
    channels |= {name: _optional_channel(trace, circuit, name, at, grid) for name in EXTRA}
    seen = _covered_segments(trace, circuit, pieces)
    return LapSegments(at, np.interp(at, grid, lap.time_s), channels, seen, lap.lap_time_s, lap.official_s)


def _covered_segments(trace: LapTrace, circuit: Circuit, pieces: Sequence[Microsector]) -> BoolArray:
    """Which pieces touch no stretch on which speed is missing for longer than ``MOST_BLIND_S``."""
    known = np.isfinite(trace.channels["speed_kmh"])
    t = np.concatenate([[0.0], trace.t_s[known], [trace.lap_time_s]])
    blind = np.flatnonzero(np.diff(t) > MOST_BLIND_S)
    scale = circuit.length_m / trace.end_m
    starts, ends = distance_at_time_m(trace, t[blind]) * scale, distance_at_time_m(trace, t[blind + 1]) * scale
    return np.array([not ((piece.start_m < ends) & (piece.end_m > starts)).any() for piece in pieces])


def _require_consistent_distance(ahead_s: FloatArray, grid_m: FloatArray) -> None:
    """Places must follow from the speed on the way as well: a jump there and back leaves the lap time as it was."""
    worst = int(np.argmax(np.abs(ahead_s)))
    if abs(ahead_s[worst]) > MOST_WANDER_S:
        raise LapSegmentError(
            f"near {grid_m[worst]:,.0f} m its place is {abs(ahead_s[worst]):.2f} s off from where its speed takes it: "
            "its positions jump"
        )


def _optional_channel(trace: LapTrace, circuit: Circuit, name: str, at: FloatArray, grid: FloatArray) -> FloatArray:
    """A channel that a lap may do without."""
    try:
        values = sample_on_grid(trace, circuit, name)
    except InputError:
        return np.full(at.shape, np.nan)
    return np.round(np.interp(at, grid, values)) if name == "gear" else np.interp(at, grid, values)
