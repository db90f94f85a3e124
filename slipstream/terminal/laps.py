"""Laps, checks and comparisons as tables for people and as rows for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from analysis.drivers.formatting import format_lap_time
from serving.queries.comparison import ComparedLaps, what_differs
from serving.queries.laps import LapRow, find_best_lap
from serving.queries.result_check import EntryCheck

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


_VERDICT: Final = {True: ("agrees", "green"), False: ("differs", "yellow"), None: ("no sheet", "dim")}


def laps_table(laps: Sequence[LapRow]) -> Table:
    """Laps for people; each vehicle's best lap is bold."""
    table = _table(
        ("vehicle", "left"),
        ("lap", "right"),
        ("time", "right"),
        ("S1, s", "right"),
        ("S2, s", "right"),
        ("S3, s", "right"),
        ("source", "left"),
        ("samples", "right"),
        ("against it", "left"),
        ("fit for", "left"),
    )
    for vehicle in dict.fromkeys(lap.vehicle_id for lap in laps):
        own = [lap for lap in laps if lap.vehicle_id == vehicle]
        best = find_best_lap(own)
        for k, lap in enumerate(own):
            sectors = ("" if s is None else f"{s:.3f}" for s in lap.sectors_s)
            table.add_row(
                lap.car if k == 0 else "",
                str(lap.lap_number),
                format_lap_time(lap.lap_time_s),
                *sectors,
                lap.lap_time_source or "",
                f"{lap.sample_count:,}",
                _reasons(lap),
                ", ".join(lap.fit_for) or "nothing",
                style="bold" if lap is best else None,
                end_section=k == len(own) - 1,
            )
    return table


def check_table(entries: Sequence[EntryCheck]) -> Table:
    """Checks for people, here and on the sheet side by side."""
    table = _table(
        ("session", "left"),
        ("place", "right"),
        ("no.", "right"),
        ("vehicle", "left"),
        ("laps", "right"),
        ("sheet", "right"),
        ("best", "right"),
        ("sheet", "right"),
        ("", "left"),
        ("why, and what else", "left"),
    )
    for k, one in enumerate(entries):
        first = k == 0 or entries[k - 1].session_id != one.session_id
        official_s = None if one.official_best_ms is None else one.official_best_ms / 1000.0
        table.add_row(
            one.session_id if first else "",
            _whole(one.position),
            one.car_number or "",
            one.vehicle_id or "",
            str(one.laps),
            _whole(one.official_laps),
            format_lap_time(one.best.lap_time_s if one.best else None),
            format_lap_time(official_s),
            _verdict(one),
            "; ".join((*one.exceptions, *one.remarks)),
            end_section=k + 1 < len(entries) and entries[k + 1].session_id != one.session_id,
        )
    return table


def report_table(found: ComparedLaps) -> Table | None:
    """The corner report card; the last row is the sum. ``None`` without a circuit."""
    if found.report is None:
        return None
    table = _table(
        ("", "left"),
        ("from, m", "right"),
        ("to, m", "right"),
        ("lost, s", "right"),
        ("least, km/h", "right"),
        ("ref.", "right"),
        ("at its end, km/h", "right"),
        ("ref.", "right"),
        ("what differs", "left"),
    )
    for piece in found.report.pieces:
        table.add_row(
            piece.label,
            f"{piece.start_m:,.0f}",
            f"{piece.end_m:,.0f}",
            _lost(piece.time_lost_s),
            _number(piece.lap.min_kmh),
            _number(piece.reference.min_kmh),
            _number(piece.lap.exit_kmh),
            _number(piece.reference.exit_kmh),
            what_differs(piece),
        )
    table.add_section()
    total = sum(piece.time_lost_s for piece in found.report.pieces)
    table.add_row("sum", "", "", _lost(total), *[""] * 5, style="bold")
    return table


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


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
