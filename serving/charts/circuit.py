"""Elements shared by all drawings of a circuit: the road, positions along it, corner labels, event marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray
from serving.charts.style import FIFTH, GAINED, INK, LOST, SIXTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_ROAD: Final = "#DFE3E8"
_MARKS: Final = {"brake": (LOST, "v"), "throttle": (GAINED, "^"), "steering": (FIFTH, "D"), "speed": (SIXTH, "o")}
_SIZES: Final = {"low": 48, "medium": 95, "high": 160}
_CLEAR: Final = 0.75  # of the reach: a label so far from the line and the others is well placed
_BESIDE: Final = (1.0, -1.0, 1.6, -1.6, 2.2, -2.2)  # reaches from the apex, outside first


def point_on_line(circuit: Circuit, distance_m: FloatArray | float) -> FloatArray:
    """Position of distances along the line, shape (..., 2)."""
    line = circuit.line
    axes = (np.interp(distance_m, line.s_m, axis, period=line.length_m) for axis in (line.x_m, line.y_m))
    return np.stack(list(axes), axis=-1)


def left_normal(circuit: Circuit, distance_m: float) -> FloatArray:
    """Unit vector to the left of the line, shape (2,)."""
    way = point_on_line(circuit, distance_m + 3.0) - point_on_line(circuit, distance_m - 3.0)
    return np.asarray(np.array([-way[1], way[0]]) / np.hypot(*way))


def draw_road(axes: Axes, circuit: Circuit, width: float) -> FloatArray:
    """A grey band along the whole line; returns the line, closed, shape (n, 2)."""
    whole = point_on_line(circuit, np.append(circuit.line.s_m, 0.0))
    axes.plot(*whole.T, color=_ROAD, lw=width, solid_joinstyle="round", zorder=1)
    return whole


def draw_cross_line(axes: Axes, circuit: Circuit, distance_m: float, half_m: float, width: float) -> FloatArray:
    """A bar across the line; returns its ends, shape (2, 2)."""
    at, half = point_on_line(circuit, distance_m), left_normal(circuit, distance_m) * half_m
    ends = np.stack([at - half, at + half])
    axes.plot(*ends.T, color=INK, lw=width, solid_capstyle="butt", zorder=4)
    return ends


def draw_events(axes: Axes, circuit: Circuit, events: Sequence[Mapping[str, Any]]) -> None:
    """Events where they happened: a mark and a label for each category, larger for the severe."""
    for category, (colour, marker) in _MARKS.items():
        mine = [event for event in events if event["category"] == category and event["lap_distance_m"] is not None]
        if not mine:
            continue
        points = point_on_line(circuit, np.array([event["lap_distance_m"] for event in mine], dtype=np.float64))
        sizes = [_SIZES.get(event["severity"], _SIZES["low"]) for event in mine]
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=sizes,
            color=colour,
            marker=marker,
            alpha=0.85,
            ec="white",
            lw=0.8,
            zorder=7,
            label=f"{category} ({len(mine)})",
        )


def add_event_legend(axes: Axes, **options: Any) -> None:
    """A legend in which all marks have one size."""
    from matplotlib.collections import PathCollection

    legend = axes.legend(handletextpad=0.5, **options)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([45])


def find_label_position(circuit: Circuit, corner: Corner, reach_m: float, taken: Sequence[FloatArray]) -> FloatArray:
    """Where a corner's label goes, shape (2,): outside the bend if it can be, clear of the line and of what is there.

    Args:
        circuit: The circuit.
        corner: One of its corners.
        reach_m: How far labels keep from the line.
        taken: Places that have something already.
    """
    line = np.column_stack([circuit.line.x_m, circuit.line.y_m])
    outward = left_normal(circuit, corner.apex_m) * (-1.0 if corner.direction == "left" else 1.0)
    apex = point_on_line(circuit, corner.apex_m)
    tried = [apex + outward * reach_m * far for far in _BESIDE]
    room = [_clearance(at, line, taken) for at in tried]
    clear = [at for at, free in zip(tried, room, strict=True) if free >= _CLEAR * reach_m]
    return clear[0] if clear else tried[int(np.argmax(room))]


def _clearance(at: FloatArray, line: FloatArray, taken: Sequence[FloatArray]) -> float:
    """How far a place is from the line and from what is drawn beside it, whose own size counts against it."""
    others = (0.8 * float(np.hypot(*(other - at))) for other in taken)
    return min([float(np.hypot(*(line - at).T).min()), *others])


def label_circuit(axes: Axes, circuit: Circuit) -> None:
    """Numbers of the corners beside them, a bar across the line where laps begin, and the way round."""
    line = circuit.line
    reach = 0.06 * float(max(np.ptp(line.x_m), np.ptp(line.y_m)))
    left = left_normal(circuit, 0.0)
    ends = draw_cross_line(axes, circuit, 0.0, 0.45 * reach, 2.4)
    tip = point_on_line(circuit, 0.0) + left * reach * 0.75
    way = np.array([left[1], -left[0]]) * reach * 1.3
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.2, "shrinkA": 0.0, "shrinkB": 0.0}
    axes.annotate("", xy=tuple(tip + way), xytext=tuple(tip), arrowprops=arrow, zorder=4)
    taken = [tip, tip + way / 2, tip + way, *ends]
    for corner in circuit.corners:
        at = find_label_position(circuit, corner, reach, taken)
        taken.append(at)
        axes.text(
            at[0], at[1], corner_number_label(corner), ha="center", va="center", fontsize=8.0, weight="bold", zorder=5
        )
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.margins(0.08)


def corner_number_label(corner: Corner) -> str:
    """``T5``."""
    return f"T{corner.number}"
