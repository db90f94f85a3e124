"""``karma``: wear of a car's components, from files to scores; also ``train karma`` and ``score karma``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands import pipeline, replay
from slipstream.commands.karma_push import export, push
from slipstream.commands.karma_report import report
from slipstream.console import DryRun, progress, summary
from slipstream.tracked import open_tracked

if TYPE_CHECKING:
    from jobs.score_karma import Scored
    from jobs.train_karma import TrainedKarma

app = typer.Typer()
karma = typer.Typer(
    no_args_is_help=True,
    help="Mechanical karma: how hard each lap was on engine, gearbox, brakes, tyres and suspension.",
    epilog="From files to scores: `slipstream karma ingest downloads/`, `slipstream karma infer`, "
    "`slipstream karma report --vehicle GR86-002-2`. A model comes first: `slipstream karma train --help`.",
)
app.add_typer(karma, name="karma", rich_help_panel="Models")

Vehicle = Annotated[
    str, typer.Option("--model-of-car", metavar="CAR", help="Whose references scores are held to (conf/karma.yaml).")
]
Session = Annotated[str | None, typer.Option(show_default="all", help="Score the laps of this session only.")]
Version = Annotated[str | None, typer.Option(show_default="the one in use", help="Version of the model.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Learn = Annotated[
    Literal["all", "random_forest", "mlp", "lstm"],
    typer.Option(help="What learns; `all` tries each and registers the best on tracks left out of its training."),
]


@karma.callback()
def _group(context: typer.Context) -> None:
    """Keep a log of each command: $SLIPSTREAM_HOME/logs/karma-<command>.log."""
    from conf.settings import get_settings
    from slipstream.logs import log_to_file

    log_to_file(get_settings(), f"karma-{context.invoked_subcommand}")


@karma.command()
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

    `slipstream karma ingest ../data` · `DATA_ROOT=../data slipstream karma ingest`
    """
    from conf.settings import get_settings

    root = get_settings().data_root
    if not paths and root is None:
        raise typer.BadParameter("name files or folders, or set DATA_ROOT in the environment or in .env")
    replay.replay(paths=paths or [root], session=session, dry_run=dry_run)  # type: ignore[list-item]
    pipeline.run(dry_run=dry_run)


@karma.command()
def simulate(
    tracks: Annotated[int, typer.Option(min=1, help="Tracks: the simulator's own, then drawn ones.")] = 16,
    cars: Annotated[int, typer.Option(min=1, help="Cars on each; each track has cars of its own.")] = 6,
    laps: Annotated[int, typer.Option(min=1, help="Laps of each.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the first track; the others follow.")] = 100,
    dry_run: DryRun = False,
) -> None:
    """Send what the model of wear learns from: sessions on many tracks, with the truth about each lap.

    Drivers, set-ups and parts differ, and laps have kerbs, over-revs, missed downshifts and brakes that drag, as
    `slipstream produce simulate --setups varied --random-car-faults --truth` sends them. The same options send the
    same again.

    `slipstream karma simulate && slipstream run && slipstream karma train`
    """
    from conf.track import load_track, track_names
    from producers.simulator.cars.random_car_faults import RACING, draw_random_car_faults
    from producers.simulator.config import SimulatorConfig
    from producers.simulator.simulator import VehicleSimulator
    from slipstream.commands.simulate import send

    own = sorted(track_names())
    names = (own + [f"drawn-{i}" for i in range(1, tracks + 1)])[:tracks]
    if dry_run:
        summary(f"would send {len(names)} sessions of {cars} cars and {laps} laps: {', '.join(names)}")
        return
    for i, name in enumerate(names):
        mishaps = draw_random_car_faults(load_track(name).length_m, cars, laps, seed + i)
        config = SimulatorConfig(
            session_id=f"karma-{name}-{seed + i}", track=name, n_cars=cars, n_laps=laps, seed=seed + i, rate_hz=25.0,
            setups="varied", car_faults=mishaps, profiles=RACING,
        )  # fmt: skip
        send(VehicleSimulator(config), "telemetry.raw", None, race=True, truth=True)


