"""Two laps drawn: channels and time lost over distance, and where on the track it was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.comparison.aligned_laps import LapComparison
from analysis.comparison.corner_report import CornerReport
from analysis.comparison.places import Sides
from analysis.drivers.formatting import format_lap_time
from analysis.tracks.circuit import Circuit, Corner
from serving.charts.style import FAINT, GAINED, LAP, LOST, MUTED, REFERENCE, figure_style, new_figure
from serving.charts.time_delta import draw_delta, draw_loss_map, label_corners
from serving.queries.comparison import ComparedLaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_PANELS: Final = (
    ("speed_kmh", "Speed, km/h", 3.0),
    ("throttle_pct", "Throttle, %", 1.2),
    ("brake_front_bar", "Brake, bar", 1.2),
)


def comparison_figure(found: ComparedLaps) -> Figure:
    """The whole comparison on one sheet: traces to the left, map and pieces to the right."""
    with figure_style():
        figure = new_figure(13.0, 8.2)
        heights = [*(height for _, _, height in _PANELS), 1.8]
        left, right = figure.subfigures(1, 2, width_ratios=[2.1, 1.0])  # type: ignore[misc]
        draw_traces(list(left.subplots(len(heights), 1, sharex=True, height_ratios=heights)), found)
        if found.circuit is None or found.report is None:
            right.text(0.5, 0.5, found.no_circuit or "", ha="center", va="center", wrap=True, color=MUTED)
        else:
            above, below = right.subplots(2, 1, height_ratios=[1.15, 1.0])
            draw_loss_map(
                above, found.circuit, found.comparison.distance_m, found.comparison.delta_s, found.report.sides
            )
            draw_pieces(below, found.report)
        figure.suptitle(found.headline, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return figure


def lap_traces_figure(found: ComparedLaps, width_in: float = 9.6, height_in: float = 5.2) -> Figure:
    """The traces alone."""
    with figure_style():
        figure = new_figure(width_in, height_in)
        heights = [*(height for _, _, height in _PANELS), 1.8]
        draw_traces(list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)), found)
    return figure


def loss_map_figure(comparison: LapComparison, circuit: Circuit, sides: Sides | None = None) -> Figure:
    """The map alone, with the braking points of both sides where they are given."""
    with figure_style():
        figure = new_figure(4.6, 4.2)
        draw_loss_map(figure.subplots(), circuit, comparison.distance_m, comparison.delta_s, sides)
    return figure


def draw_traces(axes: list[Axes], found: ComparedLaps) -> None:
    """Speed, throttle, brake, and time lost, over distance; corners marked.

    Args:
        axes: Four, one below the other, sharing their horizontal axis.
        found: The comparison.
    """
    one, where = found.comparison, found.comparison.distance_m
    for panel, (channel, label, _) in zip(axes, _PANELS, strict=False):
        panel.plot(where, one.reference[channel], color=REFERENCE, lw=1.1, label=_name(found, "reference"))
        panel.plot(where, one.lap[channel], color=LAP, lw=1.4, label=_name(found, "lap"))
        panel.set_ylabel(label)
        if not (np.isfinite(one.lap[channel]).any() or np.isfinite(one.reference[channel]).any()):
            panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", va="center", color=MUTED)
            panel.set_yticks([])
    axes[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.12), ncols=2, borderaxespad=0.0)
    draw_delta(axes[-1], one.distance_m, one.delta_s)
    for panel in axes:
        panel.set_xlim(0.0, where[-1])
        panel.grid(visible=True, axis="y", color=FAINT, lw=0.8)
    _mark_corners(axes, found.circuit)
    axes[-1].set_xlabel("Distance from the line, m")


def draw_pieces(axes: Axes, report: CornerReport) -> None:
    """A bar for each corner and straight, in driving order."""
    lost = [piece.time_lost_s for piece in report.pieces]
    rows = np.arange(len(lost))
    axes.barh(rows, lost, color=[LOST if s > 0 else GAINED for s in lost], height=0.72)
    axes.axvline(0.0, color=MUTED, lw=0.8)
    axes.set_yticks(rows, [piece.label for piece in report.pieces])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"Time lost, s (in all {report.lap_delta_s:+.3f} s)")


def _mark_corners(axes: list[Axes], circuit: Circuit | None) -> None:
    if circuit is None:
        return
    for corner in circuit.corners:
        for panel in axes:
            for start, end in _corner_spans(corner, circuit.length_m):
                panel.axvspan(start, end, color=FAINT, alpha=0.7, lw=0, zorder=0)
    label_corners(axes[0], circuit)


def _corner_spans(corner: Corner, length_m: float) -> list[tuple[float, float]]:
    """The corner's stretch: one part, or two where it reaches over the line."""
    if corner.entry_m <= corner.exit_m:
        return [(corner.entry_m, corner.exit_m)]
    return [(corner.entry_m, length_m), (0.0, corner.exit_m)]


def _name(found: ComparedLaps, side: str) -> str:
    lap = found.lap if side == "lap" else found.reference
    other = found.reference if side == "lap" else found.lap
    session = "" if lap.row.session_id == other.row.session_id else f"{lap.row.session_id} "
    return f"{session}{lap.row.car}, lap {lap.row.lap_number}: {format_lap_time(lap.time_s)}"
