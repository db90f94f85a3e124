"""Train and score: ``train style | ghost | karma``, ``score style | karma``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from slipstream.commands import karma
from slipstream.console import DryRun, summary
from slipstream.tracked import open_tracked

if TYPE_CHECKING:
    from jobs.train_ghost import TrainedGhost
    from jobs.train_style import Trained

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
    from jobs.train_style import train_style
    from ml.style.model import ForestParams

    lake, tracker = open_tracked("train-style")
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
    from infra.local.stack import endpoints
    from jobs.train_obd import train_obd
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
    summary(f"pooled gain in AUC over the baseline: {gain.auc.text()}")


@train.command("ghost")
def train_ghost_command(
    session: Annotated[
        list[str] | None,
        typer.Option(show_default="all whose track is known", help="Learn from the laps of this session; repeat it."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=10, show_default="3000", help="Most steps a zone type.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, batches and the laps kept aside.")] = 0,
    learning_rate: Annotated[float | None, typer.Option(min=0.0, show_default="0.004", help="Highest rate.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=3, help="Zone types trained at the same time.")] = 2,
    unconditional: Annotated[
        bool, typer.Option("--unconditional", help="Tell the networks nothing of the stretch: to see what that buys.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew instead of going on with a killed training.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Train the ghost: an LSTM-GAN a zone type, on the fast laps of sessions.

    Cuts the sessions' tracks into micro-sectors where that has not been done (`slipstream ghost segment`), keeps a
    quarter of the laps aside, trains on the others and says how well real and generated passages can be told apart.
    The alias `production` moves only if the new model is nearer to the laps kept aside than the one in use.

    `slipstream train ghost --session sim-1` · `slipstream train ghost --session barber-R1 --session vir-R1`
    """
    if dry_run:
        summary("would cut laps into gold.microsector_traces and register ghost-gan in MLflow")
        return
    from jobs.segment_tracks import segment_all
    from jobs.train_ghost import train_ghost
    from ml.ghost.networks import NetworkShape
    from ml.ghost.training import TrainingParams
    from slipstream.console import progress

    asked: dict[str, Any] = {"steps": steps, "seed": seed, "learning_rate": learning_rate}
    asked["shape"] = NetworkShape(is_conditional=False) if unconditional else None
    params = TrainingParams(**{name: value for name, value in asked.items() if value is not None})
    lake, tracker = open_tracked("train-ghost")
    segmented, sessions = segment_all(lake, tracker, session)
    with progress("steps") as update:
        done = train_ghost(
            lake, tracker, segmented, sessions, params, processes=processes, is_fresh=fresh,
            on_progress=lambda kind, step, distance: update(f"{kind} (distance {distance:.3f})", step, params.steps),
        )  # fmt: skip
    _say_ghost(done)


def _say_ghost(done: TrainedGhost) -> None:
    for kind, zone in done.zones.items():
        early = ", ended early" if zone.stopped_early else ""
        typer.echo(f"{kind:<9} {zone.seconds:,.0f} s on {zone.device}, weights of step {zone.best_step:,}{early}")
    scores = done.scores
    for width, score in scores.discriminative.items():
        control = scores.control[width]
        typer.echo(
            f"told from real laps, {width} wide: {score.value:.3f} ({score.low:.3f} to {score.high:.3f}); "
            f"real from real {control.value:.3f} ({control.low:.3f} to {control.high:.3f})"
        )
    learned, real = scores.predictive.value, scores.real_predictive.value
    typer.echo(f"forecast error when learned from it {learned:.4f}, from real laps {real:.4f}")
    typer.echo(f"nearest training window: {scores.memory.ratio:.2f} of what laps kept aside are from one")
    for plot in done.plots:
        typer.echo(f"plot: {plot}")
    typer.echo(f"run: {done.page}")
    state = "now production" if done.promoted else "not promoted"
    summary(
        f"ghost-gan version {done.version} from {done.laps:,} laps, scored on {scores.windows:,} windows of "
        f"{scores.laps} laps kept aside; {state} ({done.verdict})"
    )


@score.command("style")
def score_style_command(features: Features = "all", dry_run: DryRun = False) -> None:
    """Score every complete window with the model in use, into `gold.style_predictions`.

    `slipstream score style`
    """
    if dry_run:
        summary("would read gold.telemetry_windows and write gold.style_predictions")
        return
    from jobs.score_style import score_style
    from jobs.train_style import model_name

    lake, tracker = open_tracked("score-style")
    done = score_style(lake, tracker, model_name(features), lake.settings.style_threshold)
    summary(
        f"{done.model.name} version {done.model.version}: {done.scored:,} windows scored; left out: "
        f"{done.incomplete:,} less than 90 % covered, {done.unavailable:,} without a feature the model needs"
    )


train.command("karma")(karma.train)
score.command("karma")(karma.infer)
