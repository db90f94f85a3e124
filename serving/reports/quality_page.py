"""What became of all that came in as one HTML file that needs nothing beside it, and no network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from serving.charts.quality import quality_figure
from serving.charts.style import figure_to_svg
from serving.queries.quality import QualityReport
from serving.reports import quality_text as view
from serving.reports.pages import page_environment
from serving.reports.sources import list_versions

TEMPLATE: Final = "quality_report.html.j2"


def write_quality_report(found: QualityReport, folder: Path) -> Path:
    """Write the page into a folder."""
    path = folder / "quality.html"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(found, datetime.now(UTC)), encoding="utf-8")
    return path


def render_page(found: QualityReport, made_at: datetime) -> str:
    """The page.

    Args:
        found: What became of all that came in.
        made_at: Time that the page says it was made at.
    """
    return page_environment().get_template(TEMPLATE).render(page_context(found, made_at))


def page_context(found: QualityReport, made_at: datetime) -> dict[str, Any]:
    """What the template shows."""
    from markupsafe import Markup

    broken = found.broken_rules
    kept = [rule for rule in found.rules if not rule.broken and rule.evaluated]
    return {
        "title": "What came in, and what became of it",
        "headline": view.headline(found),
        "session": "quality",
        "synthetic": False,
        "facts": view.quality_facts(found),
        "tiles": view.quality_tiles(found),
        "glance": view.quality_glance(found)[1:],
        "figure": Markup(figure_to_svg(quality_figure(found))) if found.batches else None,  # noqa: S704 - drawn by us
        "accounts": view.account_lines(found),
        "reasons": view.reason_lines(found),
        "broken": view.rule_lines(broken),
        "kept": view.rule_lines(sorted(kept, key=lambda rule: (rule.table, rule.column, rule.rule))),
        "conflicts": view.conflict_lines(found.contradicted),
        "more_conflicts": max(0, len(found.contradicted) - view.MOST_ROWS),
        "failures": found.failures,
        "checks": found.balance.checks,
        "made_at": f"{made_at:%Y-%m-%d %H:%M} UTC",
        "sources": list_versions(found.versions),
    }
