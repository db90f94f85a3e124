"""A driver's report in words: title, figures at the top, where time is lost, and what the terminal shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from analysis.comparison.corner_report import CornerReport, ReportPiece, ReportRule
from analysis.drivers.formatting import format_count, format_lap_time, format_tenths, join_names
from analysis.statistics.lap_moments import MIN_LAPS
from serving.queries.comparison import what_differs
from serving.queries.driver_session import DriverReport
from serving.queries.laps import PACE
from serving.reports.driver_driving import incident_rows, mean_scores, scored_rows
from serving.reports.driver_pace import describe_gain, format_digits, target_time_s
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
    day = None if start_us is None else f"{datetime.fromtimestamp(start_us / 1e6, UTC):%-d %B %Y}"
    kind = found.result.first.get("vehicle_class") or found.summary.first.get("vehicle_class")
    stops = sum(lap.pit_in for lap in found.laps)
    fit = sum(PACE in lap.fit_for for lap in found.laps)
    driven = f"{format_count(len(found.laps), 'lap')}, {fit} fit for pace"
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
    off = best.lap_time_s - session.lap_time_s
    beside = f"{off:.3f} s off the session's best" if best.uid != session.uid else "the best of the session"
    return KeyFigure("Best lap", format_lap_time(best.lap_time_s), (f"lap {best.lap_number}", beside))


def _of_summary(row: Row) -> Iterator[KeyFigure]:
    """Figures of ``gold.driver_summary``, whose counts and target interval an older table does not have yet."""
    if not row:
        return
    if row["avg_lap_ms"] is not None:
        lines = [f"{format_count(row['valid_laps'], 'lap')} fit for pace"]
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


def summary(found: DriverReport) -> list[str]:
    """Summarise the report in a few sentences: where there is most to gain."""
    lines = [
        *_glance_laps(found.summary.first),
        *_glance_pace(found.summary.first),
        *_glance_target(found.target.first),
    ]
    compared = found.loss.compared
    if compared is not None and compared.report is not None:
        dear = [p for p in _costliest_pieces(compared.report, 3) if p.time_lost_s >= _WORTH_NAMING_S]
        where = join_names([f"{p.label} ({p.time_lost_s:.2f} s)" for p in dear])
        if dear:
            lap, reference = compared.lap.row, compared.reference.row
            lines.append(
                f"Lap {lap.lap_number} loses {compared.delta_s:.3f} s on lap {reference.lap_number} of "
                f"{reference.car}; it loses most in {where}."
            )
    return [*lines, *_glance_driving(found)]


def _glance_laps(row: Row) -> Iterator[str]:
    n = row.get("valid_laps")
    if n is not None and n < MIN_LAPS:
        yield (
            f"{format_count(n, 'lap')} fit for pace: too few to say how even the driver is or how lap times change, "
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
    means = mean_scores(rows)
    if means:
        name, score = max(means.items(), key=lambda item: item[1])
        judged = format_count(len(rows), "judged lap")
        yield f"The least smooth category is the {name}: mean anomaly score {score:.0f} of 100 over {judged}."
    again = [row for row in incident_rows(found.events.rows) if row["n_laps"] > 1]
    if again:
        first = again[0]
        yield (
            f"What comes again most: {first['what']}, {first['where']}, on {first['n_laps']} of "
            f"{format_count(len(rows), 'judged lap')}."
        )


def describe_loss(found: DriverReport) -> dict[str, Any]:
    """Where time is lost, without the figures."""
    compared = found.loss.compared
    out: dict[str, Any] = {"words": found.loss.words}
    if compared is None:
        return out
    notes = "; ".join(compared.notes)
    out["notes"] = f"Blue: the lap. Grey: the reference. {notes[0].upper()}{notes[1:]}."
    if compared.report is None:
        return out
    pieces = compared.report.pieces
    most = max(abs(p.time_lost_s) for p in pieces) or 1.0
    least = min(0.0, *(p.time_lost_s for p in pieces))
    span = max(0.0, *(p.time_lost_s for p in pieces)) - least or most
    zero = -least / span * 100.0
    out["pieces"] = [
        {
            "label": p.label,
            "lost": f"{p.time_lost_s:+.3f}",
            "way": "lost" if p.time_lost_s > 0 else "gained",
            "zero": f"{zero:.1f}",
            "left": f"{zero + min(0.0, p.time_lost_s) / span * 100.0:.1f}",
            "width": f"{abs(p.time_lost_s) / span * 100.0:.1f}",
            "least": format_digits(p.lap.min_kmh, 0),
            "least_ref": format_digits(p.reference.min_kmh, 0),
            "words": what_differs(p),
        }
        for p in pieces
    ]
    out["total"] = f"{compared.report.lap_delta_s:+.3f}"
    out["dearest"] = [
        p.finding for p in _costliest_pieces(compared.report, _DEAREST) if p.time_lost_s >= _WORTH_NAMING_S
    ]
    return out


def _costliest_pieces(report: CornerReport, most: int) -> list[ReportPiece]:
    return sorted(report.pieces, key=lambda p: -p.time_lost_s)[:most]


def driver_console_lines(found: DriverReport) -> list[str]:
    """The report in a few lines for the terminal."""
    lines = [f"{report_title(found)}: {', '.join(report_facts(found))}"]
    lines += [f"  {tile.name}: {tile.value}{_in_brackets(tile.lines)}" for tile in key_figures(found)]
    lines += [f"  {line}" for line in (*summary(found), *missing_tables(found))]
    return [*lines, f"  Tables and their versions: {list_versions(found.versions)}"]


def _in_brackets(lines: Sequence[str]) -> str:
    return f" ({', '.join(lines)})" if lines else ""


def missing_tables(found: DriverReport) -> list[str]:
    """List every table without rows for this driver, and the command that fills it."""
    parts = (found.result, found.summary, found.stints, found.target, found.scores, found.fleet)
    return [part.missing for part in parts if part.missing]
