"""One driver's session drawn: lap times, sectors, anomaly scores, and incidents on the track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.dptad.rules import CATEGORIES
from analysis.drivers.formatting import format_lap_time, format_tenths
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from serving.charts.circuit import add_event_legend, draw_events, draw_road, label_circuit
from serving.charts.style import (
    CAUTION,
    FAINT,
    GAINED,
    INK,
    LAP,
    LOST,
    MUTED,
    draw_light_grid,
    figure_style,
    new_figure,
)
from serving.queries.laps import PACE, LapRow, find_best_lap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

_CAUTION_REASONS: Final = frozenset({"yellow_flag", "slow_field"})
_MOST_NUMBERED: Final = 32


def lap_times_figure(laps: Sequence[LapRow], field: Sequence[LapRow], target_s: float | None) -> Figure:
    """Lap times over the session: valid laps filled, others hollow; cautions, stops, target and field.

    Laps far slower than the rest are triangles at the upper edge, with their time.
    """
    with figure_style():
        figure = new_figure(9.6, 3.5)
        axes = figure.subplots()
        fit = [lap for lap in laps if PACE in lap.fit_for and lap.lap_time_s]
        top = _draw_laps(axes, laps, fit)
        _draw_field(axes, field, top)
        _draw_cautions(axes, laps)
        for lap in laps:
            if lap.pit_in:
                axes.axvline(lap.lap_number + 0.5, color=MUTED, lw=1.0, ls=(0, (2, 2)))
                axes.text(
                    lap.lap_number + 0.5,
                    0.02,
                    "pit stop ",
                    transform=axes.get_xaxis_transform(),
                    fontsize=8,
                    color=MUTED,
                    va="bottom",
                    ha="right",
                )
        if target_s is not None:
            axes.axhline(
                target_s, color=GAINED, lw=1.2, ls=(0, (5, 3)), label=f"target lap {format_lap_time(target_s)}"
            )
        numbers = [lap.lap_number for lap in laps]
        axes.set_xlim(min(numbers) - 0.6, max(numbers) + 0.6)
        axes.set_xlabel("Lap")
        axes.set_ylabel("Lap time")
        step = max(1, round(len(numbers) / 25))
        axes.set_xticks(range(min(numbers), max(numbers) + 1, step))
        axes.yaxis.set_major_formatter(lambda value, _: format_tenths(value))
        draw_light_grid(axes)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, borderaxespad=0.2, handletextpad=0.4)
    return figure


def sectors_figure(laps: Sequence[LapRow], field: Sequence[LapRow]) -> Figure:
    """Each lap's sector times above the driver's best of that sector: best, mean, and the best of the field.

    Laps far slower than the rest are arrows at the right edge.
    """
    with figure_style():
        figure = new_figure(9.6, 2.5)
        axes = figure.subplots()
        fit = [lap for lap in laps if "sectors" in lap.fit_for]
        edge = _edge_s(fit)
        for k in range(3):
            _draw_sector(axes, k, fit, field, edge)
        axes.axvline(0.0, color=INK, lw=1.0)
        axes.set_yticks([0, 1, 2], ["Sector 1", "Sector 2", "Sector 3"])
        axes.set_ylim(2.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x", color=FAINT, lw=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel("Seconds above the driver's own best of the sector")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, borderaxespad=0.2, handletextpad=0.4)
    return figure


def anomaly_scores_figure(scores: Sequence[Row]) -> Figure:
    """Anomaly scores by lap, a row a category: the darker the more anomalous."""
    from matplotlib.colors import LinearSegmentedColormap

    names = (*CATEGORIES, "overall")
    values = np.array([[_number(row[f"{name}_score"]) for row in scores] for name in names], dtype=np.float64)
    with figure_style():
        figure = new_figure(9.6, 2.1)
        axes = figure.subplots()
        steps = ["#FFFFFF", "#F4C9A4", LOST, "#7A2E00"]
        colours = LinearSegmentedColormap.from_list("anomaly", steps).with_extremes(bad="#F1F3F5")
        axes.pcolormesh(np.ma.masked_invalid(values), cmap=colours, vmin=0.0, vmax=100.0, ec="white", lw=1.5)
        for (row, column), value in np.ndenumerate(values):
            if len(scores) <= _MOST_NUMBERED and not np.isnan(value):
                colour, weight = "white" if value > 55 else INK, "bold" if names[row] == "overall" else "normal"
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=colour,
                    weight=weight,
                )
        axes.set_yticks(np.arange(len(names)) + 0.5, [name.capitalize() for name in names])
        step = max(1, len(scores) // 25)
        shown = range(0, len(scores), step)
        axes.set_xticks([k + 0.5 for k in shown], [str(scores[k]["lap_number"]) for k in shown])
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel("Lap")
    return figure


def events_map_figure(circuit: Circuit, events: Sequence[Row]) -> Figure:
    """Incidents of all laps where they happened."""
    with figure_style():
        figure = new_figure(5.4, 4.8)
        axes = figure.subplots()
        whole = draw_road(axes, circuit, 7.0)
        axes.plot(*whole.T, color=MUTED, lw=0.9, zorder=2)
        draw_events(axes, circuit, events)
        label_circuit(axes, circuit)
        add_event_legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=4)
    return figure


def _draw_laps(axes: Axes, laps: Sequence[LapRow], fit: Sequence[LapRow]) -> float:
    """The driver's laps; returns the upper edge."""
    times = np.array([lap.lap_time_s for lap in (fit or laps) if lap.lap_time_s], dtype=np.float64)
    low, high = (float(times.min()), float(times.max())) if times.size else (0.0, 1.0)
    room = max(high - low, 0.5)
    top = high + 0.35 * room
    axes.set_ylim(low - 0.35 * room, top + 0.12 * room)
    runs = np.split(np.arange(len(fit)), np.flatnonzero(np.diff([lap.lap_number for lap in fit]) != 1) + 1)
    for run in runs if fit else ():
        own = [fit[int(k)] for k in run]
        axes.plot([lap.lap_number for lap in own], [lap.lap_time_s or np.nan for lap in own], color=LAP, lw=1.3)
    axes.plot(
        [lap.lap_number for lap in fit],
        [lap.lap_time_s or np.nan for lap in fit],
        "o",
        color=LAP,
        ms=5,
        label="valid lap",
    )
    others = [lap for lap in laps if PACE not in lap.fit_for and lap.lap_time_s]
    for beyond, marker, label in ((False, "o", "other lap"), (True, "^", None)):
        part = [lap for lap in others if ((lap.lap_time_s or 0.0) > top) == beyond]
        shown = [min(lap.lap_time_s or top, top) for lap in part]
        axes.plot([lap.lap_number for lap in part], shown, marker, mfc="white", mec=LAP, ms=5, ls="", label=label)
        for lap in part if beyond else ():
            axes.annotate(
                format_tenths(lap.lap_time_s or 0.0),
                (lap.lap_number, top),
                xytext=(0, -7),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=7,
                color=MUTED,
            )
    if (best := find_best_lap(laps)) is not None and best.lap_time_s:
        axes.annotate(
            format_lap_time(best.lap_time_s),
            (best.lap_number, best.lap_time_s),
            xytext=(0, -7),
            ha="center",
            va="top",
            textcoords="offset points",
            fontsize=8.5,
            weight="bold",
            color=LAP,
        )
    return top


