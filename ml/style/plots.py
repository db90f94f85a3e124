"""Figures of a driving-style model; drawn without a display."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from conf.arrays import IntArray
from ml.style.features import LABELS

_BLUE: Final = "#1f5a96"
_ORANGE: Final = "#d9730d"
_GREY: Final = "#8a8f98"


def confusion_figure(confusion: IntArray, title: str = "Windows by class") -> Figure:
    """Confusion matrix with counts and the share of each true class.

    Args:
        confusion: Rows true, columns predicted, in the order of ``LABELS``.
        title: Heading.
    """
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares = confusion / totals
    figure = _figure(4.8, 4.2)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [label.title() for label in LABELS]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names, rotation=90, va="center")
    axes.set(xlabel="Predicted", ylabel="True", title=title)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{confusion[row, column]:,}\n{share:.1%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    return figure


def importance_figure(table: pd.DataFrame, title: str = "Feature importance") -> Figure:
    """Impurity importance beside permutation importance on held-out windows.

    Args:
        table: From :func:`ml.style.evaluation.permutation_importances`.
        title: Heading.
    """
    rows = table.iloc[::-1]
    figure = _figure(9.0, 1.2 + 0.26 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(rows["feature"], rows["impurity"], color=_BLUE)
    left.set(xlabel="Impurity decrease, share (training)")
    right.barh(rows["feature"], rows["permutation"], xerr=rows["permutation_std"], color=_ORANGE, ecolor=_GREY)
    right.axvline(0, color=_GREY, linewidth=0.8)
    right.set(xlabel="Balanced accuracy lost when shuffled (held out)")
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.margins(y=0.01)
    figure.suptitle(title)
    return figure


def probability_figure(
    window_end: ArrayLike, probability: ArrayLike, *, threshold: float = 0.5, title: str = "Driving style"
) -> Figure:
    """Probability of AGGRESSIVE along a session of one vehicle.

    Args:
        window_end: Ends of the windows as datetimes, shape (n,).
        probability: Probabilities, shape (n,); NaN where there is no answer leaves a gap.
        threshold: Above it driving is called aggressive.
        title: Heading.
    """
    times = pd.to_datetime(pd.Series(np.asarray(window_end))).dt.tz_localize(None)
    p = np.asarray(probability, dtype=np.float64)
    # A pause of more than a window is a gap, not a slope.
    broken = np.where(times.diff().dt.total_seconds().to_numpy() > 10.0, np.nan, p)
    figure = _figure(9.0, 3.2)
    axes = figure.subplots()
    axes.plot(times, broken, color=_BLUE, linewidth=1.2)
    axes.fill_between(times, threshold, broken, where=broken > threshold, color=_ORANGE, alpha=0.5, linewidth=0)
    axes.axhline(threshold, color=_GREY, linestyle="--", linewidth=0.8)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set(ylim=(0, 1), ylabel="P(aggressive)", xlabel="Time, UTC", title=title)
    axes.grid(alpha=0.3)
    return figure


def _figure(width_in: float, height_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
