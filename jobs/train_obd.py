"""Job: the driving-style recipe for labelled OBD trips, evaluated on trips it has not seen, into MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ml.style.obd import (
    BETTER,
    ObdReport,
    Recipe,
    along_trip_figure,
    evaluate,
    fit_obd,
    label_rule_figure,
    random_vs_held_out_figure,
    read_trips,
    roc_pr_figure,
)
from ml.tracking import TrackedRun, Tracker

EXPERIMENT: Final = "driving-style-obd"


@dataclass(frozen=True)
class ObdRun:
    """Outcome: the report, its page and its plots."""

    report: ObdReport
    page: str
    plots: tuple[Path, ...]


def train_obd(
    paths: Sequence[Path], tracker: Tracker, plots: Path, recipes: Recipe | Sequence[Recipe] = BETTER
) -> ObdRun:
    """Evaluate recipes with each trip held out in turn, and log figures, intervals and the model fitted on all trips.

    Args:
        paths: Trip files, at least two.
        tracker: Where the run goes.
        plots: Folder for copies of the figures.
        recipes: Recipes to hold against the baseline.
    """
    trips = read_trips(paths)
    report = evaluate(trips, recipes)
    with tracker.run(EXPERIMENT, "held-out-trips", {"trips": ", ".join(t.name for t in trips)}) as run:
        run.params({"block_rows": report.block_rows, "n_resamples": report.n_resamples, "seed": report.seed})
        run.metrics(_metrics(report))
        run.table(report.to_dict(), "report")
        drawn = _figures(run, report, plots)
        fitted = fit_obd(trips)
        run.params({"recipe": BETTER.name, "window_rows": "+".join(map(str, fitted.window_rows))})
        return ObdRun(report, tracker.page(run), drawn)


def _metrics(report: ObdReport) -> dict[str, float]:
    values: dict[str, float] = {}
    for one in report.held_out:
        prefix = f"{one.recipe}.{one.trip}".replace(" ", "_")
        for name, figure in (("auc", one.auc), ("pr_auc", one.pr_auc)):
            values[f"{prefix}.{name}"] = figure.value
            values |= {f"{prefix}.{name}_low": figure.low, f"{prefix}.{name}_high": figure.high}
    for split in report.random_split:
        values[f"{split.recipe}.random_split.auc".replace(" ", "_")] = split.auc
    for gain in report.gains:
        prefix = f"gain.{gain.recipe}.{gain.trip}".replace(" ", "_")
        values |= {f"{prefix}.auc": gain.auc.value, f"{prefix}.auc_low": gain.auc.low}
    return values


def _figures(run: TrackedRun, report: ObdReport, folder: Path) -> tuple[Path, ...]:
    last = report.held_out[-1]
    figures = {
        "obd_roc_pr": roc_pr_figure(report),
        "obd_random_vs_held_out": random_vs_held_out_figure(report),
        "obd_along_trip": along_trip_figure(report, last.recipe, last.trip),
        "obd_label_rule": label_rule_figure(report),
    }
    paths = [run.figure(figure, name, folder) for name, figure in figures.items()]
    return tuple(p for p in paths if p)
