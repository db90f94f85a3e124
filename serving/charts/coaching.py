"""Draw a coached lap: both laps over distance, the time lost and its causes, and the track map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.coaching.insights import CoachingInsight
from analysis.drivers.formatting import describe_gap, format_lap_time
from analysis.tracks.circuit import Circuit
from serving.charts.circuit import point_on_line
from serving.charts.style import FAINT, LAP, LOST, MUTED, REFERENCE, draw_light_grid, figure_style, new_figure
from serving.charts.time_delta import draw_delta, draw_loss_map, label_corners
from serving.queries.coaching import CoachedLap, format_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SHOWN: Final = 6  # insights that are marked
_LEAST_SCALE_S: Final = 0.02
_BAR_SHARE: Final = 2.9  # width of the panel in longest bars
_HEIGHTS: Final = (2.6, 1.1, 1.1, 2.0)


def coaching_figure(found: CoachedLap) -> Figure:
    """The whole lap on one sheet: traces to the left, map and what to do better to the right."""
    with figure_style():
        figure = new_figure(14.0, 8.4)
        left, right = figure.subfigures(1, 2, width_ratios=[2.0, 1.0])  # type: ignore[misc]
        draw_inputs(list(left.subplots(len(_HEIGHTS), 1, sharex=True, height_ratios=_HEIGHTS)), found)
        above, below = right.subplots(2, 1, height_ratios=[1.35, 1.0])
        draw_loss_map(above, found.circuit, found.distance_m, found.delta_s, (found.driven, found.aimed))
        for one in marked_insights(found):
            _rank_on_map(above, found.circuit, one)
        draw_insights(below, found)
        lap, target = found.lap.row, found.target
        figure.suptitle(
            f"{lap.uid}: {describe_gap(found.lap_delta_s, target.uid)}",
            x=0.01,
            ha="left",
            fontsize=12,
            fontweight="bold",
        )
    return figure


def draw_inputs(axes: list[Axes], found: CoachedLap) -> None:
    """Speed, throttle, brake and time lost over distance; the places of the insights marked by their ranks.

    Args:
        axes: Four, one below the other, sharing their horizontal axis.
        found: The lap.
    """
    where = found.distance_m
    names = (
        f"{found.lap.row.car}, lap {found.lap.row.lap_number}: {format_lap_time(found.lap.time_s)}",
        f"target {found.target.uid}: {format_lap_time(found.target.time_s)}",
    )
    for panel, (channel, label) in zip(axes, _CHANNELS, strict=False):
        ours, theirs = getattr(found.driven, channel), getattr(found.aimed, channel)
        panel.plot(where, theirs, color=REFERENCE, lw=1.1, label=names[1])
        panel.plot(where, ours, color=LAP, lw=1.5, label=names[0])
        panel.set_ylabel(label)
        if channel == "throttle_pct":
            panel.set_ylim(-4, 108)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].legend(handles[::-1], labels[::-1], loc="lower left", bbox_to_anchor=(0.0, 1.10), ncols=2, borderaxespad=0)
    _draw_ranked_delta(axes[-1], found)
    for panel in axes:
        panel.set_xlim(0.0, where[-1])
        draw_light_grid(panel)
        for one in marked_insights(found):
            for start, end in one.place.parts(where[-1]):
                panel.axvspan(start, end, fc=FAINT, ec="white", lw=2.0, alpha=0.8, zorder=0)
    label_corners(axes[0], found.circuit)
    axes[-1].set_xlabel("Distance from the line, m")


_CHANNELS: Final = (("scaled_kmh", "Speed, km/h"), ("throttle_pct", "Throttle, %"), ("brake_bar", "Brake, bar"))


def marked_insights(found: CoachedLap) -> tuple[CoachingInsight, ...]:
    """The insights that the picture marks."""
    return found.insights[:_SHOWN]


def draw_insights(axes: Axes, found: CoachedLap) -> None:
    """A bar for each insight, the costliest first, with the verdict and its figures."""
    axes.set_title("What to do better, and what it cost", pad=14)
    some = marked_insights(found)
    if not some:
        axes.text(0.0, 0.5, "Nothing is worth a word.", transform=axes.transAxes, color=MUTED)
        axes.set_axis_off()
        return
    most = max(one.time_loss_s for one in some)
    across = axes.get_yaxis_transform()
    for row, one in enumerate(some):
        human, target = format_values(one)
        words = f"{one.place.label}: {one.text}"
        _draw_rank(axes, 0.02, row, one, transform=across)
        axes.text(0.065, row, words, transform=across, va="center", fontsize=9.0, fontweight="bold")
        axes.text(
            1.0,
            row,
            f"{one.time_loss_s:.3f} s",
            transform=across,
            ha="right",
            va="center",
            fontsize=9.0,
            fontweight="bold",
        )
        axes.text(
            0.065,
            row + 0.36,
            f"{one.metric} {human}, target {target}",
            transform=across,
            va="center",
            fontsize=8.0,
            color=MUTED,
        )
    shares = np.array([one.time_loss_s for one in some]) / most
    axes.barh(np.arange(len(some)) + 0.36, shares, left=_BAR_SHARE - shares, color=LOST, alpha=0.55, height=0.16)
    axes.set_xlim(0.0, _BAR_SHARE)
    axes.set_ylim(max(len(some), _SHOWN) - 0.3, -0.5)
    axes.set_axis_off()


def _draw_ranked_delta(axes: Axes, found: CoachedLap) -> None:
    """The time lost so far, the insights' ranks above it."""
    draw_delta(axes, found.distance_m, found.delta_s)
    low, high = float(found.delta_s.min()), float(found.delta_s.max())
    span = max(high - low, _LEAST_SCALE_S)
    axes.set_ylim(low - 0.08 * span, high + 0.34 * span)
    for one in marked_insights(found):
        middle = _middle_m(one, found.distance_m[-1])
        _draw_rank(axes, middle, 0.93, one, transform=axes.get_xaxis_transform())


def _rank_on_map(axes: Axes, circuit: Circuit, one: CoachingInsight) -> None:
    x, y = point_on_line(circuit, _middle_m(one, circuit.length_m))
    _draw_rank(axes, x, y, one, zorder=6, edge="white")


def _middle_m(one: CoachingInsight, length_m: float) -> float:
    return float((one.place.start_m + one.place.end_m) / 2 % length_m)


def _draw_rank(axes: Axes, x: float, y: float, one: CoachingInsight, *, edge: str = "none", **more: Any) -> None:
    """An insight's rank in a circle."""
    box = {"boxstyle": "circle,pad=0.25", "fc": LOST, "ec": edge, "lw": 0.8}
    axes.text(
        x, y, str(one.rank), ha="center", va="center", fontsize=8.0, fontweight="bold", color="white", bbox=box, **more
    )
