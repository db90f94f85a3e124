"""Rows of ``gold.lap_comparison`` and ``gold.corner_reports`` out of two compared laps: pure, without Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from analysis.comparison.aligned_laps import AlignedBy, LapComparison
from analysis.comparison.corner_report import PassingFigures, ReportPiece
from analysis.segmentation.zones import Microsector
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray

Row = dict[str, Any]
ReferenceKind = Literal["ghost", "best_lap", "other_lap", "live"]

# Channel to what its difference is called.
_DELTAS: Final = {
    "speed_kmh": "speed_delta_kmh",
    "throttle_pct": "throttle_delta_pct",
    "brake_front_bar": "brake_delta_bar",
    "steering_deg": "steering_delta_deg",
}


@dataclass(frozen=True)
class ComparedPair:
    """Which lap is compared with which.

    Attributes:
        lap_uid: The lap, ``session/vehicle/lap``.
        reference_uid: What it is compared with.
        session_id: Session of the lap.
        vehicle_id: Vehicle of the lap.
        lap_number: Number of the lap.
        reference_kind: What the reference is.
        track_id: Track; ``None`` where nothing says.
        is_synthetic: Whether either is simulated.
    """

    lap_uid: str
    reference_uid: str
    session_id: str
    vehicle_id: str
    lap_number: int
    reference_kind: ReferenceKind
    track_id: str | None
    is_synthetic: bool

    def columns(self, aligned_by: AlignedBy) -> Row:
        """Columns that both tables share."""
        return dict(vars(self)) | {"aligned_by": aligned_by}


def trace_rows(
    pair: ComparedPair,
    found: LapComparison,
    reference_s: FloatArray,
    circuit: Circuit | None,
    microsectors: Sequence[Microsector] = (),
) -> list[Row]:
    """Rows of ``gold.lap_comparison``, one a distance.

    Args:
        pair: Which laps.
        found: The comparison.
        reference_s: Time since the start of the reference at its distances, shape (n,).
        circuit: Names corners and sectors; ``None`` leaves them null.
        microsectors: Of the track, in driving order; none leaves them null.
    """
    columns: dict[str, Sequence[Any]] = {
        "distance_m": found.distance_m.tolist(),
        "t_s": (reference_s + found.delta_s).tolist(),
        "t_ref_s": reference_s.tolist(),
        "delta_s": found.delta_s.tolist(),
        "corner": _corners_at(found.distance_m, circuit),
        "sector_id": _sectors_at(found.distance_m, circuit),
    }
    pieces = _microsectors_at(found.distance_m, microsectors)
    columns["microsector_id"] = [piece and piece.number for piece in pieces]
    columns["zone_type"] = [piece and piece.kind for piece in pieces]
    for channel, delta in _DELTAS.items():
        name, _, unit = channel.rpartition("_")
        columns[channel] = _nulls(found.lap[channel])
        columns[f"{name}_ref_{unit}"] = _nulls(found.reference[channel])
        columns[delta] = _nulls(found.difference[channel])
    shared = pair.columns(found.aligned_by)
    return [shared | dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def piece_rows(
    pair: ComparedPair, pieces: Sequence[ReportPiece], lap_delta_s: float, aligned_by: AlignedBy
) -> list[Row]:
    """Rows of ``gold.corner_reports``, one a corner or straight.

    Args:
        pair: Which laps.
        pieces: The report's pieces in driving order.
        lap_delta_s: Lap time less the reference's.
        aligned_by: What the scale of distance follows.
    """
    shared = pair.columns(aligned_by) | {"lap_delta_s": lap_delta_s}
    return [shared | {"piece": number} | piece_columns(piece) for number, piece in enumerate(pieces, start=1)]


def piece_columns(piece: ReportPiece) -> Row:
    """Columns of one piece."""
    return {
        "label": piece.label,
        "corner": piece.corner,
        "start_m": piece.start_m,
        "end_m": piece.end_m,
        "time_lost_s": piece.time_lost_s,
        **_passing(piece.lap, ""),
        **_passing(piece.reference, "ref_"),
        "brake_earlier_m": piece.brake_earlier_m,
        "throttle_later_m": piece.throttle_later_m,
        "speed_gap_s": sum((gap.end_s - gap.start_s for gap in piece.gaps), start=0.0),
        "finding": piece.finding,
    }


def _passing(one: PassingFigures, side: str) -> Row:
    return {
        f"entry_speed_{side}kmh": one.entry_kmh,
        f"min_speed_{side}kmh": one.min_kmh,
        f"exit_speed_{side}kmh": one.exit_kmh,
        f"brake_{side}m": one.brake_m,
        f"throttle_{side}m": one.throttle_m,
    }


def _corners_at(distance_m: FloatArray, circuit: Circuit | None) -> list[str | None]:
    labels: list[str | None] = [None] * len(distance_m)
    if circuit is None:
        return labels
    length = circuit.length_m
    for corner in circuit.corners:
        inside = (distance_m - corner.entry_m) % length <= (corner.exit_m - corner.entry_m) % length
        for k in np.flatnonzero(inside):
            labels[int(k)] = corner.label
    return labels


def _sectors_at(distance_m: FloatArray, circuit: Circuit | None) -> list[int | None]:
    if circuit is None or not circuit.sector_ends_m:
        return [None] * len(distance_m)
    return [int(k) + 1 for k in np.searchsorted(circuit.sector_ends_m, distance_m, side="right")]


def _microsectors_at(distance_m: FloatArray, microsectors: Sequence[Microsector]) -> list[Microsector | None]:
    if not microsectors:
        return [None] * len(distance_m)
    starts = [piece.start_m for piece in microsectors[1:]]
    return [microsectors[int(k)] for k in np.searchsorted(starts, distance_m, side="right")]


def _nulls(values: FloatArray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
