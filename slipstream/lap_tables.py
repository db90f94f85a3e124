"""Laps, checks and comparisons as tables for people and as rows for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from medallion.gold.lap_comparison_rows import Pair, piece_rows, trace_rows
from physics.corner_report import Piece
from physics.drivers.wording import clock
from serving.comparison import ComparedLaps
from serving.laps import PACE, LapRow, best_lap
from serving.result_check import EntryCheck

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Row = dict[str, Any]

_VERDICT: Final = {True: ("agrees", "green"), False: ("differs", "yellow"), None: ("no sheet", "dim")}


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


def laps_table(laps: Sequence[LapRow]) -> Table:
    """Laps for people; each vehicle's best lap is bold."""
    table = _table(
        ("vehicle", "left"), ("lap", "right"), ("time", "right"), ("S1, s", "right"), ("S2, s", "right"),
        ("S3, s", "right"), ("source", "left"), ("samples", "right"), ("against it", "left"), ("fit for", "left"),
    )  # fmt: skip
    for vehicle in dict.fromkeys(lap.vehicle_id for lap in laps):
        own = [lap for lap in laps if lap.vehicle_id == vehicle]
        best = best_lap(own)
        for k, lap in enumerate(own):
            sectors = ("" if s is None else f"{s:.3f}" for s in lap.sectors_s)
            table.add_row(
                lap.car if k == 0 else "", str(lap.lap_number), _time(lap.lap_time_s), *sectors,
                lap.lap_time_source or "", f"{lap.sample_count:,}", _reasons(lap), ", ".join(lap.fit_for) or "nothing",
                style="bold" if lap is best else None, end_section=k == len(own) - 1,
            )  # fmt: skip
    return table


def laps_sentence(laps: Sequence[LapRow]) -> str:
    """How many laps of how many vehicles, and the best."""
    cars, fit = len({lap.vehicle_id for lap in laps}), sum(PACE in lap.fit_for for lap in laps)
    best = best_lap(laps)
    found = f"; the best is {_time(best.lap_time_s)} by {best.car} on lap {best.lap_number}" if best else ""
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


def check_table(entries: Sequence[EntryCheck]) -> Table:
    """Checks for people, here and on the sheet side by side."""
    table = _table(
        ("session", "left"), ("place", "right"), ("no.", "right"), ("vehicle", "left"), ("laps", "right"),
        ("sheet", "right"), ("best", "right"), ("sheet", "right"), ("", "left"), ("why, and what else", "left"),
    )  # fmt: skip
    for k, one in enumerate(entries):
        first = k == 0 or entries[k - 1].session_id != one.session_id
        official_s = None if one.official_best_ms is None else one.official_best_ms / 1000.0
        table.add_row(
            one.session_id if first else "", _whole(one.position), _whole(one.vehicle_number), one.vehicle_id or "",
            str(one.laps), _whole(one.official_laps), _time(one.best.lap_time_s if one.best else None),
            _time(official_s), _verdict(one), "; ".join((*one.exceptions, *one.remarks)),
            end_section=k + 1 < len(entries) and entries[k + 1].session_id != one.session_id,
        )  # fmt: skip
    return table


def pair_of(found: ComparedLaps) -> Pair:
    """The two laps as the gold tables name them."""
    lap, reference = found.lap.row, found.reference.row
    return Pair(
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


_OF_PAIR: Final = frozenset({*Pair.__dataclass_fields__, "aligned_by", "lap_delta_s"})


def report_table(found: ComparedLaps) -> Table | None:
    """The corner report card; the last row is the sum. ``None`` without a circuit."""
    if found.report is None:
        return None
    table = _table(
        ("", "left"), ("from, m", "right"), ("to, m", "right"), ("lost, s", "right"), ("least, km/h", "right"),
        ("ref.", "right"), ("at its end, km/h", "right"), ("ref.", "right"), ("what differs", "left"),
    )  # fmt: skip
    for piece in found.report.pieces:
        table.add_row(
            piece.label, f"{piece.start_m:,.0f}", f"{piece.end_m:,.0f}", _lost(piece.time_lost_s),
            _number(piece.lap.min_kmh), _number(piece.reference.min_kmh), _number(piece.lap.exit_kmh),
            _number(piece.reference.exit_kmh), what_differs(piece),
        )  # fmt: skip
    table.add_section()
    total = sum(piece.time_lost_s for piece in found.report.pieces)
    table.add_row("sum", "", "", _lost(total), *[""] * 5, style="bold")
    return table


def what_differs(piece: Piece) -> str:
    """The finding without the label and the loss, which stand beside it; gaps in the speed are kept."""
    words = piece.finding.removeprefix(f"{piece.label}: ")
    gaps = words[words.index(" (no speed") :] if " (no speed" in words else ""
    return words.removesuffix(gaps).rpartition(": ")[0] + gaps


def sectors_sentence(found: ComparedLaps) -> str | None:
    """Official sector times less the reference's, ``None`` where no sector has both."""
    parts = [f"S{k} {d:+.3f} s" for k, d in enumerate(found.sector_deltas_s, start=1) if d is not None]
    return f"official sectors: {', '.join(parts)}" if parts else None


def _table(*columns: tuple[str, str]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, side in columns:
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=side == "right")
    return table


def _verdict(one: EntryCheck) -> Text:
    from rich.text import Text

    words, style = _VERDICT[one.agrees]
    return Text(words, style=style)


def _reasons(lap: LapRow) -> str:
    return ", ".join(lap.invalid_reasons)


def _lost(seconds: float) -> Text:
    from rich.text import Text

    colour = "" if abs(seconds) < 0.005 else "red" if seconds > 0 else "green"
    return Text(f"{seconds:+.3f}", style=colour)


def _time(time_s: float | None) -> str:
    return "" if time_s is None else clock(time_s)


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"
