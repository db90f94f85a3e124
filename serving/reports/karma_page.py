"""A car's karma as one HTML file that needs nothing beside it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from serving.charts.karma import damage_figure, karma_heat_figure, karma_scores_figure, lap_pair_figure
from serving.charts.style import figure_to_svg
from serving.queries.karma import COMPONENTS, OVERALL, KarmaLap, KarmaReport
from serving.reports import karma_text as view
from serving.reports.pages import page_environment
from serving.reports.sources import list_versions

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

TEMPLATE: Final = "karma_report.html.j2"

Pair = tuple[KarmaLap, KarmaLap]


def write_karma_report(found: KarmaReport, pair: Pair | None, folder: Path) -> Path:
    """Write the page into a folder; its name is made of session and vehicle."""
    name = re.sub(r"[^\w.-]+", "-", f"{found.session_id}_{found.vehicle_id}")
    path = folder / f"{name}.html"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(found, pair, datetime.now(UTC)), encoding="utf-8")
    return path


def render_page(found: KarmaReport, pair: Pair | None, made_at: datetime) -> str:
    """The page.

    Args:
        found: Scores of the car's session.
        pair: The two laps that are compared.
        made_at: Time that the page says it was made at.
    """
    pages = page_environment()
    return pages.get_template(TEMPLATE).render(page_context(found, pair, made_at))


def page_context(found: KarmaReport, pair: Pair | None, made_at: datetime) -> dict[str, Any]:
    """What the template shows."""
    return {
        "title": found.car,
        "headline": view.headline(found),
        "session": found.session_id,
        "synthetic": found.is_synthetic,
        "facts": view.report_facts(found),
        "tiles": view.key_figures(found),
        "glance": view.summary(found)[1:],
        "columns": [name.capitalize() for name in (OVERALL, *COMPONENTS)],
        "components": view.karma_component_rows(found),
        "compared": view.describe_pair(pair),
        "laps": view.karma_lap_rows(found),
        "trust": view.limitations(found),
        "models": view.scoring_model_rows(found),
        "plots": _figures(found, pair) if found.components else {},
        "made_at": f"{made_at:%Y-%m-%d %H:%M} UTC",
        "sources": list_versions(found.versions),
    }


def _figures(found: KarmaReport, pair: Pair | None) -> dict[str, Markup | None]:
    return {
        "scores": _embedded(karma_scores_figure(found)),
        "heat": _embedded(karma_heat_figure(found, pair)),
        "pair": None if pair is None else _embedded(lap_pair_figure(found, pair)),
        "damage": _embedded(damage_figure(found)),
    }


def _embedded(figure: Figure) -> Markup:
    from markupsafe import Markup

    return Markup(figure_to_svg(figure))  # noqa: S704 - drawn by us, its text escaped by matplotlib
