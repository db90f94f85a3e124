"""A driver's report as one HTML file that needs nothing beside it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.drivers.formatting import join_names
from serving.charts.driver import anomaly_scores_figure, events_map_figure, lap_times_figure, sectors_figure
from serving.charts.driving import smoothness_figure, style_figure
from serving.charts.karma import karma_heat_figure
from serving.charts.laps import lap_traces_figure, loss_map_figure
from serving.charts.style import figure_to_svg
from serving.queries.driver_session import DriverReport
from serving.queries.karma import KarmaReport
from serving.queries.laps import PACE
from serving.reports import driver_driving as driving
from serving.reports import driver_pace as pace
from serving.reports import driver_text as view
from serving.reports import karma_text
from serving.reports.lap_viewer import viewer_choices, viewer_data, viewer_script
from serving.reports.pages import page_environment
from serving.reports.sources import list_versions

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

TEMPLATE = "driver_report.html.j2"


def write_driver_report(found: DriverReport, folder: Path) -> Path:
    """Write the page into a folder; its name is made of session and vehicle."""
    name = re.sub(r"[^\w.-]+", "-", f"{found.session_id}_{found.vehicle_id}")
    path = folder / f"{name}.html"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(found, datetime.now(UTC)), encoding="utf-8")
    return path


def render_page(found: DriverReport, made_at: datetime) -> str:
    """The page.

    Args:
        found: What is known of the driver's session.
        made_at: Time that the page says it was made at.
    """
    pages = page_environment()
    pages.filters["code"] = _code
    return pages.get_template(TEMPLATE).render(page_context(found, made_at))


def page_context(found: DriverReport, made_at: datetime) -> dict[str, Any]:
    """What the template shows."""
    incidents = driving.incident_rows(found.events.rows)
    karma = found.karma_report
    return {
        "title": view.report_title(found),
        "headline": view.headline(found),
        "session": found.session_id,
        "synthetic": any(lap.is_synthetic for lap in found.laps),
        "facts": view.report_facts(found),
        "tiles": view.key_figures(found),
        "glance": view.summary(found),
        "absent": [part.missing for part in (found.summary, found.result) if part.missing],
        "stints": {"rows": pace.stint_rows(found), "missing": found.stints.missing},
        "records": pace.describe_records(found),
        "target": pace.target_facts(found),
        "loss": view.describe_loss(found) | _loss_figures(found),
        "scores": {"words": None, "missing": None} | driving.describe_scores(found),
        "smoothness": driving.describe_smoothness(driving.measure_smoothness(found)),
        "incidents": {
            "rows": incidents,
            "none": driving.describe_no_incidents(found),
            "no_map": found.no_circuit or "",
            "caption": "Incidents of all judged laps; the larger the mark, the further over its limit.",
        },
        "insights": driving.insight_texts(found),
        "style": {
            "words": driving.describe_style(found.style, found.vehicle_id),
            "models": join_names(found.style.models),
            "missing": found.style.missing,
        },
        "karma": {
            "words": [] if karma is None else karma_text.summary(karma),
            "rows": [] if karma is None else karma_text.karma_component_rows(karma),
            "index": karma_text.INDEX,
            "missing": found.karma.missing,
            "command": f"slipstream report karma --session {found.session_id} --vehicle {found.vehicle_id}",
        },
        "session_lines": pace.describe_session(found),
        "laps": pace.pace_lap_rows(found),
        "plots": _figures(found, karma),
        "made_at": f"{made_at:%Y-%m-%d %H:%M} UTC",
        "sources": list_versions(found.versions),
    }


def _figures(found: DriverReport, karma: KarmaReport | None) -> dict[str, Markup | None]:
    row = found.target.first
    target_s = row.get("siwtl_lap") and pace.target_time_s(row["siwtl_lap"], row["potential_gain"])
    smoothness = driving.measure_smoothness(found)
    valid = {lap.lap_number for lap in found.laps if PACE in lap.fit_for}
    plots: dict[str, Figure | None] = {
        "laps": lap_times_figure(found.laps, found.field, target_s),
        "sectors": sectors_figure(found.laps, found.field) if found.target.rows else None,
        "smoothness": smoothness_figure(smoothness) if smoothness else None,
        "scores": anomaly_scores_figure(rows) if (rows := driving.scored_rows(found)) else None,
        "events": None,
        "style": style_figure(found.style, found.vehicle_id, valid) if found.style.laps else None,
        "karma": karma_heat_figure(karma, None) if karma is not None and karma.components else None,
    }
    if found.circuit is not None and found.events.rows:
        plots["events"] = events_map_figure(found.circuit, found.events.rows)
    return {name: _embedded(figure) for name, figure in plots.items()}


def _loss_figures(found: DriverReport) -> dict[str, Any]:
    """The page's pair as it stands without a script, and what the script draws."""
    compared = found.loss.compared
    if compared is None:
        return {"traces": None, "map": None}
    drawn = {"traces": _embedded(lap_traces_figure(compared)), "map": None}
    if compared.circuit is not None and compared.report is not None:
        figure = loss_map_figure(compared.comparison, compared.circuit, compared.report.sides)
        drawn["map"] = _embedded(figure)
    return drawn | {
        "data": viewer_data(found.loss),
        "choices": viewer_choices(found.loss),
        "script": _script(),
    }


def _script() -> Markup:
    from markupsafe import Markup

    return Markup(viewer_script())  # noqa: S704 - a file of ours


def _code(text: str) -> Markup:
    """Commands between backquotes as code, the rest escaped."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(p) if k % 2 else p for k, p in enumerate(parts))


def _embedded(figure: Figure | None) -> Markup | None:
    from markupsafe import Markup

    return None if figure is None else Markup(figure_to_svg(figure))  # noqa: S704 - drawn by us, its text escaped by matplotlib
