"""A circuit drawn: its line in sectors, corners by number, the line where laps begin; and what happened on one lap."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray
from serving.charts.circuit import (
    add_event_legend,
    draw_cross_line,
    draw_events,
    draw_road,
    find_label_position,
    left_normal,
    point_on_line,
)
from serving.charts.style import INK, LAP, LOST, MUTED, SKY, figure_style, new_figure
from serving.queries.lap_events import LapEvents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_SECTORS: Final = (LAP, SKY, "#7C6BB0")
_WIDEST_IN: Final = 9.0
_HIGHEST_IN: Final = 8.0


def track_figure(circuit: Circuit, title: str, note: str, lap: LapEvents | None = None) -> Figure:
    """Draw a circuit.

    Args:
        circuit: The circuit.
        title: First line.
        note: Under the map: what the circuit was built from, a line for each part that ``;`` separates.
        lap: Events of one lap.
    """
    wide, high = (float(np.ptp(axis)) for axis in (circuit.line.x_m, circuit.line.y_m))
    inches = min(_WIDEST_IN / wide, _HIGHEST_IN / high)
    with figure_style():
        figure = new_figure(max(inches * wide, 5.0) + 1.0, inches * high + 1.6)
        axes = figure.add_subplot()
        _TrackMap(circuit, axes).draw(lap)
        axes.set_title(title, fontsize=13, color=INK, pad=14)
        axes.text(0.0, -0.02, note.replace("; ", "\n"), transform=axes.transAxes, fontsize=8.5, color=MUTED, va="top")
    return figure


class _TrackMap:
    """The circuit on its axes; ``reach`` is the unit that labels keep from the line."""

    def __init__(self, circuit: Circuit, axes: Axes) -> None:
        self.circuit, self.axes = circuit, axes
        line = circuit.line
        self.reach = 0.035 * float(max(np.ptp(line.x_m), np.ptp(line.y_m)))
        self.taken: list[FloatArray] = []

    def draw(self, lap: LapEvents | None) -> None:
        draw_road(self.axes, self.circuit, 11.0)
        self._sectors()
        self._start()
        for number, end in enumerate(self.circuit.sector_ends_m, start=1):
            draw_cross_line(self.axes, self.circuit, end, 0.42 * self.reach, 1.6)
            self._beside(end, f"S{number} | S{number + 1}")
        for corner in self.circuit.corners:
            self._corner(corner)
        if lap is not None:
            self._lap(lap)
        self._scale()
        self.axes.set_aspect("equal")
        self.axes.set_axis_off()
        self.axes.margins(0.05)

    def _sectors(self) -> None:
        edges = [0.0, *self.circuit.sector_ends_m, self.circuit.length_m]
        for number, (start, end) in enumerate(pairwise(edges)):
            piece = point_on_line(self.circuit, np.arange(start, end, 1.0))
            label = f"sector {number + 1}" if len(edges) > 2 else None
            self.axes.plot(*piece.T, color=_SECTORS[number % len(_SECTORS)], lw=2.6, zorder=3, label=label)

    def _start(self) -> None:
        draw_cross_line(self.axes, self.circuit, 0.0, 0.42 * self.reach, 4.0)
        arrow = {"arrowstyle": "-|>,head_width=0.45,head_length=0.9", "color": INK, "lw": 2.6, "shrinkA": 0.0}
        tip, tail = point_on_line(self.circuit, np.array([2.0 * self.reach, 0.0]))
        self.axes.annotate("", xy=tuple(tip), xytext=tuple(tail), arrowprops=arrow, zorder=5)
        self._beside(0.0, "start/finish")

    def _corner(self, corner: Corner) -> None:
        at = find_label_position(self.circuit, corner, self.reach, self.taken)
        box = {"boxstyle": "circle,pad=0.25", "fc": "white", "ec": INK, "lw": 1.1}
        middle: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 6}
        self.axes.text(at[0], at[1], str(corner.number), fontsize=9, fontweight="bold", bbox=box, **middle)
        self.taken.append(at)
        if corner.name:
            below = at - np.array([0.0, 0.75 * self.reach])
            self.axes.text(below[0], below[1], corner.name, fontsize=8, color=MUTED, **middle)
            self.taken.append(below)

    def _beside(self, distance_m: float, text: str) -> None:
        """A word beside the line, on the side with more room, growing away from it."""
        left, on_line = left_normal(self.circuit, distance_m), point_on_line(self.circuit, distance_m)
        away = max(left, -left, key=lambda way: self._room(on_line + way * 2.0 * self.reach))
        across, up = (0.0 if abs(part) < 0.4 else float(np.sign(part)) for part in away)
        ha: Any = {1.0: "left", 0.0: "center", -1.0: "right"}[across]
        va: Any = {1.0: "bottom", 0.0: "center", -1.0: "top"}[up]
        at = on_line + away * self.reach * 0.65
        self.axes.text(at[0], at[1], text, ha=ha, va=va, fontsize=8.5, color=INK, zorder=6)
        self.taken.append(on_line + away * self.reach)

    def _room(self, at: FloatArray) -> float:
        """How far a place is from the line and from what is drawn beside it."""
        line = np.column_stack([self.circuit.line.x_m, self.circuit.line.y_m])
        return min(float(np.hypot(*(one - at).T).min()) for one in (line, *map(np.atleast_2d, self.taken)))

    def _lap(self, lap: LapEvents) -> None:
        if lap.braking_m.size:
            points = point_on_line(self.circuit, lap.braking_m)
            self.axes.scatter(points[:, 0], points[:, 1], s=30, color=LOST, lw=0, zorder=2)
            self.axes.plot([], [], color=LOST, lw=6, label="on the brake")
        draw_events(self.axes, self.circuit, lap.events)
        add_event_legend(self.axes, title=lap.label, loc="upper left", bbox_to_anchor=(1.0, 1.0), alignment="left")

    def _scale(self) -> None:
        line = self.circuit.line
        x, y = float(line.x_m.min()), float(line.y_m.min()) - 3.2 * self.reach
        length = 200.0 if line.length_m < 8000.0 else 500.0
        self.axes.plot([x, x + length], [y, y], color=INK, lw=2.0, solid_capstyle="butt")
        self.axes.text(x + length / 2, y + 0.3 * self.reach, f"{length:.0f} m", ha="center", va="bottom", fontsize=8.5)
        if self.circuit.origin_deg is not None:
            arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.2}
            at = x + length + 1.5 * self.reach
            self.axes.annotate("", xy=(at, y + self.reach), xytext=(at, y), arrowprops=arrow)
            self.axes.text(at, y + 1.05 * self.reach, "N", ha="center", va="bottom", fontsize=8.5)
