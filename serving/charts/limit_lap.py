"""A limit lap drawn: speed over distance, and on the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection

from conf.units import KMH_PER_MPS
from serving.charts.style import FAINT, INK, LAP, MUTED, REFERENCE, draw_light_grid, figure_style, new_figure
from serving.queries.limit_lap import LimitLapResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def limit_lap_figure(found: LimitLapResult) -> Figure:
    """Speed over distance with the sectors, and the line coloured by speed."""
    with figure_style():
        figure = new_figure(12.0, 4.8)
        trace, chart = figure.subplots(1, 2, width_ratios=[1.9, 1.0])
        _draw_trace(trace, found)
        _draw_map(chart, found)
        figure.suptitle(f"{found.vehicle} on {found.track}: {found.headline}", x=0.01, ha="left", fontweight="bold")
    return figure


def _draw_trace(axes: Axes, found: LimitLapResult) -> None:
    speed = found.lap.speed_mps * KMH_PER_MPS
    if found.driven:
        axes.plot(found.driven[0], found.driven[1] * KMH_PER_MPS, color=REFERENCE, lw=1.0, label="best lap driven")
    axes.plot(found.lap.distance_m, speed, color=LAP, lw=1.4, label="limit lap")
    if found.driven:
        axes.legend(loc="lower right")
    axes.set_ylim(0, speed.max() * 1.14)
    start = 0.0
    for number, (end, seconds) in enumerate(zip(found.sector_ends_m, found.sector_times_s, strict=True), start=1):
        axes.axvline(end, color=MUTED, lw=0.8, ls=":")
        axes.text((start + end) / 2, speed.max() * 1.08, f"S{number}  {seconds:.3f} s", ha="center", color=INK)
        start = end
    axes.set(xlabel="Distance, m", ylabel="Speed, km/h", xlim=(0, found.line.length_m))
    draw_light_grid(axes)


def _draw_map(axes: Axes, found: LimitLapResult) -> None:
    points = np.column_stack([found.line.x_m, found.line.y_m])
    points = np.vstack([points, points[:1]])
    axes.plot(*points.T, color=FAINT, lw=9, solid_capstyle="round")
    coloured = LineCollection(
        list(np.stack([points[:-1], points[1:]], axis=1)),
        array=found.lap.speed_mps[:-1] * KMH_PER_MPS,
        cmap="viridis",
        lw=3,
    )
    axes.add_collection(coloured)
    axes.plot(*points[0], "o", color=INK, ms=6)
    axes.annotate("line", points[0], xytext=(6, 6), textcoords="offset points", color=INK)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.figure.colorbar(coloured, ax=axes, label="Speed, km/h", shrink=0.8)
