"""Train and score: ``train style | ghost | karma``, ``score style | karma``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands import karma
from slipstream.commands._aliases import rename_flags
from slipstream.commands._options import WithReferenceCar
from slipstream.console import DryRun, open_lake_and_tracker, print_summary, say, show_progress
from slipstream.logs import keep_log

if TYPE_CHECKING:
    from jobs.train_ghost import GhostTrainingResult
    from jobs.train_style import StyleTrainingResult

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
@keep_log("train-style")
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
    from jobs.train_style import JOB, train_style
    from ml.style.model import ForestParams

    if dry_run:
        print_summary(JOB.dry_run_sentence)
        return
    lake, tracker = open_lake_and_tracker(JOB)
    print_training(train_style(lake, tracker, features, ForestParams(seed=seed)))


def print_training(trained: StyleTrainingResult) -> None:
    """Print what a training run found."""
    for label, one in trained.evaluation.classes.items():
        scores = f"precision {one.precision:.3f}  recall {one.recall:.3f}  F1 {one.f1:.3f}"
        say(f"{label:<11} {scores}  of {one.support:,} windows")
    for plot in trained.plots:
        say(f"plot: {plot}")
    say(f"run: {trained.page}")
    print_summary(trained.sentence)


def _train_obd(trips: list[Path], dry_run: bool) -> None:
    if len(trips) < 2:
        raise typer.BadParameter("give at least two trips, so that each can be held out", param_hint="--trip")
    from rich.table import Table

    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from jobs.train_obd import JOB, train_obd

    if dry_run:
        print_summary(JOB.dry_run_sentence)
        return
    context = JOB.context(get_settings())
    with PlainConsole(stderr=True).status("holding out each trip in turn (a minute or two) …"):
        done = train_obd(trips, context.tracker, context.settings.reports_dir / "style-obd")
    frame = done.report.table()
    table = Table(*frame.columns)
    for row in frame.itertuples(index=False):
        table.add_row(*map(str, row))
    PlainConsole().print(table)
    for plot in done.plots:
        say(f"plot: {plot}")
    say(f"run: {done.page}")
    print_summary(done.sentence)


@train.command("ghost", cls=rename_flags({"--fresh": "--rebuild"}))
@keep_log("train-ghost")
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
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Start anew instead of going on with a killed training.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Train the ghost: an LSTM-GAN a zone type, on the fast laps of sessions.

    Cuts the sessions' tracks into micro-sectors where that has not been done (`slipstream track segment`), keeps a
    quarter of the laps aside, trains on the others and says how well real and generated passages can be told apart.
    The alias `production` moves only if the new model is nearer to the laps kept aside than the one in use.

    `slipstream train ghost --session sim-1` · `slipstream train ghost --session barber-R1 --session vir-R1`
    """
    from jobs.segment_tracks import segment_all
    from jobs.train_ghost import JOB, train_ghost, training_params

    if dry_run:
        print_summary(JOB.dry_run_sentence)
        return
    params = training_params(steps, seed, learning_rate, unconditional=unconditional)
    lake, tracker = open_lake_and_tracker(JOB)
    segmented, sessions = segment_all(lake, tracker, session)
    with show_progress("steps") as update:
        done = train_ghost(
            lake,
            tracker,
            segmented,
            sessions,
            params,
            processes=processes,
            rebuild=rebuild,
            on_progress=lambda kind, step, distance: update(f"{kind} (distance {distance:.3f})", step, params.steps),
        )
    _print_ghost_training(done)


def _print_ghost_training(done: GhostTrainingResult) -> None:
    for kind, zone in done.zones.items():
        early = ", ended early" if zone.stopped_early else ""
        say(f"{kind:<9} {zone.seconds:,.0f} s on {zone.device}, weights of step {zone.best_step:,}{early}")
    scores = done.scores
    for width, score in scores.discriminative.items():
        control = scores.control[width]
        say(
            f"told from real laps, {width} wide: {score.value:.3f} ({score.low:.3f} to {score.high:.3f}); "
            f"real from real {control.value:.3f} ({control.low:.3f} to {control.high:.3f})"
        )
    learned, real = scores.predictive.value, scores.real_predictive.value
    say(f"forecast error when learned from it {learned:.4f}, from real laps {real:.4f}")
    say(f"nearest training window: {scores.memory.ratio:.2f} of what laps kept aside are from one")
    for plot in done.plots:
        say(f"plot: {plot}")
    say(f"run: {done.page}")
    print_summary(done.sentence)


@score.command("style")
@keep_log("score-style")
def score_style_command(features: Features = "all", dry_run: DryRun = False) -> None:
    """Score every complete window with the model in use, into `gold.style_predictions`.

    `slipstream score style`
    """
    from jobs.score_style import JOB, score_style
    from jobs.train_style import style_model_name

    if dry_run:
        print_summary(JOB.dry_run_sentence)
        return
    lake, tracker = open_lake_and_tracker(JOB)
    print_summary(score_style(lake, tracker, style_model_name(features), lake.settings.style_threshold).sentence)


train.command("karma")(karma.train_karma)
score.command("karma", cls=WithReferenceCar)(karma.score_karma)
