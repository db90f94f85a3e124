"""Laps, checks and comparisons as facts and rows for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from analysis.comparison.corner_report import ReportPiece
from analysis.comparison.rows import ComparedPair, piece_rows, trace_rows
from analysis.drivers.formatting import clock
from serving.queries.comparison import ComparedLaps
from serving.queries.laps import PACE, LapRow, best_lap
from serving.queries.result_check import EntryCheck

Row = dict[str, Any]


def lap_rows(laps: Iterable[LapRow]) -> list[Row]:
    """Laps for programs."""
    return [
        {
            "lap_uid": lap.uid, "session_id": lap.session_id, "vehicle_id": lap.vehicle_id,
            "vehicle_number": lap.vehicle_number, "lap_number": lap.lap_number, "lap_time_s": lap.lap_time_s,
            "sector_1_time": lap.sectors_s[0], "sector_2_time": lap.sectors_s[1], "sector_3_time": lap.sectors_s[2],
            "lap_time_source": lap.lap_time_source, "is_valid": lap.is_valid,
            "invalid_reasons": list(lap.invalid_reasons), "fit_for": list(lap.fit_for),
            "flag_at_finish": lap.flag_at_finish, "pit_in": lap.pit_in, "top_speed_kmh": lap.top_speed_kmh,
            "sample_count": lap.sample_count, "conflicts": list(lap.conflicts), "is_synthetic": lap.is_synthetic,
        }
        for lap in laps
    ]  # fmt: skip


def laps_sentence(laps: Sequence[LapRow]) -> str:
    """How many laps of how many vehicles, and the best."""
    cars, fit = len({lap.vehicle_id for lap in laps}), sum(PACE in lap.fit_for for lap in laps)
    best = best_lap(laps)
    found = f"; the best is {clock(best.lap_time_s or 0.0)} by {best.car} on lap {best.lap_number}" if best else ""
    return f"{_count(len(laps), 'lap')} of {_count(cars, 'vehicle')}, {fit:,} fit for pace{found}"


def check_summary(entries: Sequence[EntryCheck]) -> str:
    """How many entries agree with the results, and how many have none to agree with."""
    compared = [one for one in entries if one.agrees is not None]
    without = f"; {len(entries) - len(compared):,} more have no result sheet" if len(compared) < len(entries) else ""
    agree = sum(bool(one.agrees) for one in compared)
    return f"{agree:,} of {len(compared):,} entries agree with the results{without}"


def check_rows(entries: Iterable[EntryCheck]) -> list[Row]:
    """Checks for programs."""
    return [
        {
            "session_id": one.session_id, "vehicle_number": one.vehicle_number, "vehicle_id": one.vehicle_id,
            "position": one.position, "laps": one.laps, "official_laps": one.official_laps,
            "best_lap_s": one.best.lap_time_s if one.best else None,
            "best_lap_number": one.best.lap_number if one.best else None,
            "official_best_lap_s": None if one.official_best_ms is None else one.official_best_ms / 1000.0,
            "official_best_lap_number": one.official_best_lap, "agrees": one.agrees,
            "exceptions": list(one.exceptions), "remarks": list(one.remarks),
        }
        for one in entries
    ]  # fmt: skip


def pair_of(found: ComparedLaps) -> ComparedPair:
    """The two laps as the gold tables name them."""
    lap, reference = found.lap.row, found.reference.row
    return ComparedPair(
        lap_uid=lap.uid, reference_uid=reference.uid, session_id=lap.session_id, vehicle_id=lap.vehicle_id,
        lap_number=lap.lap_number, reference_kind=found.reference_kind, track_id=found.track_id,
        is_synthetic=lap.is_synthetic or reference.is_synthetic,
    )  # fmt: skip


def point_rows_of(found: ComparedLaps) -> list[Row]:
    """Rows of ``gold.lap_comparison``."""
    return trace_rows(pair_of(found), found.comparison, found.reference_s, found.circuit)


def piece_rows_of(found: ComparedLaps) -> list[Row]:
    """Rows of ``gold.corner_reports``; none without a circuit."""
    if found.report is None:
        return []
    return piece_rows(pair_of(found), found.report.pieces, found.report.lap_delta_s, found.report.aligned_by)


def comparison_facts(found: ComparedLaps) -> Row:
    """A comparison for programs, the pieces of the report among it."""
    return {
        "lap": found.lap.row.uid,
        "reference": found.reference.row.uid,
        "reference_kind": found.reference_kind,
        "track_id": found.track_id,
        "lap_time_s": found.lap.time_s,
        "reference_time_s": found.reference.time_s,
        "delta_s": found.delta_s,
        "sector_deltas_s": list(found.sector_deltas_s),
        "aligned_by": found.comparison.aligned_by,
        "notes": list(found.notes),
        "pieces": [{k: v for k, v in row.items() if k not in _OF_PAIR} for row in piece_rows_of(found)],
    }


_OF_PAIR: Final = frozenset({*ComparedPair.__dataclass_fields__, "aligned_by", "lap_delta_s"})


def what_differs(piece: ReportPiece) -> str:
    """The finding without the label and the loss, which stand beside it; gaps in the speed are kept."""
    words = piece.finding.removeprefix(f"{piece.label}: ")
    gaps = words[words.index(" (no speed") :] if " (no speed" in words else ""
    return words.removesuffix(gaps).rpartition(": ")[0] + gaps


def sectors_sentence(found: ComparedLaps) -> str | None:
    """Official sector times less the reference's, ``None`` where no sector has both."""
    parts = [f"S{k} {d:+.3f} s" for k, d in enumerate(found.sector_deltas_s, start=1) if d is not None]
    return f"official sectors: {', '.join(parts)}" if parts else None


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"
