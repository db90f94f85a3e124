"""Registered models as tables for people, and a comparison as rows for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from conf.frozen import FrozenModel

if TYPE_CHECKING:
    from analysis.statistics.bootstrap import Estimate
    from ml.comparison import ModelComparison
    from ml.tracking import ModelVersion

_LEARNED: Final = "train."
_OF_COMPARISON: Final = "promotion."


class ComparedVersions(FrozenModel):
    """Two versions of a model and the verdict.

    Attributes:
        difference: The first's figure less the second's, ``None`` where there is too little to say; so are its ends.
        groups: Cars, vehicles or laps that were compared on.
    """

    name: str
    version: str
    against: str
    is_better: bool
    reason: str
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    groups: int
    metrics: dict[str, float]
    metrics_against: dict[str, float]

    @classmethod
    def of(cls, candidate: ModelVersion, incumbent: ModelVersion, found: ModelComparison) -> ComparedVersions:
        """A comparison of two versions."""
        ends = found.difference.columns("difference")
        return cls.model_validate(
            {
                "name": candidate.name,
                "version": candidate.version,
                "against": incumbent.version,
                "is_better": found.is_better,
                "reason": found.reason,
                "groups": found.groups,
                "metrics": candidate.metrics,
                "metrics_against": incumbent.metrics,
                **ends,
            }
        )


def versions_table(versions: Sequence[ModelVersion]) -> Table:
    """Versions, the newest of each model first; what is in use is bold."""
    table = _table(
        "model", "version:right", "in use", "registered (UTC)", "figure kept aside", "95 % interval", "verdict"
    )
    for k, one in enumerate(versions):
        figure = one.figures.get(one.headline or "")
        table.add_row(
            one.name if k == 0 or versions[k - 1].name != one.name else "",
            one.version,
            "production" if one.is_in_use else "",
            f"{one.registered_ts:%Y-%m-%d %H:%M}",
            "" if figure is None else f"{one.headline} {figure.value:.3f}",
            "" if figure is None else _interval_text(figure),
            one.verdict or "",
            style="bold" if one.is_in_use else None,
        )
    return table


def version_group(version: ModelVersion) -> Group:
    """One version: facts, card, what it read, figures."""
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("registered (UTC)", f"{version.registered_ts:%Y-%m-%d %H:%M}"),
        ("run", version.page),
        ("commit", version.commit or "not known"),
        ("in MLflow", f"models:/{version.name}/{version.version}" if version.kind else "of an earlier Slipstream"),
    ):
        facts.add_row(Text(name, style="dim"), value)
    read = _table("read for", "table", "version:right", "rows:right", "query")
    for one in version.datasets:
        rows = "" if one.rows is None else f"{one.rows:,}"
        read.add_row(one.context, one.table, "" if one.version is None else str(one.version), rows, one.query or "")
    figures = _table("figure", "value:right", "95 % interval")
    for name, figure in version.figures.items():
        figures.add_row(name, _value_text(figure), _interval_text(figure))
    title = Text(f"{version.name} version {version.version}", style="bold")
    card = [Text(f"\n{version.card}")] if version.card else []
    tables = [part for table in (read, figures) if table.row_count for part in (Text(), table)]
    return Group(title, facts, *card, *tables)


def compared_table(candidate: ModelVersion, incumbent: ModelVersion) -> Table:
    """Figures on what was kept aside, side by side: those with an interval, the one that tells versions apart first."""
    labels = [f"version {one.version}{' (in use)' if one.is_in_use else ''}" for one in (candidate, incumbent)]
    table = _table("figure kept aside", *(f"{label}:right" for label in labels))
    both = (candidate.figures, incumbent.figures)
    for name in dict.fromkeys((*both[0], *both[1])):
        shown = [found.get(name) for found in both]
        is_headline = name in (candidate.headline, incumbent.headline)
        if name.startswith((_LEARNED, _OF_COMPARISON)) or not (is_headline or any(f and f.low == f.low for f in shown)):
            continue
        texts = (
            "" if figure is None else f"{_value_text(figure)} {_interval_text(figure)}".strip() for figure in shown
        )
        table.add_row(name, *texts, style="bold" if is_headline else None)
    return table


def _value_text(figure: Estimate) -> str:
    whole = figure.value == round(figure.value) and abs(figure.value) >= 1
    return f"{figure.value:,.0f}" if whole else f"{figure.value:.4f}"


def _interval_text(figure: Estimate) -> str:
    return f"[{figure.low:.4f}, {figure.high:.4f}]" if figure.low == figure.low else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        name, _, justify = column.partition(":")
        table.add_column(name, justify="right" if justify else "left")
    return table