@karma.command()
def train(algorithm: Learn = "all", seed: Seed = 0, dry_run: DryRun = False) -> None:
    """Train the model of wear on simulated laps, whose cars say what each lap did to them.

    Laps are split by track and by car. A forest, networks and a recurrent network learn what a line through logarithms
    leaves over; each set of inputs that cars send has a model of its own. The best is registered as mechanical-karma,
    and takes the alias `production` if it explains more of frozen laps than the model in use.

    `slipstream karma simulate`, then `slipstream run`, give it laps on sixteen tracks; five are the least.

    `slipstream karma train` · `slipstream karma train --algorithm random_forest`
    """
    if dry_run:
        summary("would read gold.lap_features and bronze.truth_events, and register mechanical-karma in MLflow")
        return
    from conf.karma import load_karma_rules
    from jobs.train_karma import train_karma
    from ml.karma.fitting import FitParams
    from ml.karma.learners import ALGORITHMS

    rules = load_karma_rules()
    params = FitParams(interval=rules.interval, sequence_laps=rules.sequence_laps, seed=seed)
    lake, tracker = open_tracked("train-karma")
    with progress("fits") as update:
        done = train_karma(
            lake, tracker, ALGORITHMS if algorithm == "all" else (algorithm,), params,
            lambda _what, n, of: update("models of wear", n, of),
        )  # fmt: skip
    say_trained(done)


def say_trained(done: TrainedKarma) -> None:
    """Print what a training found."""
    from rich.console import Console
    from rich.table import Table

    from conf.wear import COMPONENTS

    table = Table(title="R² of log damage per km on cars and tracks never seen (share of laps in the 90 % interval)")
    table.add_column("inputs")
    for component in COMPONENTS:
        table.add_column(component, justify="right")
    rule = next(iter(done.evaluations.values())).r2_rule
    table.add_row("one feature alone", *(f"{value:.3f}" for value in rule))
    for name, found in done.evaluations.items():
        table.add_row(name, *(f"{r2:.3f} ({c:.0%})" for r2, c in zip(found.r2, found.coverage, strict=True)))
    Console().print(table)
    for name, r2 in sorted(done.r2.items(), key=lambda item: -item[1]):
        typer.echo(f"{name}: mean R² {r2:.4f} on tracks left out of its training")
    for reason, left_out in done.dropped.items():
        if left_out:
            typer.echo(f"left out, {left_out:,} laps: {reason}")
    for plot in done.plots:
        typer.echo(f"plot: {plot}")
    typer.echo(f"run: {done.page}")
    state = "now production" if done.promoted else "not promoted"
    laps = ", ".join(f"{n:,} laps to {what}" for what, n in done.laps.items())
    summary(f"mechanical-karma version {done.version} ({done.algorithm}) from {laps}; {state} ({done.verdict})")


@karma.command()
def infer(
    session: Session = None, version: Version = None, vehicle: Vehicle = "gr86-cup", dry_run: DryRun = False
) -> None:
    """Score every lap with the model in use, into `gold.karma_scores` and, each car's last, `gold.karma_latest`.

    Each lap is scored by the inputs that its car sent; fewer make the interval wider. A lap that cannot be scored has a
    row that says why. Running it again changes nothing.

    `slipstream karma infer` · `slipstream karma infer --session barber-R1`
    """
    if dry_run:
        summary("would read gold.lap_features and write gold.karma_scores and gold.karma_latest")
        return
    from rich.console import Console

    from jobs.score_karma import score_karma

    lake, tracker = open_tracked("score-karma")
    with Console(stderr=True).status("scoring …"):
        done = score_karma(lake, tracker, vehicle, session, version)
    _say_scored(done)


def _say_scored(done: Scored) -> None:
    for name, laps in done.sets.items():
        typer.echo(f"scored by the inputs `{name}`: {laps:,} laps")
    for reason, laps in sorted(done.reasons.items()):
        typer.echo(f"not scored, {laps:,} laps: {reason}")
    summary(f"{done.model} version {done.version}: {done.laps:,} laps of {done.cars:,} cars scored")


@karma.command("stream")
def stream(
    once: Annotated[bool, typer.Option("--once", help="Score what is there and stop.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between batches.")] = 2.0,
    vehicle: Vehicle = "gr86-cup",
    dry_run: DryRun = False,
) -> None:
    """Score laps as they end: a lap's scores come with the first batch after its features.

    Runs beside `slipstream stream bronze`, `silver` and `gold`, until Ctrl-C; it resumes where it stopped, however it
    stopped. A model that takes the alias `production` meanwhile scores from the next batch on; what older laps have,
    `slipstream karma infer` brings up to date.

    `slipstream karma stream`
    """
    from streaming.karma import job

    own = job(vehicle)
    if dry_run:
        summary(f"karma: would read {', '.join(own.inputs)} and write {', '.join(own.outputs)}")
        return
    from conf.settings import get_settings
    from medallion.session import open_lake
    from streaming.job import drain, keep_running

    lake = open_lake(get_settings(), "slipstream-karma")
    run = drain(lake, own) if once else keep_running(lake, own, every)
    summary(f"karma: {run.rows_in:,} changed laps, {run.rows_out:,} scores of their cars (run {run.run_id})")


karma.command()(export)
karma.command()(push)
karma.command()(report)
