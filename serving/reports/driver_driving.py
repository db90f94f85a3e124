"""Smoothness and incidents of a driver's report, in words and rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from analysis.dptad.rules import CATEGORIES, RULE_OF
from analysis.drivers.formatting import format_count, format_ranges, format_rank, join_names
from serving.queries.driver_session import DriverReport
from serving.queries.driver_style import SessionStyle
from serving.queries.smoothness import MIN_FIELD, Smoothness, compare_smoothness

Row = Mapping[str, Any]

_INCIDENTS: Final = 10
_APART: Final = 0.05  # from the field's median: less is as smooth


def scored_rows(found: DriverReport) -> list[Row]:
    """Rows of the laps that were judged; the others have no score at all."""
    return [row for row in found.scores.rows if row["event_count"] is not None]


def measure_smoothness(found: DriverReport) -> list[Smoothness]:
    """Each category of the driver's judged laps beside those of the field."""
    return compare_smoothness(found.vehicle_id, scored_rows(found), found.field_scores.rows)


def describe_smoothness(categories: Sequence[Smoothness]) -> list[str]:
    """What sets the driver apart from the field, the roughest first; or that there is no field to compare with."""
    known = [one for one in categories if one.has_field]
    if not known:
        alone = [f"{one.name} {one.format_rate(one.median)}" for one in categories]
        return [f"Too few drivers to compare with; the driver's own: {join_names(alone)}."] if alone else []
    apart = sorted((one for one in known if abs(one.above) >= _APART), key=lambda one: -one.above)
    if not apart:
        return ["As smooth as the field in all that is measured."]
    return [_describe_category(one) for one in apart]


def _describe_category(one: Smoothness) -> str:
    way, more = ("Rougher", "more") if one.above > 0 else ("Smoother", "less")
    figures = f"{one.format_rate(one.median)} against {one.format_rate(one.base)}"
    place = f"{format_rank(one.rank)} smoothest of {len(one.field)}"
    return f"{way} than the field: {one.name}, {figures} ({100.0 * abs(one.above):.0f} % {more}; {place})."


def describe_style(style: SessionStyle, vehicle_id: str) -> list[str]:
    """What the style model says of the session in a few sentences; nothing where it says nothing."""
    if style.share is None:
        return []
    said = f"Driving style: {100.0 * style.share:.0f} % of the ten-second windows are called aggressive"
    if len(style.field) >= MIN_FIELD:
        rank = 1 + sum(share > style.field[vehicle_id] for share in style.field.values())
        most = "most" if rank == 1 else f"{format_rank(rank)} most"
        said += f", the {most} of {format_count(len(style.field), 'driver')}"
    lines = [f"{said}."]
    if style.laps and (peak := max(style.laps, key=lambda lap: (lap.share, -lap.lap_number))).aggressive:
        lines.append(f"Most of all lap {peak.lap_number}: {peak.aggressive} of {format_count(peak.windows, 'window')}.")
    return lines


def describe_scores(found: DriverReport) -> dict[str, Any]:
    """What the anomaly scores say, without the figures."""
    rows = scored_rows(found)
    if not rows:
        return {"missing": found.scores.missing or f"No lap could be judged. {_reasons(found.scores.rows)}"}
    versions = sorted({row["thresholds_version"] for row in rows if row["thresholds_version"]})
    words = f"{format_count(len(rows), 'lap')} judged by thresholds {join_names(versions)}"
    if not all(row["is_calibrated"] for row in rows):
        words = (
            f"{format_count(len(rows), 'lap')} judged by default thresholds: they are not calibrated on this track, so "
            "take the scores as a comparison between laps"
        )
    means = ", ".join(f"{name} {score:.0f}" for name, score in mean_scores(rows).items())
    words = f"{words}. Mean scores: {means}." if means else f"{words}."
    caption = "Anomaly scores: 0 is smooth and without incident, 100 the opposite."
    return {"words": words, "reasons": _reasons(found.scores.rows), "caption": caption}


def mean_scores(rows: Sequence[Row]) -> dict[str, float]:
    """Mean score of each category that has any."""
    known = {name: [row[f"{name}_score"] for row in rows if row[f"{name}_score"] is not None] for name in CATEGORIES}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def _reasons(rows: Sequence[Row]) -> str:
    """What could not be judged, each reason once, with the laps it holds for where it is not all of them."""
    said: defaultdict[str, tuple[set[str], set[int]]] = defaultdict(lambda: (set(), set()))
    for row in rows:
        for name, why in (row["reasons"] or {}).items():
            names, laps = said[why]
            names.add(name.replace("_", " "))
            laps.add(row["lap_number"])
    sentences = []
    for why, (names, laps) in sorted(said.items()):
        where = (
            "" if len(laps) == len(rows) else f" on {'laps' if len(laps) > 1 else 'lap'} {format_ranges(sorted(laps))}"
        )
        what = "" if names >= set(CATEGORIES) else f" {join_names(sorted(names))}"
        sentences.append(f"Not judged{':' if what else ''}{what}{where}, because {why}.")
    return " ".join(sentences)


def incident_rows(events: Sequence[Row]) -> list[dict[str, Any]]:
    """Incidents of the same kind in the same place, those of most laps first."""
    groups: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for event in events:
        groups[_incident_place(event), event["rule"]].append(event)
    found = []
    for (where, _), own in groups.items():
        strongest = max(own, key=lambda e: e["magnitude"] / e["threshold"])
        digits, unit = (2 if strongest["threshold"] < 1.0 else 0), strongest["unit"]
        numbers = sorted({e["lap_number"] for e in own})
        found.append(
            {
                "where": where,
                "what": _incident_kind(own[0]),
                "n_laps": len(numbers),
                "ratio": strongest["magnitude"] / strongest["threshold"],
                "strongest": f"{strongest['magnitude']:.{digits}f} {unit}",
                "limit": f"{strongest['threshold']:.{digits}f} {unit}",
            }
        )
    return sorted(found, key=lambda g: (-g["n_laps"], -g["ratio"], g["where"]))[:_INCIDENTS]


def _incident_kind(event: Row) -> str:
    rule = RULE_OF.get(event["rule"])
    return str(event["event_type"]).replace("_", " ") if rule is None else rule.one


def _incident_place(event: Row) -> str:
    if event["corner"]:
        return str(event["corner"])
    return "somewhere" if event["lap_distance_m"] is None else f"around {round(event['lap_distance_m'], -2):,.0f} m"


def describe_no_incidents(found: DriverReport) -> str:
    """Why there are no incidents to show."""
    counts = [row["event_count"] for row in scored_rows(found)]
    return "No incident was found on these laps." if not any(counts) else str(found.events.missing)


def insight_texts(found: DriverReport) -> list[dict[str, Any]]:
    """Sentences about the best lap and about the most anomalous one."""
    by_number = {row["lap_number"]: row for row in scored_rows(found)}
    chosen: dict[int, str] = {}
    if found.best is not None and found.best.lap_number in by_number:
        chosen[found.best.lap_number] = "the best lap"
    known = [row for row in by_number.values() if row["overall_score"] is not None]
    if known:
        what = "the most anomalous lap" if len(by_number) > 1 else "the only lap judged"
        chosen.setdefault(max(known, key=lambda row: row["overall_score"])["lap_number"], what)
    return [
        {"name": f"Lap {number}, {what}", "texts": list(by_number[number]["insights"] or ())}
        for number, what in chosen.items()
        if by_number[number]["insights"]
    ]
