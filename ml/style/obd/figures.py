"""Plots of an evaluation, as matplotlib Figures that the caller saves, shows or logs."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from ml.style.obd.report import HeldOutScore, ObdReport


def roc_pr_figure(report: ObdReport) -> Figure:
    """ROC above, precision and recall below; a column a held-out trip, a line a recipe, intervals in the legend."""
    trips = [facts.trip for facts in report.trips]
    figure = Figure(figsize=(4.6 * len(trips), 11), layout="constrained")
    axes = figure.subplots(2, len(trips), squeeze=False)
    for column, trip in enumerate(trips):
        for one in (one for one in report.held_out if one.trip == trip):
            _draw_curves(axes[0, column], axes[1, column], report, one)
        roc, pr = axes[:, column]
        below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "fontsize": 8}
        share = next(one.prevalence for one in report.held_out if one.trip == trip)
        roc.plot([0, 1], [0, 1], color="0.7", linestyle=":")
        pr.axhline(share, color="0.7", linestyle=":")
        roc.set(title=f"{trip}, held out", xlabel="false positive rate", ylabel="true positive rate")
        pr.set(xlabel="recall", ylabel="precision", ylim=(0, 1.02))
        roc.legend(title="AUC [95 %]", **below)
        pr.legend(title="PR-AUC [95 %]", **below)
    return figure


def random_vs_held_out_figure(report: ObdReport) -> Figure:
    """Bars of AUC by recipe: the random split first, then each held-out trip with its interval."""
    recipes = [one.recipe for one in report.random_split]
    trips = [facts.trip for facts in report.trips]
    figure = Figure(figsize=(2.2 * len(recipes) + 4, 4.8), layout="constrained")
    axes = figure.subplots()
    place, width = np.arange(len(recipes)), 0.8 / (1 + len(trips))
    bars = axes.bar(place, [one.auc for one in report.random_split], width, color="0.75", label="random split")
    axes.bar_label(bars, fmt="%.3f", fontsize=7)
    for number, trip in enumerate(trips, start=1):
        found = [one.auc for recipe in recipes for one in report.held_out if (one.recipe, one.trip) == (recipe, trip)]
        value = np.array([one.value for one in found])
        error = np.array([[one.value - one.low for one in found], [one.high - one.value for one in found]])
        bars = axes.bar(place + number * width, value, width, yerr=np.maximum(error, 0), capsize=3, label=trip)
        axes.bar_label(bars, fmt="%.3f", fontsize=7)
    axes.axhline(0.5, color="0.5", linestyle=":")
    axes.set_xticks(place + len(trips) * width / 2, recipes)
    axes.set(ylabel="AUC", ylim=(0.4, 1.12), title="A random split of windows against whole trips held out")
    axes.legend(fontsize=8, ncols=len(trips) + 1, loc="upper center")
    return figure


def along_trip_figure(report: ObdReport, recipe: str, trip: str) -> Figure:
    """Probability along each drive of a held-out trip; shaded where the label says aggressive.

    Raises:
        ValueError: the report has no such recipe or trip.
    """
    scores = report.scores[(report.scores["recipe"] == recipe) & (report.scores["trip"] == trip)]
    if scores.empty:
        raise ValueError(f"no scores of recipe {recipe!r} on trip {trip!r} in this report")
    drives = list(scores.groupby("drive"))
    figure = Figure(figsize=(13, 1.3 * len(drives) + 1), layout="constrained")
    for axes, (number, drive) in zip(figure.subplots(len(drives), 1, squeeze=False)[:, 0], drives, strict=True):
        seconds = np.arange(len(drive))
        axes.fill_between(seconds, 0, 1, where=drive["aggressive"].to_numpy(), color="tab:orange", alpha=0.45, lw=0)
        axes.plot(seconds, drive["probability"], color="tab:blue", linewidth=0.9)
        axes.set(ylim=(0, 1), xlim=(0, scores.groupby("drive").size().max()), ylabel=f"drive {number}")
        axes.axhline(0.5, color="0.5", linewidth=0.6, linestyle=":")
    axes.set_xlabel("row of the drive (about 1 s each)")
    figure.suptitle(f"{trip}, held out: probability of aggressive style ({recipe}); shaded: labelled aggressive")
    return figure


def label_rule_figure(report: ObdReport) -> Figure:
    """AUC of the spread of engine speed alone against the length of its window, without any model."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for facts in report.trips:
        axes.plot(list(facts.rpm_spread_auc), list(facts.rpm_spread_auc.values()), marker="o", label=facts.trip)
    axes.set(
        xlabel="window, rows",
        ylabel="AUC of one number",
        ylim=(0.5, 1.01),
        title="Standard deviation of rpm over a window, as the only score",
    )
    axes.legend()
    return figure


def _draw_curves(roc: Axes, pr: Axes, report: ObdReport, one: HeldOutScore) -> None:
    scores = report.scores[(report.scores["recipe"] == one.recipe) & (report.scores["trip"] == one.trip)]
    false_rate, true_rate, _ = roc_curve(scores["aggressive"], scores["probability"])
    precision, recall, _ = precision_recall_curve(scores["aggressive"], scores["probability"])
    roc.plot(false_rate, true_rate, label=f"{one.recipe} {one.auc}")
    pr.plot(recall, precision, label=f"{one.recipe} {one.pr_auc}")
