"""What became of what came in, drawn: over time, and by reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.drivers.formatting import format_count
from serving.charts.style import FAINT, INK, LOST, MUTED, SIXTH, SKY, draw_light_grid, figure_style, new_figure
from serving.queries.quality import QualityReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTCOMES: Final = (("quarantined", "refused", LOST), ("conflicts", "contradict", SIXTH), ("repeats", "repeat", SKY))
_REASONS: Final = 8
_BARS: Final = 60


def quality_figure(found: QualityReport) -> Figure:
    """Left: of every thousand units those that were not simply written, over time. Right: the reasons, by count."""
    with figure_style():
        figure = new_figure(9.6, 3.1)
        over_time, by_reason = figure.subplots(1, 2, width_ratios=[1.25, 1.0])
        _draw_outcomes(over_time, found)
        _draw_reasons(by_reason, found)
    return figure


def _draw_outcomes(axes: Axes, found: QualityReport) -> None:
    """Bars of consecutive batches that hold about the same number of units each."""
    units = np.array([batch["units"] for batch in found.batches], dtype=np.int64)
    axes.set_title("As it came in")
    axes.set_ylabel("of 1,000 units")
    axes.set_xlabel(f"Batches, from the first to the last of {len(units):,}")
    if not units.sum():
        return
    group = np.minimum(_BARS * (np.cumsum(units) - units) // max(int(units.sum()), 1), _BARS - 1)
    used, place = np.unique(group, return_inverse=True)
    total = np.bincount(place, units)
    bottom = np.zeros(len(used))
    for column, name, colour in OUTCOMES:
        counts = np.bincount(place, np.array([batch[column] for batch in found.batches], dtype=np.int64))
        height = 1000.0 * counts / np.maximum(total, 1)
        axes.bar(np.arange(len(used)), height, 0.9, bottom=bottom, color=colour, label=name)
        bottom += height
    axes.set_xticks([])
    axes.set_xlim(-0.6, max(len(used), 8) - 0.4)
    axes.set_ylim(0.0, max(float(bottom.max()) * 1.25, 1.0))
    axes.legend(loc="upper left", ncols=3)
    draw_light_grid(axes)


def _draw_reasons(axes: Axes, found: QualityReport) -> None:
    axes.set_title("Why units were refused")
    shown = list(found.refused[:_REASONS])[::-1]
    if not shown:
        axes.text(0.5, 0.5, "nothing was refused", ha="center", va="center", color=MUTED, transform=axes.transAxes)
        axes.set_axis_off()
        return
    counts = [reason.units for reason in shown]
    axes.barh(range(len(shown)), counts, 0.62, color=LOST)
    for at, reason in enumerate(shown):
        axes.text(reason.units, at, f" {reason.units:,}", va="center", color=INK, fontsize=8.5)
    axes.set_yticks(range(len(shown)), [reason.rule for reason in shown])
    axes.set_ylim(-0.6, max(len(shown), 4) - 0.4)
    axes.set_xlim(0, max(counts) * 1.2)
    axes.set_xticks([])
    axes.set_xlabel(format_count(len(found.refused), "reason"))
    axes.tick_params(axis="y", length=0)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(FAINT)
