"""Elements shared by all drawings of a circuit: the road, positions along it, corner labels, event marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from analysis.comparison.corner_metrics import corner_stretches, find_braking_point
from analysis.comparison.places import PlaceRule, Sides
from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray
from serving.charts.style import FIFTH, GAINED, INK, LAP, LOST, MUTED, REFERENCE, SIXTH

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


@dataclass(frozen=True)
class CircuitLabels:
    """Where the labels of a circuit go.

    Attributes:
        corners: A place beside each corner, shape (2,).
        start: Ends of the bar across the line where laps begin, shape (2, 2).
        way: Tail and tip of the arrow that shows the way round, shape (2, 2).
    """

    corners: tuple[FloatArray, ...]
    start: FloatArray
    way: FloatArray


def place_circuit_labels(circuit: Circuit) -> CircuitLabels:
    """Place corner labels, start bar and arrow so that they are clear of the line and of each other."""
    line = circuit.line
    reach = 0.06 * float(max(np.ptp(line.x_m), np.ptp(line.y_m)))
    left = left_normal(circuit, 0.0)
    start = point_on_line(circuit, 0.0) + np.outer((-1.0, 1.0), left) * 0.45 * reach
    tail = point_on_line(circuit, 0.0) + left * reach * 0.75
    way = np.array([left[1], -left[0]]) * reach * 1.3
    taken = [tail, tail + way / 2, tail + way, *start]
    places: list[FloatArray] = []
    for corner in circuit.corners:
        places.append(find_label_position(circuit, corner, reach, [*taken, *places]))
    return CircuitLabels(tuple(places), start, np.stack([tail, tail + way]))


def label_circuit(axes: Axes, circuit: Circuit) -> None:
    """Numbers and names of the corners beside them, a bar across the line where laps begin, and the way round."""
    labels = place_circuit_labels(circuit)
    axes.plot(*labels.start.T, color=INK, lw=2.4, solid_capstyle="butt", zorder=4)
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.2, "shrinkA": 0.0, "shrinkB": 0.0}
    axes.annotate("", xy=tuple(labels.way[1]), xytext=tuple(labels.way[0]), arrowprops=arrow, zorder=4)
    middle: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 5}
    for corner, at in zip(circuit.corners, labels.corners, strict=True):
        axes.text(at[0], at[1], corner_number_label(corner), fontsize=8.0, weight="bold", **middle)
        if corner.name:
            side = find_label_side(circuit, corner, at)
            away: dict[str, Any] = middle | {"ha": {"left": "right", "right": "left"}.get(side, "center")}
            beside = (-6 * (side == "right") + 6 * (side == "left"), -9)
            axes.annotate(
                corner.name, tuple(at), xytext=beside, textcoords="offset points", fontsize=7.0, color=MUTED, **away
            )
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.margins(0.08)


def find_label_side(circuit: Circuit, corner: Corner, at: FloatArray) -> Literal["left", "right", "centre"]:
    """On which side of its corner a label stands: words beside it grow away from the road."""
    across, up = at - point_on_line(circuit, corner.apex_m)
    if abs(across) < abs(up):
        return "centre"
    return "right" if across > 0 else "left"


def find_braking_points_m(circuit: Circuit, sides: Sides) -> tuple[list[float], list[float]]:
    """Where the lap and where the reference begin to brake for the corners, distances from the line."""
    stretches, rule = corner_stretches(circuit), PlaceRule()
    lap, reference = (
        [
            at % side.length_m
            for stretch in stretches
            if (at := find_braking_point(side, stretch, rule.brake_on_bar)) is not None
        ]
        for side in sides
    )
    return lap, reference


def draw_braking_points(axes: Axes, circuit: Circuit, points_m: tuple[Sequence[float], Sequence[float]]) -> None:
    """Where two laps begin to brake: bars from the line, the lap's to the left and the reference's to the right."""
    reach = 0.03 * float(max(np.ptp(circuit.line.x_m), np.ptp(circuit.line.y_m)))
    kinds = ((reach, LAP, "lap brakes"), (-reach, REFERENCE, "reference brakes"))
    for places, (outwards, colour, label) in zip(points_m, kinds, strict=True):
        for k, place in enumerate(places):
            at = point_on_line(circuit, place)
            bar = np.stack([at, at + left_normal(circuit, place) * outwards])
            axes.plot(*bar.T, color=colour, lw=2.2, solid_capstyle="butt", zorder=5, label="_" if k else label)


def corner_number_label(corner: Corner) -> str:
    """``T5``."""
    return f"T{corner.number}"
