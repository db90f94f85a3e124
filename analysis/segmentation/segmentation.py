"""A track cut into micro-sectors, with the curvature and limit speed that a generator is conditioned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.car_limits.observed_limit import ObservedLimit
from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import resample_by_distance
from analysis.segmentation.zones import Microsector, cut_microsectors, find_zones
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray, IndexArray
from conf.ghost import GhostRules


@dataclass(frozen=True)
class SegmentedTrack:
    """Micro-sectors of a track and its shape at their starts; arrays of shape (pieces,).

    Attributes:
        pieces: In order from the line; they cover the lap.
        curvature_per_m: Of the driven line, positive to the left.
        limit_mps: Speed of the limit lap.
        entry_mps: Speed of the reference lap.
        slowest_mps: Least speed of the reference lap within the piece.
    """

    pieces: tuple[Microsector, ...]
    curvature_per_m: FloatArray
    limit_mps: FloatArray
    entry_mps: FloatArray
    slowest_mps: FloatArray

    @property
    def length_m(self) -> float:
        """Length of the lap."""
        return self.pieces[-1].end_m


def segment_track(reference: LapTrace, circuit: Circuit, limit: ObservedLimit, rules: GhostRules) -> SegmentedTrack:
    """Cut a track.

    Args:
        reference: The lap that zones are found on: fast and whole, on the circuit's scale.
        circuit: The circuit.
        limit: Line and limit lap on it.
        rules: Thresholds and lengths.

    Raises:
        ZoneError: If the lap does not show all kinds of zone.
    """
    pieces = cut_microsectors(find_zones(reference, circuit, rules), circuit, rules.longest_microsector_m)
    starts = np.array([piece.start_m for piece in pieces])
    scale = limit.line.length_m / circuit.length_m
    at = starts * scale
    line, driven = limit.line, resample_by_distance(reference, circuit)
    grid = np.arange(len(driven.speed_mps)) * driven.step_m
    inside = [(grid >= piece.start_m) & (grid <= piece.end_m) for piece in pieces]
    entry = np.interp(starts, grid, driven.speed_mps)
    return SegmentedTrack(
        pieces,
        np.interp(at, line.s_m, line.curvature_per_m, period=line.length_m) * scale,
        np.interp(at, limit.lap.distance_m, limit.lap.speed_mps),
        entry,
        np.minimum([driven.speed_mps[here].min() for here in inside], entry),
    )


def limit_speed_mps(track: SegmentedTrack, distance_m: npt.ArrayLike) -> FloatArray:
    """The limit speed at distances from the line, m/s; the lap is a ring."""
    return _close_ring(track, track.limit_mps, distance_m)


def line_curvature_per_m(track: SegmentedTrack, distance_m: npt.ArrayLike) -> FloatArray:
    """The driven line's curvature at distances from the line, 1/m; the lap is a ring."""
    return _close_ring(track, track.curvature_per_m, distance_m)


def _close_ring(track: SegmentedTrack, values: FloatArray, distance_m: npt.ArrayLike) -> FloatArray:
    starts = np.array([piece.start_m for piece in track.pieces])
    return np.interp(np.asarray(distance_m, dtype=np.float64), starts, values, period=track.length_m)


def microsector_index(pieces: Sequence[Microsector], distance_m: FloatArray) -> IndexArray:
    """Number of the micro-sector at distances within the lap."""
    ends = np.array([piece.end_m for piece in pieces])
    return np.minimum(np.searchsorted(ends, distance_m, side="right"), len(pieces) - 1)
