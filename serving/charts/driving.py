"""How a driver drove, drawn beside the field: smoothness of pedals, wheel and speed, and the style model's answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from serving.charts.style import FAINT, INK, LAP, LOST, MUTED, draw_light_grid, figure_style, new_figure
from serving.queries.driver_style import SessionStyle, StyleLap
from serving.queries.smoothness import Smoothness

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def smoothness_figure(categories: Sequence[Smoothness]) -> Figure:
    """A row a category: the driver's laps, their median and other drivers' medians, as multiples of the field's."""
    with figure_style():
        figure = new_figure(9.6, 0.62 + 0.52 * len(categories))
        axes = figure.subplots()
        axes.axvline(1.0, color=INK, lw=1.0, zorder=1)
        for row, one in enumerate(categories):
            others = np.array([rate for car, rate in one.field.items() if car != one.vehicle_id]) / one.base
            laps = np.array([rate for _, rate in one.laps]) / one.base
            labels = (None, None, None) if row else ("other drivers", "lap", "median of the laps")
            axes.plot(others, np.full(others.size, row), "D", mfc="white", mec=MUTED, ms=5.5, label=labels[0])
            axes.plot(laps, np.full(laps.size, row), "o", color=LAP, alpha=0.35, ms=5, mec="none", label=labels[1])
            axes.plot(one.median / one.base, row, "o", color=LAP, ms=9, mec="white", label=labels[2])
            axes.text(
                1.01, row, _rate_words(one), transform=axes.get_yaxis_transform(), va="center", fontsize=8, color=MUTED
            )
        axes.set_yticks(range(len(categories)), [one.name.capitalize() for one in categories])
        axes.set_ylim(len(categories) - 0.4, -0.6)
        _style_row(axes)
        base = "the field's median" if all(one.has_field for one in categories) else "what it is compared with"
        axes.set_xlabel(f"Times {base}: left is smoother")
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2, handletextpad=0.3)
    return figure


def _rate_words(one: Smoothness) -> str:
    own = one.format_rate(one.median)
    return f"{own}, field {one.format_rate(one.base)}" if one.has_field else own


def style_figure(style: SessionStyle, vehicle_id: str, valid_laps: Collection[int]) -> Figure:
    """Left: share of each lap's windows called aggressive. Right: the whole session's share beside the field."""
    with figure_style():
        figure = new_figure(9.6, 2.3)
        by_lap, by_car = figure.subplots(1, 2, width_ratios=[1.7, 1.0])
        _draw_lap_shares(by_lap, style.laps, valid_laps)
        others = np.array([100.0 * share for car, share in style.field.items() if car != vehicle_id])
        by_car.plot(others, np.zeros(others.size), "D", mfc="white", mec=MUTED, ms=6, label="other drivers")
        if style.share is not None:
            share = 100.0 * style.share
            by_car.plot(share, 0.0, "o", color=LAP, ms=10, mec="white", label="this driver")
            by_car.annotate(
                f"{share:.0f} %", (share, 0.0), xytext=(0, 9), textcoords="offset points", ha="center", weight="bold"
            )
        by_car.set_title("The whole session, and the field")
        by_car.set_xlim(-4, 104)
        by_car.set_ylim(-0.7, 0.9)
        by_car.set_yticks([])
        _style_row(by_car)
        by_car.set_xlabel("Windows called aggressive, %")
        by_car.legend(loc="upper left", ncols=2, handletextpad=0.3)
    return figure


def _draw_lap_shares(axes: Axes, laps: Sequence[StyleLap], valid_laps: Collection[int]) -> None:
    axes.set_title("Windows called aggressive, lap by lap")
    for is_valid, colour, label in ((True, LOST, "valid lap"), (False, "#F3CDB2", "other lap")):
        mine = [lap for lap in laps if (lap.lap_number in valid_laps) == is_valid]
        axes.bar(
            [lap.lap_number for lap in mine], [100.0 * lap.share for lap in mine], width=0.72, color=colour, label=label
        )
    for lap in laps if len(laps) <= 24 else ():
        axes.text(lap.lap_number, 100.0 * lap.share + 1.5, f"{100.0 * lap.share:.0f}", ha="center", fontsize=8)
    axes.set_ylim(0, 135)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("%")
    axes.set_xlabel("Lap")
    if laps:
        numbers = [lap.lap_number for lap in laps]
        axes.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
        axes.set_xticks(range(min(numbers), max(numbers) + 1, max(1, round((max(numbers) - min(numbers)) / 16))))
    draw_light_grid(axes)
    axes.legend(loc="upper left", ncols=2, bbox_to_anchor=(0.0, 1.02), handlelength=1.0)


def _style_row(axes: Axes) -> None:
    """For rows of marks: lines to read values by, and no line at the names."""
    axes.grid(visible=True, axis="x", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
