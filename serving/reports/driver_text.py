"""A driver's report in words: title, figures at the top, where time is lost, and what the terminal shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.comparison.corner_report import CornerReport, ReportPiece, ReportRule
from analysis.drivers.formatting import format_count, format_day, format_lap_time, format_tenths, is_level, join_names
from analysis.statistics.lap_moments import MIN_LAPS
from serving.queries.comparison import ComparedLaps, what_differs
from serving.queries.driver_session import DriverReport
from serving.queries.laps import PACE, LapRow
from serving.reports.driver_driving import (
    describe_smoothness,
    describe_style,
    incident_rows,
    measure_smoothness,
    scored_rows,
)
from serving.reports.driver_pace import describe_gain, format_digits, target_time_s
from serving.reports.lap_viewer import pair_headline, pairs_shown
from serving.reports.sources import list_versions

Row = Mapping[str, Any]

_WORTH_NAMING_S: Final = ReportRule().time_word_s
_DEAREST: Final = 5
_NO_INTERVAL: Final = "too few laps for an interval"


@dataclass(frozen=True)
class KeyFigure:
    """One figure at the top: what, how much, and what to know of it."""

    name: str
    value: str
    lines: tuple[str, ...]


def report_title(found: DriverReport) -> str:
    """The driver where his name is known, and the car."""
    name = found.driver.first.get("driver_name") or found.summary.first.get("driver_id")
    return f"{name}, {found.car}" if name else found.car


def report_facts(found: DriverReport) -> list[str]:
    """Session, track, day, class, laps."""
    start_us = found.session.first.get("start_ts")
    day = None if start_us is None else format_day(start_us)
    kind = found.result.first.get("vehicle_class") or found.summary.first.get("vehicle_class")
    stops = sum(lap.pit_in for lap in found.laps)
    fit = sum(PACE in lap.fit_for for lap in found.laps)
    driven = f"{format_count(len(found.laps), 'lap')}, {fit} valid"
    parts = (found.session_id, found.track, day, kind, driven, format_count(stops, "pit stop") if stops else None)
    return [part for part in parts if part]


def key_figures(found: DriverReport) -> list[KeyFigure]:
    """Return the key figures at the top; unknown ones are left out."""
    return [tile for tile in (_result(found), _best(found), *_of_summary(found.summary.first)) if tile is not None]


def _result(found: DriverReport) -> KeyFigure | None:
    row = found.result.first
    if not row:
        return None
    of = len({lap.vehicle_id for lap in found.field})
    place = row["position"]
    lines = [f"of {of} cars with laps"] if place is not None else []
    if row["gap_first_s"]:
        lines.append(f"{row['gap_first_s']:.3f} s behind the first")
    if row["is_official"] is False:
        lines.append("provisional")
    value = str(row["status"] or "not classified") if place is None else f"P{place}"
    return KeyFigure("Result", value, tuple(lines))


def _best(found: DriverReport) -> KeyFigure | None:
    best, session = found.best, found.session_best
    if best is None or session is None or best.lap_time_s is None or session.lap_time_s is None:
        return None
    return KeyFigure(
        "Best lap", format_lap_time(best.lap_time_s), (f"lap {best.lap_number}", _beside_best(best, session))
    )


def _beside_best(best: LapRow, session: LapRow) -> str:
    """How the driver's best lap stands to the session's."""
    if best.uid == session.uid:
        return "the best of the session"
    off_s = (best.lap_time_s or 0.0) - (session.lap_time_s or 0.0)
    return "level with the session's best" if is_level(off_s) else f"{off_s:.3f} s off the session's best"


def _of_summary(row: Row) -> Iterator[KeyFigure]:
    """Figures of ``gold.driver_summary``, whose counts and target interval an older table does not have yet."""
    if not row:
        return
    if row["avg_lap_ms"] is not None:
        lines = [format_count(row["valid_laps"], "valid lap")]
        yield KeyFigure("Mean lap", format_lap_time(row["avg_lap_ms"] / 1000), (*lines, _mean_interval(row)))
    if row["siwtl_lap_s"] is not None:
        lines = [describe_gain(row["potential_gain_s"])] if row["potential_gain_s"] is not None else []
        if (n := row.get("n_siwtl_laps")) is not None:
            lines.append(f"from {format_count(n, 'lap')}")
        low, high = row.get("siwtl_lap_s_low"), row.get("siwtl_lap_s_high")
        lines.append(_NO_INTERVAL if low is None else f"95 %: {format_lap_time(low)} to {format_lap_time(high)}")
        target_s = target_time_s(row["siwtl_lap_s"], row["potential_gain_s"])
        yield KeyFigure("Target lap", format_lap_time(target_s), tuple(lines))
    yield _consistency(row)
    if row["top_speed_kmh"] is not None:
        yield KeyFigure("Top speed", f"{row['top_speed_kmh']:.0f} km/h", ())


def _mean_interval(row: Row) -> str:
    low, high = row["avg_lap_ms_low"], row["avg_lap_ms_high"]
    return _NO_INTERVAL if low is None else f"95 %: {format_tenths(low / 1000)} to {format_tenths(high / 1000)}"


def _consistency(row: Row) -> KeyFigure:
    low, high = row["consistency_score_low"], row["consistency_score_high"]
    n = row.get("n_consistency_laps")
    counted = (f"of {format_count(n, 'lap')}",) if n is not None else ()
    if low is None:  # a score without an interval is one of too few laps
        return KeyFigure("Consistency", "too few laps", (*counted, f"a score needs {MIN_LAPS}"))
    score = f"{row['consistency_score']:.1f}"
    return KeyFigure("Consistency", score, ("of 100", *counted, f"95 %: {low:.1f} to {high:.1f}"))


def headline(found: DriverReport) -> str:
    """The report in one sentence: result, best lap, and where most time is to be found."""
    best, session = found.best, found.session_best
    if best is None or session is None:
        return f"No valid lap of {format_count(len(found.laps), 'lap')}, so nothing can be said of pace."
    row = found.result.first
    place = (
        f"P{row['position']} of {len({lap.vehicle_id for lap in found.field})}; best" if row.get("position") else "Best"
    )
    said = f"{place} lap {format_lap_time(best.lap_time_s)}, {_beside_best(best, session)}"
    dear = _dear_pieces(found, 2)
    if not dear:
        return f"{said}."
    where = join_names([f"{piece.label} ({piece.time_lost_s:.2f} s)" for piece in dear])
    return f"{said}; most to find: {where}."


def _dear_pieces(found: DriverReport, most: int) -> list[ReportPiece]:
    """Where the lap of the page loses most, if it is worth naming."""
    compared = found.loss.compared
    if compared is None or compared.report is None:
        return []
    return [p for p in _costliest_pieces(compared.report, most) if p.time_lost_s >= _WORTH_NAMING_S]


def summary(found: DriverReport) -> list[str]:
    """Summarise the report in a few sentences: where there is most to gain."""
    lines = [
        *_glance_laps(found.summary.first),
        *_glance_pace(found.summary.first),
        *_glance_target(found.target.first),
    ]
    compared, dear = found.loss.compared, _dear_pieces(found, 3)
    if compared is not None and dear:
        where = join_names([f"{p.label} ({p.time_lost_s:.2f} s)" for p in dear])
        lines.append(f"{pair_headline(compared)[:-1]}; it loses most in {where}.")
    return [*lines, *_glance_driving(found)]


def _glance_laps(row: Row) -> Iterator[str]:
    n = row.get("valid_laps")
    if n is not None and n < MIN_LAPS:
        yield (
            f"{format_count(n, 'valid lap')}: too few to say how even the driver is or how lap times change, "
            f"which needs {MIN_LAPS}."
        )


def _glance_pace(row: Row) -> Iterator[str]:
    gap = row.get("best_lap_gap_second_s")
    if gap is not None and gap > 0.5:
        yield f"The best lap stands alone: the second best is {gap:.2f} s slower."
    low, high = row.get("trend_s_per_lap_low"), row.get("trend_s_per_lap_high")
    if low is not None and high is not None and low * high > 0:
        way = "rise" if low > 0 else "fall"
        yield (
            f"Over the longest run without caution lap times {way} by {abs(row['trend_s_per_lap']):.3f} s a lap "
            f"(95 % interval {low:+.3f} to {high:+.3f} s)."
        )


def _glance_target(row: Row) -> Iterator[str]:
    focus = row.get("focus_sector")
    if focus and (n := row[f"n_s{focus}"]) >= MIN_LAPS:
        yield (
            f"Most to find in sector {focus}: {row[f'sector_potential_s{focus}']:.3f} s from best to mean of "
            f"{format_count(n, 'lap')}, the best on lap {row[f'best_s{focus}_lap']}."
        )


def _glance_driving(found: DriverReport) -> Iterator[str]:
    rows = scored_rows(found)
    beside_field = [one for one in measure_smoothness(found) if one.has_field]
    yield from describe_smoothness(beside_field)[:1]
    again = [row for row in incident_rows(found.events.rows) if row["n_laps"] > 1]
    if again:
        first = again[0]
        yield (
            f"What comes again most: {first['what']}, {first['where']}, on {first['n_laps']} of "
            f"{format_count(len(rows), 'judged lap')}."
        )
    yield from describe_style(found.style, found.laps[0].vehicle_id)[:1]


def describe_loss(found: DriverReport) -> dict[str, Any]:
    """Where time is lost: what is compared, and each pair of laps to choose from, without the figures."""
    compared = found.loss.compared
    if compared is None:
        return {"words": found.loss.words, "notes": "", "pairs": []}
    notes = "; ".join(compared.notes)
    return {
        "words": found.loss.words,
        "notes": f"{notes[0].upper()}{notes[1:]}.",
        "pairs": [_describe_pair(one) for one in pairs_shown(found.loss)],
    }


def _describe_pair(found: ComparedLaps) -> dict[str, Any]:
    """One lap against another, corner by corner; no rows without a circuit."""
    said = {"headline": pair_headline(found), "rows": [], "total": f"{found.delta_s:+.3f}", "dearest": []}
    if found.report is None:
        return said
    pieces = found.report.pieces
    most = max(abs(p.time_lost_s) for p in pieces) or 1.0
    least = min(0.0, *(p.time_lost_s for p in pieces))
    span = max(0.0, *(p.time_lost_s for p in pieces)) - least or most
    zero = -least / span * 100.0
    rows = [
        {
            "label": p.label,
            "from": f"{p.start_m:.0f}",
            "to": f"{p.end_m:.0f}",
            "lost": f"{p.time_lost_s:+.3f}",
            "way": "lost" if p.time_lost_s > 0 else "gained",
            "zero": f"{zero:.1f}",
            "left": f"{zero + min(0.0, p.time_lost_s) / span * 100.0:.1f}",
            "width": f"{abs(p.time_lost_s) / span * 100.0:.1f}",
            "minimum": format_digits(p.lap.min_kmh, 0),
            "minimum_ref": format_digits(p.reference.min_kmh, 0),
            "words": what_differs(p),
        }
        for p in pieces
    ]
    dear = [p.finding for p in _costliest_pieces(found.report, _DEAREST) if p.time_lost_s >= _WORTH_NAMING_S]
    return said | {"rows": rows, "dearest": dear}


def _costliest_pieces(report: CornerReport, most: int) -> list[ReportPiece]:
    return sorted(report.pieces, key=lambda p: -p.time_lost_s)[:most]


def driver_console_lines(found: DriverReport) -> list[str]:
    """The report in a few lines for the terminal."""
    lines = [f"{report_title(found)}: {', '.join(report_facts(found))}", f"  {headline(found)}"]
    lines += [f"  {tile.name}: {tile.value}{_in_brackets(tile.lines)}" for tile in key_figures(found)]
    lines += [f"  {line}" for line in (*summary(found), *missing_tables(found))]
    return [*lines, f"  Tables and their versions: {list_versions(found.versions)}"]


def _in_brackets(lines: Sequence[str]) -> str:
    return f" ({', '.join(lines)})" if lines else ""


def missing_tables(found: DriverReport) -> list[str]:
    """List every table without rows for this driver, and the command that fills it."""
    parts = (
        found.result,
        found.summary,
        found.stints,
        found.target,
        found.scores,
        found.fleet,
        found.style,
        found.karma,
    )
    return [part.missing for part in parts if part.missing]
