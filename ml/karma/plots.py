"""Figures of a model of wear; drawn without a display."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from conf.wear import COMPONENTS
from ml.karma.evaluation import LEVELS, KarmaEvaluation

_BLUE: Final = "#1f5a96"
_ORANGE: Final = "#d9730d"
_GREY: Final = "#8a8f98"
_PERCENT_IN_100_KM: Final = 1e4  # of a life, for a share of one per km


def predicted_figure(evaluation: KarmaEvaluation, title: str) -> Figure:
    """Predicted against true damage per km of laps kept aside, a panel a component.

    Args:
        evaluation: On those laps.
        title: Heading.
    """
    figure = _figure(13.0, 3.4)
    for c, (axes, component) in enumerate(zip(figure.subplots(1, len(COMPONENTS)), COMPONENTS, strict=True)):
        true, predicted = (_PERCENT_IN_100_KM * np.exp(each[:, c]) for each in (evaluation.true, evaluation.predicted))
        ends = (min(true.min(), predicted.min()) * 0.8, max(true.max(), predicted.max()) * 1.25)
        axes.plot(ends, ends, color=_GREY, linewidth=0.9)
        axes.plot(true, predicted, ".", color=_BLUE, markersize=4, alpha=0.6)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="true, % of a life in 100 km")
        for axis in (axes.xaxis, axes.yaxis):
            wide = ends[1] / ends[0] > 200.0
            axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(
            f"{component}: R² {evaluation.r2[c]:.3f}\none feature alone: {evaluation.r2_rule[c]:.3f}", fontsize=10
        )
        axes.set_aspect("equal")
        axes.grid(alpha=0.25)
        if c == 0:
            axes.set_ylabel("predicted")
    figure.suptitle(title)
    return figure


def calibration_figure(evaluation: KarmaEvaluation, title: str) -> Figure:
    """Share of laps within intervals against what the intervals promise.

    Args:
        evaluation: On laps kept aside.
        title: Heading.
    """
    figure = _figure(5.2, 4.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.9)
    for c, component in enumerate(COMPONENTS):
        axes.plot(LEVELS, evaluation.observed[:, c], marker="o", markersize=3, linewidth=1.3, label=component)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="share of laps that the interval is to hold",
        ylabel="share that it holds",
        title=title,
    )
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    return figure


def importance_figure(table: pd.DataFrame, title: str) -> Figure:
    """How much each factor moves each component's damage between laps.

    Args:
        table: From :func:`ml.karma.evaluation.factor_importances`.
        title: Heading.
    """
    order = table.mean(axis=1).sort_values().index
    figure = _figure(13.0, 1.4 + 0.3 * len(table))
    for axes, component in zip(figure.subplots(1, len(COMPONENTS), sharey=True), COMPONENTS, strict=True):
        values = 100.0 * np.expm1(table.loc[order, component])
        axes.barh([name.replace("_", " ") for name in order], values, color=_ORANGE)
        axes.set(xlabel="mean change of damage, %", title=component)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    figure.suptitle(title)
    return figure


def _figure(width_in: float, height_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
