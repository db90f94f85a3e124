"""A circuit drawn: its line in sectors, corners by number, the line where laps begin; and what happened on one lap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from physics.circuit import Circuit, Corner

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_SECTORS: Final = ("#3b6fb6", "#5fa29b", "#8a6fae")
_ROAD: Final = "#dfe3e8"
_INK: Final = "#20262e"
_GREY: Final = "#5b6470"
_BRAKING: Final = "#e4572e"
_BRAKING_BAR: Final = 5.0
_CATEGORIES: Final = {"brake": ("#c1121f", "v"), "throttle": ("#2a9d3a", "^"), "steering": ("#7b2cbf", "D"),
                      "speed": ("#e09f00", "o")}  # fmt: skip
_WIDEST_IN: Final = 11.0
_HIGHEST_IN: Final = 10.0
_SIZES: Final = {"low": 46, "medium": 90, "high": 150}


@dataclass(frozen=True)
class LapOnMap:
    """What of one lap goes on the map.

    Attributes:
        label: The lap in words.
        events: Rows of ``gold.dptad_events``.
        braking_m: Distances at which the lap brakes, shape (n,).
    """

    label: str
    events: Sequence[Mapping[str, Any]]
    braking_m: Array


def is_braking(brake_front_bar: Array) -> npt.NDArray[np.bool_]:
    """Where a lap brakes, as the map shows it."""
    return np.asarray(np.nan_to_num(brake_front_bar) >= _BRAKING_BAR)


def draw_track(circuit: Circuit, path: Path, title: str, note: str, lap: LapOnMap | None = None) -> Path:
    """Draw a circuit into a file.

    Args:
        circuit: The circuit.
        path: Where to; its suffix says in which form (png, svg, pdf).
        title: First line.
        note: Line under the map: what the circuit was built from.
        lap: Events of one lap.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wide, high = (float(np.ptp(axis)) for axis in (circuit.line.x_m, circuit.line.y_m))
    inches = min(_WIDEST_IN / wide, _HIGHEST_IN / high)
    figure = Figure(figsize=(max(inches * wide, 6.0) + 1.0, inches * high + 2.0), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _Map(circuit, axes).draw(lap)
    axes.set_title(title, fontsize=15, fontweight="bold", color=_INK, loc="left", pad=14)
    axes.text(0.0, -0.02, note.replace("; ", "\n"), transform=axes.transAxes, fontsize=9, color=_GREY, va="top")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


class _Map:
    """The circuit on its axes; ``reach`` is the unit that labels keep from the line."""

    def __init__(self, circuit: Circuit, axes: Axes) -> None:
        self.circuit, self.axes = circuit, axes
        line = circuit.line
        self.reach = 0.035 * float(max(np.ptp(line.x_m), np.ptp(line.y_m)))
        self.placed: list[Array] = []

    def draw(self, lap: LapOnMap | None) -> None:
        self._line(None if lap is None else lap.braking_m)
        self._start()
        for number, end in enumerate(self.circuit.sector_ends_m, start=1):
            self._across(end, _INK, 1.6)
            self._beside(end, f"S{number} | S{number + 1}")
        for corner in self.circuit.corners:
            self._corner(corner)
        if lap is not None:
            self._events(lap)
        self._scale()
        self.axes.set_aspect("equal")
        self.axes.set_axis_off()
        self.axes.margins(0.05)

    def at(self, distance_m: Array | float) -> Array:
        """Place of distances along the line, shape (..., 2)."""
        line = self.circuit.line
        axes = (np.interp(distance_m, line.s_m, axis, period=line.length_m) for axis in (line.x_m, line.y_m))
        return np.stack(list(axes), axis=-1)

    def left(self, distance_m: float) -> Array:
        """Unit vector to the left of the line."""
        way = self.at(distance_m + 3.0) - self.at(distance_m - 3.0)
        return np.asarray(np.array([-way[1], way[0]]) / np.hypot(*way))

    def _line(self, braking_m: Array | None) -> None:
        whole = self.at(np.append(self.circuit.line.s_m, 0.0))
        self.axes.plot(*whole.T, color=_ROAD, lw=11, solid_joinstyle="round", zorder=1)
        edges = [0.0, *self.circuit.sector_ends_m, self.circuit.length_m]
        for number, (start, end) in enumerate(pairwise(edges)):
            piece = self.at(np.arange(start, end, 1.0))
            color = _SECTORS[number % len(_SECTORS)]
            label = f"sector {number + 1}" if len(edges) > 2 else None
            self.axes.plot(*piece.T, color=color, lw=2.6, zorder=3, label=label)
        if braking_m is not None and braking_m.size:
            points = self.at(braking_m)
            self.axes.scatter(points[:, 0], points[:, 1], s=30, color=_BRAKING, lw=0, zorder=2)
            self.axes.plot([], [], color=_BRAKING, lw=6, label="on the brake")

    def _start(self) -> None:
        self._across(0.0, _INK, 4.0)
        arrow = {"arrowstyle": "-|>,head_width=0.45,head_length=0.9", "color": _INK, "lw": 2.6, "shrinkA": 0.0}
        ends = self.at(np.array([2.0 * self.reach, 0.0]))
        self.axes.annotate("", xy=tuple(ends[0]), xytext=tuple(ends[1]), arrowprops=arrow, zorder=5)
        self._beside(0.0, "start/finish")

    def _across(self, distance_m: float, color: str, width: float) -> None:
        half = self.left(distance_m) * self.reach * 0.42
        ends = np.stack([self.at(distance_m) - half, self.at(distance_m) + half])
        self.axes.plot(*ends.T, color=color, lw=width, solid_capstyle="butt", zorder=4)

    def _corner(self, corner: Corner) -> None:
        outward = self.left(corner.apex_m) * (-1.0 if corner.direction == "left" else 1.0)
        place = self._free(self.at(corner.apex_m), outward)
        box = {"boxstyle": "circle,pad=0.25", "fc": "white", "ec": _INK, "lw": 1.1}
        self.axes.text(
            place[0],
            place[1],
            str(corner.number),
            ha="center",
            va="center",
            fontsize=10,
            fontweight="bold",
            bbox=box,
            zorder=6,
        )
        self.placed.append(place)
        if corner.name:
            below = place - np.array([0.0, 0.75 * self.reach])
            self.axes.text(
                below[0], below[1], corner.name, ha="center", va="center", fontsize=8.5, color=_GREY, zorder=6
            )
            self.placed.append(below)

    def _free(self, apex: Array, outward: Array) -> Array:
        """A place for a label beside a corner that is clear of the line and of what is drawn: outside, if it can be."""
        best, most = apex + outward * self.reach, -np.inf
        for far in (1.0, -1.0, 1.6, -1.6, 2.2):
            place = apex + outward * self.reach * far
            clear = self._room(place)
            if clear >= 0.8 * self.reach:
                return place
            if clear > most:
                best, most = place, clear
        return best

    def _beside(self, distance_m: float, text: str) -> None:
        """A word beside the line, on the side with more room, growing away from it."""
        left = self.left(distance_m)
        away = max(left, -left, key=lambda way: self._room(self.at(distance_m) + way * 2.0 * self.reach))
        place = self.at(distance_m) + away * self.reach * 0.65
        across, up = (0.0 if abs(part) < 0.4 else float(np.sign(part)) for part in away)
        ha: Any = {1.0: "left", 0.0: "center", -1.0: "right"}[across]
        va: Any = {1.0: "bottom", 0.0: "center", -1.0: "top"}[up]
        self.axes.text(place[0], place[1], text, ha=ha, va=va, fontsize=9, color=_INK, zorder=6)
        self.placed.append(self.at(distance_m) + away * self.reach)

    def _room(self, place: Array) -> float:
        """How far a place is from the line and from what is drawn beside it."""
        line = np.column_stack([self.circuit.line.x_m, self.circuit.line.y_m])
        clear = float(np.hypot(*(line - place).T).min())
        return min([clear, *(0.6 * float(np.hypot(*(other - place))) for other in self.placed)])

    def _events(self, lap: LapOnMap) -> None:
        for category, (color, marker) in _CATEGORIES.items():
            mine = [event for event in lap.events if event["category"] == category]
            if not mine:
                continue
            places = self.at(np.array([event["lap_distance_m"] for event in mine], dtype=np.float64))
            sizes = [_SIZES[event["severity"]] for event in mine]
            self.axes.scatter(
                places[:, 0], places[:, 1], s=sizes, color=color, marker=marker, edgecolor="white", lw=0.9, zorder=7,
                label=f"{category} ({len(mine)})",
            )  # fmt: skip
        self.axes.legend(
            title=lap.label, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, alignment="left"
        )

    def _scale(self) -> None:
        line = self.circuit.line
        x, y = float(line.x_m.min()), float(line.y_m.min()) - 2.4 * self.reach
        length = 200.0 if line.length_m < 8000.0 else 500.0
        self.axes.plot([x, x + length], [y, y], color=_INK, lw=2.0, solid_capstyle="butt")
        self.axes.text(x + length / 2, y + 0.3 * self.reach, f"{length:.0f} m", ha="center", va="bottom", fontsize=8.5)
        if self.circuit.origin_deg is not None:
            arrow = {"arrowstyle": "-|>", "color": _INK, "lw": 1.2}
            at = x + length + 1.5 * self.reach
            self.axes.annotate("", xy=(at, y + self.reach), xytext=(at, y), arrowprops=arrow)
            self.axes.text(at, y + 1.05 * self.reach, "N", ha="center", va="bottom", fontsize=8.5)