def _draw_field(axes: Axes, field: Sequence[LapRow], top: float) -> None:
    """Median of the field's laps fit for pace, lap by lap."""
    by_number: dict[int, list[float]] = {}
    for lap in field:
        if PACE in lap.fit_for and lap.lap_time_s:
            by_number.setdefault(lap.lap_number, []).append(lap.lap_time_s)
    known = {number: float(np.median(times)) for number, times in by_number.items() if len(times) >= 3}
    shown = {number: median for number, median in known.items() if median <= top}
    if shown:
        x = np.arange(min(shown), max(shown) + 1)
        y = [shown.get(int(number), np.nan) for number in x]
        dots = (0, (1, 1.5))  # the marks show a lap between two that have no median, where there is no line to see
        axes.plot(x, y, color=MUTED, lw=1.1, ls=dots, marker="_", ms=7, mew=1.4, label="median of the field")


def _draw_cautions(axes: Axes, laps: Sequence[LapRow]) -> None:
    label: str | None = "neutralised"
    for lap in laps:
        if _CAUTION_REASONS & set(lap.invalid_reasons):
            axes.axvspan(
                lap.lap_number - 0.5, lap.lap_number + 0.5, color=CAUTION, alpha=0.6, lw=0, zorder=0, label=label
            )
            label = None


def _draw_sector(axes: Axes, k: int, laps: Sequence[LapRow], field: Sequence[LapRow], edge_s: float) -> None:
    times = _sector_times(laps, k)
    if not times.size:
        axes.text(0.02, k, "no sector times", va="center", color=MUTED)
        return
    best, first = float(times.min()), k == 0
    above, mean = times - best, float(times.mean()) - best
    near, far = above[above <= edge_s], above[above > edge_s]
    axes.plot(near, np.full(near.size, k), "o", color=LAP, alpha=0.35, ms=5, mec="none", label="lap" if first else None)
    axes.plot(np.full(far.size, edge_s), np.full(far.size, k), ">", color=LAP, alpha=0.6, ms=6, mec="none")
    axes.plot(
        [0.0, mean],
        [k, k],
        color=LOST,
        lw=3.0,
        alpha=0.8,
        solid_capstyle="butt",
        zorder=1,
        label="potential: best to mean" if first else None,
    )
    axes.plot(mean, k, "|", color=LOST, ms=15, mew=2.0)
    axes.annotate(f"{mean:.2f} s", (mean, k), xytext=(4, 9), textcoords="offset points", fontsize=8, color=LOST)
    theirs = _sector_times([lap for lap in field if "sectors" in lap.fit_for], k)
    if theirs.size:
        axes.plot(theirs.min() - best, k, "D", mfc="white", mec=INK, ms=6, label="best of the field" if first else None)


def _edge_s(laps: Sequence[LapRow]) -> float:
    """Where the axis of the sectors ends: beyond the means and nine laps in ten."""
    every = [_sector_times(laps, k) for k in range(3)]
    above = [times - times.min() for times in every if times.size]
    return max((max(1.5 * float(x.mean()), 1.3 * float(np.quantile(x, 0.9))) for x in above), default=1.0) or 1.0


def _sector_times(laps: Sequence[LapRow], k: int) -> FloatArray:
    return np.array([lap.sectors_s[k] for lap in laps if lap.sectors_s[k] is not None], dtype=np.float64)


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
