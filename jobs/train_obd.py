"""Job: the driving-style recipe for labelled OBD trips, evaluated on trips it has not seen, into MLflow."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conf.errors import InputError
from jobs.job import BatchJob, RunContext
from ml.style.obd import (
    BETTER,
    ObdReport,
    Recipe,
    along_trip_figure,
    evaluate_recipes,
    fit_obd,
    label_rule_figure,
    random_vs_held_out_figure,
    read_trips,
    roc_pr_figure,
)
from ml.tracking import TrackedRun, Tracker

EXPERIMENT: Final = "driving-style-obd"


@dataclass(frozen=True)
class ObdTrainingResult:
    """Outcome: the report, its page and its plots."""

    report: ObdReport
    page: str
    plots: tuple[Path, ...]

    @property
    def sentence(self) -> str:
        """What the better recipe gains over the baseline, over all trips."""
        gain = next(g for g in self.report.gains if g.trip == "pooled")
        return f"pooled gain in AUC over the baseline: {gain.auc}"


def train_obd(
    paths: Sequence[Path], tracker: Tracker, plots: Path, recipes: Recipe | Sequence[Recipe] = BETTER
) -> ObdTrainingResult:
    """Evaluate recipes with each trip held out in turn, and log figures, intervals and the model fitted on all trips.

    Args:
        paths: Trip files, at least two.
        tracker: Where the run goes.
        plots: Folder for copies of the figures.
        recipes: Recipes to hold against the baseline.
    """
    trips = read_trips(paths)
    report = evaluate_recipes(trips, recipes)
    with tracker.run(EXPERIMENT, "held-out-trips", {"trips": ", ".join(t.name for t in trips)}) as run:
        run.params({"block_rows": report.block_rows, "n_resamples": report.n_resamples, "seed": report.seed})
        run.metrics(_metrics(report))
        run.table(report.to_dict(), "report")
        drawn = _figures(run, report, plots)
        fitted = fit_obd(trips)
        run.params({"recipe": BETTER.name, "window_rows": "+".join(map(str, fitted.window_rows))})
        return ObdTrainingResult(report, tracker.page(run), drawn)


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


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--trip", dest="trips", action="append", type=Path, required=True, metavar="FILE", help="a trip file; repeat it"
    )


def _run(context: RunContext, given: Namespace) -> str:
    if len(given.trips) < 2:
        raise InputError("--trip: give at least two trips, so that each can be held out")
    return train_obd(given.trips, context.tracker, context.settings.reports_dir / "style-obd").sentence


JOB: Final = BatchJob(
    name="train_obd",
    module="jobs.train_obd",
    command="train style",
    summary="Evaluate the driving-style recipes on labelled OBD trips, each held out in turn.",
    other_inputs=("files of OBD trips",),
    other_outputs=(f"MLflow experiment {EXPERIMENT}",),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
