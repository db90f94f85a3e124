"""Train and score: ``train style``, ``score style``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.console import DryRun, summary

if TYPE_CHECKING:
    from ml.jobs.train_style import Trained

app = typer.Typer()
train = typer.Typer(no_args_is_help=True, help="Train a model on gold and register it in MLflow.")
score = typer.Typer(no_args_is_help=True, help="Apply a registered model to gold.")
app.add_typer(train, name="train", rich_help_panel="Models")
app.add_typer(score, name="score", rich_help_panel="Models")

Features = Annotated[
    Literal["all", "chassis"],
    typer.Option(help="`chassis` leaves out load and temperatures, for sources that do not send them (GR Cup)."),
]


@train.command("style")
def train_style_command(
    recipe: Annotated[
        Literal["windows", "obd"],
        typer.Option(help="`windows`: labelled windows of the lake. `obd`: labelled OBD trips from files."),
    ] = "windows",
    features: Features = "all",
    trips: Annotated[list[Path] | None, typer.Option("--trip", help="A trip file; repeat it (recipe obd).")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the forest.")] = 0,
    dry_run: DryRun = False,
) -> None:
    """Train the driving-style model: data set, split by session and vehicle, forest, MLflow, registry.

    The alias `production` moves only if the new model beats the one in use on a frozen promotion set.

    `slipstream train style`

    `slipstream train style --recipe obd --trip corsa_01.csv --trip corsa_02.csv --trip peugeot_01.csv`
    """
    if recipe == "obd":
        _train_obd(trips or [], dry_run)
        return
    if dry_run:
        summary("would read gold.telemetry_windows, write gold.style_dataset, and register a model in MLflow")
        return
    from conf.settings import get_settings
    from infra.stack import endpoints
    from ml.jobs.train_style import train_style
    from ml.style.model import ForestParams
    from ml.tracking import Tracker
    from streaming.job import open_lake

    settings = get_settings()
    tracker = Tracker(endpoints(settings).tracking_uri)
    lake = open_lake(settings, "slipstream-train-style")
    say_trained(train_style(lake, tracker, features, ForestParams(seed=seed)))


def say_trained(trained: Trained) -> None:
    """Print what a training run found."""
    for label, one in trained.evaluation.classes.items():
        scores = f"precision {one.precision:.3f}  recall {one.recall:.3f}  F1 {one.f1:.3f}"
        typer.echo(f"{label:<11} {scores}  of {one.support:,} windows")
    for plot in trained.plots:
        typer.echo(f"plot: {plot}")
    typer.echo(f"run: {trained.page}")
    accuracy = trained.evaluation.balanced_accuracy
    state = "now production" if trained.promoted else "not promoted"
    summary(
        f"{trained.model} version {trained.version}: balanced accuracy {accuracy.value:.3f} on vehicles it never saw; "
        f"{state} ({trained.verdict})"
    )


def _train_obd(trips: list[Path], dry_run: bool) -> None:
    if len(trips) < 2:
        raise typer.BadParameter("give at least two trips, so that each can be held out", param_hint="--trip")
    if dry_run:
        summary(f"would hold out each of {', '.join(t.stem for t in trips)} in turn, and log to MLflow")
        return
    from rich.console import Console
    from rich.table import Table

    from conf.settings import get_settings
    from infra.stack import endpoints
    from ml.jobs.train_obd import train_obd
    from ml.tracking import Tracker

    settings = get_settings()
    tracker = Tracker(endpoints(settings).tracking_uri)
    with Console(stderr=True).status("holding out each trip in turn (a minute or two) …"):
        done = train_obd(trips, tracker, settings.reports_dir / "style-obd")
    frame = done.report.table()
    table = Table(*frame.columns)
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    Console().print(table)
    for plot in done.plots:
        typer.echo(f"plot: {plot}")
    typer.echo(f"run: {done.page}")
    gain = next(g for g in done.report.gains if g.trip == "pooled")
    summary(f"pooled gain in AUC over the baseline: {gain.auc}")


@score.command("style")
def score_style_command(features: Features = "all", dry_run: DryRun = False) -> None:
    """Score every complete window with the model in use, into `gold.style_predictions`.

    `slipstream score style`
    """
    if dry_run:
        summary("would read gold.telemetry_windows and write gold.style_predictions")
        return
    from conf.settings import get_settings
    from infra.stack import endpoints
    from ml.jobs.score_style import score_style
    from ml.jobs.train_style import model_name
    from ml.tracking import Tracker
    from streaming.job import open_lake

    settings = get_settings()
    tracker = Tracker(endpoints(settings).tracking_uri)
    lake = open_lake(settings, "slipstream-score-style")
    done = score_style(lake, tracker, model_name(features), settings.style_threshold)
    summary(
        f"{done.model.name} version {done.model.version}: {done.scored:,} windows scored; left out: "
        f"{done.incomplete:,} less than 90 % covered, {done.unavailable:,} without a feature the model needs"
    )
