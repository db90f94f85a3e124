"""One car's session drawn by component: karma lap by lap, two laps side by side, damage so far and laps that remain."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.drivers.formatting import format_tenths
from conf.arrays import FloatArray
from serving.charts.style import (
    FAINT,
    INK,
    LAP,
    LOST,
    MUTED,
    SKY,
    draw_light_grid,
    figure_style,
    new_figure,
    time_delta_colormap,
)
from serving.queries.karma import COMPONENTS, OVERALL, KarmaFactor, KarmaLap, KarmaReport, KarmaScore, relative_damage
from serving.queries.karma_terms import factor_words, format_share, remaining_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

Pair = tuple[KarmaLap, KarmaLap]

PAIR_COLOURS: Final = (LAP, LOST)
_WIDTH_IN: Final = 9.6
_HEIGHTS_IN: Final = (4.5, 2.5, 3.6, 4.2)
_MOST_NUMBERED: Final = 36
_MOST_TIMED: Final = 16
_FACTORS: Final = 8
_REFERENCE: Final = 50.0
_LEAST_DIFFERENCE: Final = 3.0  # %, of a factor between two laps: less is not worth a bar
_ON_WHITE: Final = {"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85}


def karma_figure(found: KarmaReport, pair: Pair | None) -> Figure:
    """Everything on one sheet."""
    with figure_style():
        heights = [height for k, height in enumerate(_HEIGHTS_IN) if pair is not None or k != 2]
        figure = new_figure(_WIDTH_IN, sum(heights) + 0.3)
        figure.suptitle(f"Karma of {found.car} in {found.session_id}", x=0.01, ha="left", weight="bold")
        parts = iter(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])
        _draw_scores(next(parts), found)
        _draw_heat(next(parts), found, pair)
        if pair is not None:
            _draw_pair(next(parts), found, pair)
        _draw_damage(next(parts), found)
    return figure


def karma_scores_figure(found: KarmaReport) -> Figure:
    """Karma lap by lap with its 90 % interval, overall and by component; laps without a score with their reason."""
    with figure_style():
        figure = new_figure(_WIDTH_IN, _HEIGHTS_IN[0])
        _draw_scores(figure, found)
    return figure


def karma_heat_figure(found: KarmaReport, pair: Pair | None) -> Figure:
    """Karma of all laps and components as numbers, coloured; the two laps that are compared are marked."""
    with figure_style():
        figure = new_figure(_WIDTH_IN, _HEIGHTS_IN[1])
        _draw_heat(figure, found, pair)
    return figure


def lap_pair_figure(found: KarmaReport, pair: Pair) -> Figure:
    """Damage per km of two laps by component, and the factors in which they differ most."""
    with figure_style():
        figure = new_figure(_WIDTH_IN, _HEIGHTS_IN[2])
        _draw_pair(figure, found, pair)
    return figure


def damage_figure(found: KarmaReport) -> Figure:
    """Damage so far by component, and the laps that remain with their 90 % interval."""
    with figure_style():
        figure = new_figure(_WIDTH_IN, _HEIGHTS_IN[3])
        _draw_damage(figure, found)
    return figure


def _draw_scores(part: FigureBase, found: KarmaReport) -> None:
    grid = part.add_gridspec(2, len(COMPONENTS), height_ratios=(1.15, 1.0))
    whole = part.add_subplot(grid[0, :])
    _draw_karma(whole, found, OVERALL)
    _draw_reasons(whole, found)
    whole.set_title("Overall")
    whole.set_ylabel("Karma (100 = gentle)")
    whole.set_xlabel("Lap")
    _lap_ticks(whole, found, 25)
    for k, name in enumerate(COMPONENTS):
        axes = part.add_subplot(grid[1, k])
        _draw_karma(axes, found, name)
        axes.set_title(name.capitalize())
        axes.set_xlabel("Lap")
        _lap_ticks(axes, found, 6)
        if k == 0:
            axes.set_ylabel("Karma")
        else:
            axes.tick_params(labelleft=False)


def _draw_karma(axes: Axes, found: KarmaReport, component: str) -> None:
    """Scores of one component: the interval as a band, the lowest with its number."""
    laps = found.of(component)
    axes.set_ylim(0.0, 100.0)
    axes.set_yticks([0, 25, 50, 75, 100])
    draw_light_grid(axes)
    _shade_unscored(axes, found, component)
    if not laps:
        axes.text(0.5, 0.5, "no score", transform=axes.transAxes, ha="center", va="center", color=MUTED, bbox=_ON_WHITE)
        return
    numbers = np.array([lap.number for lap, _ in laps])
    karma, low, high = (_column(laps, name) for name in ("karma", "low", "high"))
    axes.axhline(_REFERENCE, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.bar(numbers, high - low, bottom=low, width=0.92, color=SKY, alpha=0.38, lw=0, zorder=2)
    for run in np.split(np.arange(numbers.size), np.flatnonzero(np.diff(numbers) != 1) + 1):
        axes.plot(numbers[run], karma[run], color=LAP, lw=1.2, zorder=3)
    axes.plot(numbers, karma, "o", color=LAP, ms=4.5 if component == OVERALL else 3.2, zorder=4)
    k = int(karma.argmin())
    axes.plot(numbers[k], karma[k], "o", color=LOST, ms=6.5 if component == OVERALL else 5.0, zorder=5)
    near = np.abs(np.arange(numbers.size) - k) <= max(2, numbers.size // 4)
    room = (low[k] if np.isfinite(low[k]) else karma[k], float(np.fmax(high, karma)[near].max()))
    _name_lowest(axes, found, numbers[k], room, f"{karma[k]:.0f}")


def _name_lowest(axes: Axes, found: KarmaReport, number: int, room: tuple[float, float], value: str) -> None:
    """The lowest score beneath its interval, above those around it where there is no room; towards the middle."""
    right = number > (found.laps[0].number + found.laps[-1].number) / 2
    below, above = room
    on_top = below < 16.0
    axes.annotate(
        f"{value} on lap {number}",
        (number, min(above, 90.0) if on_top else below),
        xytext=(4 if right else -4, 3 if on_top else -3),
        textcoords="offset points",
        ha="right" if right else "left",
        va="bottom" if on_top else "top",
        fontsize=8,
        weight="bold",
        color=LOST,
        zorder=6,
    )


def _shade_unscored(axes: Axes, found: KarmaReport, component: str) -> None:
    scored = {lap.number for lap, _ in found.of(component)}
    for lap in found.laps:
        if lap.number not in scored:
            axes.axvspan(lap.number - 0.46, lap.number + 0.46, fc="#F6F7F9", ec="#DDE1E6", hatch="////", lw=0, zorder=1)


def _draw_reasons(axes: Axes, found: KarmaReport) -> None:
    """Why laps have no score, upright in their place."""
    lines = 3 if len(found.laps) <= _MOST_TIMED else 2
    for lap in found.laps:
        if lap.reason is not None:
            words = textwrap.wrap(f"no score: {lap.reason}", 28, max_lines=lines, placeholder=" ...")
            axes.text(
                lap.number,
                50.0,
                "\n".join(words),
                rotation=90,
                ha="center",
                va="center",
                fontsize=7.5,
                color=INK,
                linespacing=1.05,
                zorder=4,
                bbox=_ON_WHITE,
            )


def _draw_heat(part: FigureBase, found: KarmaReport, pair: Pair | None) -> None:
    names = (*COMPONENTS, OVERALL)
    values = np.array([[_karma(lap, name) for lap in found.laps] for name in names], dtype=np.float64)
    axes = part.subplots()
    colours = time_delta_colormap().reversed().with_extremes(bad="#F6F7F9")
    axes.pcolormesh(np.ma.masked_invalid(values), cmap=colours, vmin=0.0, vmax=100.0, ec="white", lw=1.5)
    numbered = len(found.laps) <= _MOST_NUMBERED
    for (row, column), value in np.ndenumerate(values):
        if numbered and not np.isnan(value):
            weight = "bold" if names[row] == OVERALL or value < 25.0 else "normal"
            axes.text(
                column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center_baseline", fontsize=8.5, weight=weight
            )
    for column in np.flatnonzero(np.isnan(values).all(axis=0)) if numbered else ():
        axes.text(
            column + 0.5, len(names) / 2, "not scored", rotation=90, ha="center", va="center", fontsize=8, color=MUTED
        )
    axes.set_yticks(np.arange(len(names)) + 0.5, [name.capitalize() for name in names])
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.axhline(len(COMPONENTS), color="white", lw=5.0)
    step = max(1, len(found.laps) // 25)
    shown = range(0, len(found.laps), step)
    axes.set_xticks([k + 0.5 for k in shown], [_lap_label(found.laps[k], len(found.laps)) for k in shown])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xlabel("Lap and lap time" if len(found.laps) <= _MOST_TIMED else "Lap")
    for lap, colour in zip(pair or (), PAIR_COLOURS, strict=False):
        axes.plot(found.laps.index(lap) + 0.5, -0.16, "v", color=colour, ms=7, clip_on=False)


def _lap_label(lap: KarmaLap, of: int) -> str:
    if of > _MOST_TIMED:
        return str(lap.number)
    return f"{lap.number}\n{format_tenths(lap.time_ms / 1000.0) if lap.time_ms is not None else 'no time'}"


def _draw_pair(part: FigureBase, found: KarmaReport, pair: Pair) -> None:
    left, right = part.subplots(1, 2, width_ratios=(1.0, 1.15))
    _draw_wear(left, found, pair)
    _draw_factors(right, pair)
    handles, labels = left.get_legend_handles_labels()
    part.legend(handles, labels, loc="outside lower left", ncols=2, handlelength=1.0, columnspacing=1.2)


def _draw_wear(axes: Axes, found: KarmaReport, pair: Pair) -> None:
    """Damage per km of both laps as multiples of the reference, which makes components comparable."""
    names = found.components
    axes.set_title("Damage per km")
    axes.text(1.0, 1.02, "of a life, a km", transform=axes.transAxes, ha="right", fontsize=7.5, color=MUTED)
    for side, (lap, colour) in enumerate(zip(pair, PAIR_COLOURS, strict=True)):
        scores = [(row, s) for row, name in enumerate(names) if (s := lap.scores.get(name)) and s.karma is not None]
        at = np.array([row for row, _ in scores]) + (side - 0.5) * 0.38
        wear = np.array([s.wear for _, s in scores], dtype=np.float64)
        axes.barh(at, wear, height=0.34, color=colour, label=_lap_words(found, lap))
        for y, (_, score), length in zip(at, scores, wear, strict=True):
            end = length
            if score.low is not None and score.high is not None:
                end = max(relative_damage(score.low), length)
                axes.plot([relative_damage(score.high), end], [y, y], color=INK, lw=0.9, alpha=0.75)
            axes.annotate(
                f"{length:.1f}\u00d7",
                (end, y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                weight="bold",
                bbox=_ON_WHITE,
            )
            rate = "" if score.damage_per_km is None else format_share(score.damage_per_km)
            axes.text(
                1.0,
                y,
                rate,
                transform=axes.get_yaxis_transform(),
                ha="right",
                va="center",
                fontsize=7.5,
                color=MUTED,
                bbox=_ON_WHITE,
            )
    axes.axvline(1.0, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=0)
    axes.set_yticks(range(len(names)), [name.capitalize() for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.margins(x=0.4)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("Multiple of the reference (1 is karma 50)")
    _style_bars(axes)


def _draw_factors(axes: Axes, pair: Pair) -> None:
    """What both laps have of the factors in which they differ most."""
    rows = [
        row for row in largest_factor_differences(*pair) if abs((row[3] or 0.0) - (row[2] or 0.0)) >= _LEAST_DIFFERENCE
    ][:_FACTORS]
    axes.set_title("What made the difference")
    if not rows:
        axes.text(0.5, 0.5, "no factor differs between these laps", transform=axes.transAxes, ha="center", color=MUTED)
        axes.set_axis_off()
        return
    for side, colour in enumerate(PAIR_COLOURS):
        for row, (_, _, *percents) in enumerate(rows):
            value, y = percents[side], row + (side - 0.5) * 0.38
            if value is None:
                continue
            axes.barh(y, value, height=0.34, color=colour)
            axes.annotate(
                f"{round(value):+d} %",
                (value, y),
                xytext=(4 if value >= 0 else -4, 0),
                va="center",
                textcoords="offset points",
                ha="left" if value >= 0 else "right",
                fontsize=7.5,
            )
    axes.axvline(0.0, color=INK, lw=0.9)
    axes.set_yticks(range(len(rows)), [f"{name.capitalize()}: {factor_words(feature)}" for name, feature, *_ in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.margins(x=0.16)
    axes.set_xlabel("Change of the damage per km, %")
    _style_bars(axes)


def largest_factor_differences(first: KarmaLap, second: KarmaLap) -> list[tuple[str, str, float | None, float | None]]:
    """Component, feature and what it did in both laps, in %; the largest difference first.

    ``None``: not among that lap's factors, which counts as no change.
    """
    found = []
    for name in COMPONENTS:
        sides = [{f.feature: f.percent for f in _factors(lap, name)} for lap in (first, second)]
        found += [(name, f, sides[0].get(f), sides[1].get(f)) for f in dict.fromkeys((*sides[0], *sides[1]))]
    return sorted(found, key=lambda row: -abs((row[3] or 0.0) - (row[2] or 0.0)))


def _draw_damage(part: FigureBase, found: KarmaReport) -> None:
    grid = part.add_gridspec(2, len(COMPONENTS), height_ratios=(1.0, 0.95))
    for k, name in enumerate(COMPONENTS):
        axes = part.add_subplot(grid[0, k])
        _draw_cumulative(axes, found, name)
        if k == 0:
            axes.set_ylabel("Damage so far,\n% of a life")
    _draw_remaining(part.add_subplot(grid[1, :]), found)


def _draw_cumulative(axes: Axes, found: KarmaReport, component: str) -> None:
    """Damage up to each lap, what the lap added on top; the lap that added most stands out."""
    laps = [(lap, s) for lap, s in found.of(component) if s.cumulative_damage is not None]
    _shade_unscored(axes, found, component)
    _lap_ticks(axes, found, 6)
    axes.set_xlabel("Lap")
    draw_light_grid(axes)
    if not laps:
        axes.set_title(component.capitalize())
        axes.set_yticks([])
        return
    numbers = [lap.number for lap, _ in laps]
    total, added = 100.0 * _column(laps, "cumulative_damage"), 100.0 * np.nan_to_num(_column(laps, "lap_damage"))
    axes.bar(numbers, total - added, width=0.84, color=FAINT, zorder=2)
    most = int(added.argmax())
    colours = [LOST if k == most else LAP for k in range(len(laps))]
    axes.bar(numbers, added, bottom=total - added, width=0.84, color=colours, zorder=2)
    axes.set_ylim(0.0, 1.12 * float(total.max()) or 1.0)
    axes.locator_params(axis="y", nbins=4)
    axes.set_title(f"{component.capitalize()}: {format_share(total[-1] / 100.0)}", fontsize=9.0)


def _draw_remaining(axes: Axes, found: KarmaReport) -> None:
    """Laps until a part that was new at the start is worn: a dot and its interval, on a logarithmic axis."""
    from matplotlib.ticker import LogLocator

    last = {name: found.of(name)[-1][1] for name in found.components}
    known = [(name, s) for name, s in last.items() if s.remaining_laps is not None]
    axes.set_title("Laps that remain to a part that was new at the start")
    if not known:
        axes.text(0.0, 0.5, "not known yet: it takes several scored laps", transform=axes.transAxes, color=MUTED)
        axes.set_axis_off()
        return
    ends = [
        max(x, 1.0) for _, s in known for x in (s.remaining_laps, s.remaining_low, s.remaining_high) if x is not None
    ]
    soonest = min(s.remaining_laps or 0.0 for _, s in known)
    for row, (_, score) in enumerate(known):
        laps = max(score.remaining_laps or 0.0, 1.0)
        colour = LOST if score.remaining_laps == soonest else LAP
        edge = laps
        if score.remaining_low is not None and score.remaining_high is not None:
            edge = max(score.remaining_high, 1.0)
            axes.plot(
                [max(score.remaining_low, 1.0), edge],
                [row, row],
                color=colour,
                lw=7.0,
                alpha=0.3,
                solid_capstyle="butt",
            )
        axes.plot(laps, row, "o", color=colour, ms=6)
        axes.annotate(
            remaining_words(score), (edge, row), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_xscale("log")
    axes.set_xlim(min(ends) / 1.3, max(ends) * 2.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.minorticks_off()
    axes.set_yticks(range(len(known)), [name.capitalize() for name, _ in known])
    axes.set_ylim(len(known) - 0.4, -0.6)
    axes.set_xlabel("Laps, logarithmic")
    _style_bars(axes)


def _lap_ticks(axes: Axes, found: KarmaReport, most: int) -> None:
    first, last = found.laps[0].number, found.laps[-1].number
    step = max(1, -(-(last - first + 1) // most))
    axes.set_xlim(first - 0.6, last + 0.6)
    axes.set_xticks(range(first, last + 1, step))


def _style_bars(axes: Axes) -> None:
    """For bars that lie: lines to read values by, and no line at the names."""
    axes.grid(visible=True, axis="x", color=FAINT, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _lap_words(found: KarmaReport, lap: KarmaLap) -> str:
    karma = [one.karma or 0.0 for one in found.scored]
    what = {max(karma): ", the gentlest", min(karma): ", the hardest"}.get(lap.karma or 0.0, "")
    return f"lap {lap.number} (karma {lap.karma:.0f}{what})"


def _factors(lap: KarmaLap, component: str) -> Sequence[KarmaFactor]:
    score = lap.scores.get(component)
    return () if score is None or score.karma is None else score.factors


def _column(laps: Sequence[tuple[KarmaLap, KarmaScore]], name: str) -> FloatArray:
    return np.array([getattr(score, name) for _, score in laps], dtype=np.float64)


def _karma(lap: KarmaLap, component: str) -> float:
    score = lap.scores.get(component)
    return np.nan if score is None or score.karma is None else score.karma
