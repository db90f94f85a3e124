"""``train karma``, ``score karma``, and the group ``karma``: wear of a car's components, from laps to scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands import pipeline, replay
from slipstream.commands._aliases import add_alias, rename_flags
from slipstream.commands._options import DEFAULT_REFERENCE_CAR, WithReferenceCar
from slipstream.commands.karma_push import export, push
from slipstream.commands.karma_report import report
from slipstream.commands.wear_laps import produce_wear_laps
from slipstream.console import DryRun, open_lake_and_tracker, print_summary, say, show_progress
from slipstream.logs import keep_log

if TYPE_CHECKING:
    from jobs.score_karma import KarmaScoringResult
    from jobs.train_karma import KarmaTrainingResult

app = typer.Typer()
karma = typer.Typer(
    no_args_is_help=True,
    help="Mechanical karma: scores of how hard each lap was on a car, as a file or in a Firebase database.",
    epilog="From files to scores: `slipstream produce replay downloads/`, `slipstream run`, `slipstream score karma`, "
    "`slipstream report karma --vehicle GR86-002-2`. A model comes first: `slipstream train karma --help`.",
)
app.add_typer(karma, name="karma", rich_help_panel="Models")

ReferenceCar = Annotated[
    str, typer.Option(metavar="CAR", help="Whose references scores are held to (conf/karma.yaml).")
]
Session = Annotated[str | None, typer.Option(show_default="all", help="Score the laps of this session only.")]
Version = Annotated[str | None, typer.Option(show_default="the one in use", help="Version of the model.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Learn = Annotated[
    Literal["all", "random_forest", "mlp", "lstm"],
    typer.Option(help="What learns; `all` tries each and registers the best on tracks left out of its training."),
]


@keep_log("karma-ingest")
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(show_default="DATA_ROOT", help="Published files, or folders to search.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session id, for files that do not say theirs.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Send published files through Kafka into the lake, up to the features of every lap.

    The same as `slipstream produce replay FILES` and `slipstream run`. Telemetry, lap starts and ends, results and
    weather are told apart by what is in them; what is optional may be missing.

    `slipstream produce replay ../data && slipstream run`
    """
    replay.replay(paths=paths, session=[session] if session is not None else None, dry_run=dry_run)
    pipeline.run(dry_run=dry_run)


@keep_log("train-karma")
def train_karma(algorithm: Learn = "all", seed: Seed = 0, dry_run: DryRun = False) -> None:
    """Train the model of wear on simulated laps, whose cars say what each lap did to them.

    Laps are split by track and by car. A forest, networks and a recurrent network learn what a line through logarithms
    leaves over; each set of inputs that cars send has a model of its own. The best is registered as mechanical-karma,
    and takes the alias `production` if it explains more of frozen laps than the model in use.

    `slipstream produce wear-laps`, then `slipstream run`, give it laps on sixteen tracks; five are the least.

    `slipstream train karma` · `slipstream train karma --algorithm random_forest`
    """
    from jobs import train_karma as job

    if dry_run:
        print_summary(job.JOB.dry_run_sentence)
        return
    algorithms, params = job.choose_algorithms(algorithm), job.fit_params(seed)
    lake, tracker = open_lake_and_tracker(job.JOB)
    with show_progress("fits") as update:
        done = job.train_karma(lake, tracker, algorithms, params, lambda _what, n, of: update("models of wear", n, of))
    print_training(done)


def print_training(done: KarmaTrainingResult) -> None:
    """Print what a training found."""
    from rich.table import Table

    from conf.plain_console import PlainConsole
    from conf.wear import COMPONENTS

    table = Table(title="R² of log damage per km on cars and tracks never seen (share of laps in the 90 % interval)")
    table.add_column("inputs")
    for component in COMPONENTS:
        table.add_column(component, justify="right")
    rule = next(iter(done.evaluations.values())).r2_rule
    table.add_row("one feature alone", *(f"{value:.3f}" for value in rule))
    for name, found in done.evaluations.items():
        table.add_row(name, *(f"{r2:.3f} ({c:.0%})" for r2, c in zip(found.r2, found.coverage, strict=True)))
    PlainConsole().print(table)
    for name, r2 in sorted(done.r2.items(), key=lambda item: -item[1]):
        say(f"{name}: mean R² {r2:.4f} on tracks left out of its training")
    for reason, left_out in done.dropped.items():
        if left_out:
            say(f"left out, {left_out:,} laps: {reason}")
    for plot in done.plots:
        say(f"plot: {plot}")
    say(f"run: {done.page}")
    print_summary(done.sentence)


@keep_log("score-karma")
def score_karma(
    session: Session = None,
    version: Version = None,
    reference_car: ReferenceCar = DEFAULT_REFERENCE_CAR,
    dry_run: DryRun = False,
) -> None:
    """Score every lap with the model in use, into `gold.karma_scores` and, each car's last, `gold.karma_latest`.

    Each lap is scored by the inputs that its car sent; fewer make the interval wider. A lap that cannot be scored has a
    row that says why. Running it again changes nothing.

    `slipstream score karma` · `slipstream score karma --session barber-R1`
    """
    from conf.plain_console import PlainConsole
    from jobs import score_karma as job

    if dry_run:
        print_summary(job.JOB.dry_run_sentence)
        return
    lake, tracker = open_lake_and_tracker(job.JOB)
    with PlainConsole(stderr=True).status("scoring …"):
        done = job.score_karma(lake, tracker, reference_car, session, version)
    _print_scoring(done)


def _print_scoring(done: KarmaScoringResult) -> None:
    for name, laps in done.sets.items():
        say(f"scored by the inputs `{name}`: {laps:,} laps")
    for reason, laps in sorted(done.reasons.items()):
        say(f"not scored, {laps:,} laps: {reason}")
    print_summary(done.sentence)


karma.command()(export)
karma.command(cls=rename_flags({"--all": "--rebuild"}))(push)
add_alias(karma, "karma ingest", ingest, "produce replay` and `slipstream run")
add_alias(karma, "karma simulate", produce_wear_laps, "produce wear-laps")
add_alias(karma, "karma train", train_karma, "train karma")
add_alias(karma, "karma infer", score_karma, "score karma", WithReferenceCar)
add_alias(karma, "karma stream", pipeline.stream_karma, "stream karma", WithReferenceCar)
add_alias(karma, "karma report", report, "report karma")
