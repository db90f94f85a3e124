"""Time lost over distance as every picture of two laps shows it: a curve, a coloured track, corner labels above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from analysis.comparison.places import Sides
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from serving.charts.circuit import (
    corner_number_label,
    draw_braking_points,
    draw_road,
    find_braking_points_m,
    label_circuit,
    point_on_line,
)
from serving.charts.style import GAINED, INK, LOST, MUTED, time_delta_colormap

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_SMOOTHING_M: Final = 25.0
_PER_M: Final = 100.0
_LEAST_SCALE_S: Final = 0.02
_LABEL_SHARE: Final = 0.03  # of the lap: corners closer than this have their labels at two heights


def local_loss_rate(distance_m: FloatArray, delta_s: FloatArray) -> FloatArray:
    """Time lost per 100 m at each distance, smoothed over about 25 m, shape (n,)."""
    step = float(np.median(np.diff(distance_m)))
    even = np.arange(0.0, distance_m[-1], step)
    delta = np.interp(even, distance_m, delta_s)
    rate = np.gradient(gaussian_filter1d(delta, _SMOOTHING_M / step, mode="nearest"), step) * _PER_M
    return np.asarray(np.interp(distance_m, even, rate), dtype=np.float64)


def draw_delta(axes: Axes, distance_m: FloatArray, delta_s: FloatArray) -> None:
    """The time lost so far, red above and green below zero, and what it is at the line."""
    axes.axhline(0.0, color=MUTED, lw=0.8)
    for lost, colour in ((delta_s >= 0.0, LOST), (delta_s <= 0.0, GAINED)):
        axes.fill_between(distance_m, delta_s, 0.0, where=lost, interpolate=True, color=colour, alpha=0.25, lw=0)
    axes.plot(distance_m, delta_s, color=INK, lw=1.4)
    axes.annotate(
        f"{delta_s[-1]:+.3f} s",
        (distance_m[-1], delta_s[-1]),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        fontweight="bold",
        annotation_clip=False,
    )
    axes.set_ylabel("Time lost, s")


def draw_loss_map(
    axes: Axes, circuit: Circuit, distance_m: FloatArray, delta_s: FloatArray, sides: Sides | None = None
) -> None:
    """The circuit, coloured by the time lost in each place.

    Args:
        axes: Where to.
        circuit: The circuit.
        distance_m: Distances from the line, shape (n,).
        delta_s: Time lost up to there, shape (n,).
        sides: The lap and the reference, to mark where they begin to brake.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize

    loss = local_loss_rate(distance_m, delta_s)
    most = max(_LEAST_SCALE_S, float(np.quantile(np.abs(loss), 0.98)))
    points = point_on_line(circuit, distance_m)
    norm, colours = Normalize(-most, most), time_delta_colormap()
    draw_road(axes, circuit, 8.0)
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(list(pieces), cmap=colours, norm=norm, lw=4.0, capstyle="round", zorder=2)
    lines.set_array((loss[:-1] + loss[1:]) / 2)
    axes.add_collection(lines)
    label_circuit(axes, circuit)
    if sides is not None:
        draw_braking_points(axes, circuit, find_braking_points_m(circuit, sides))
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, handlelength=0.9, borderaxespad=0.0)
    bar = axes.figure.colorbar(
        ScalarMappable(norm, colours), ax=axes, location="bottom", shrink=0.7, aspect=30, pad=0.02
    )
    bar.set_label(f"Time lost per {_PER_M:.0f} m, s (green: gained)")
    bar.outline.set_visible(False)


def label_corners(axes: Axes, circuit: Circuit) -> None:
    """Corner numbers above a panel over distance, close ones at two heights."""
    last, raised = -np.inf, False
    for corner in circuit.corners:
        raised = corner.apex_m - last < _LABEL_SHARE * circuit.length_m and not raised
        last = corner.apex_m
        axes.text(
            corner.apex_m,
            1.05 if raised else 1.01,
            corner_number_label(corner),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=MUTED,
        )
