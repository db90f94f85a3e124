"""The Spark jobs: ``stream`` and ``run``."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands._aliases import add_alias
from slipstream.commands._options import DEFAULT_REFERENCE_CAR, WithReferenceCar
from slipstream.console import DryRun, print_summary, show_step

if TYPE_CHECKING:
    from streaming.job import StreamingJob

app = typer.Typer()
Layer = Literal["all", "bronze", "silver", "gold", "karma"]


def _job(layer: Layer) -> StreamingJob:
    if layer == "bronze":
        from streaming.bronze import JOB
    elif layer == "silver":
        from streaming.silver import JOB
    elif layer == "gold":
        from streaming.gold import JOB
    elif layer == "all":
        from streaming.all_layers import JOB
    else:
        from streaming.karma import JOB
    return JOB


@app.command(rich_help_panel="Jobs", cls=WithReferenceCar)
def stream(
    layer: Annotated[Layer, typer.Argument(help="Which layer to fill; all: all of these; karma: the scores of wear.")],
    once: Annotated[bool, typer.Option("--once", help="Process what is there and stop.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between batches.")] = 2.0,
    reference_car: Annotated[
        str | None,
        typer.Option(metavar="CAR", show_default="gr86-cup", help="With karma: whose references scores are held to."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Run one streaming job: Kafka to bronze, bronze to silver, silver to gold, the scores of wear, or all.

    Without `--once` it runs until Ctrl-C. It resumes where it stopped, however it stopped. One process at a time fills
    a layer of a lake; a second is told who is at work. Every half minute it says how fast it is and how far behind:
    here, in `logs/` and in `ops.stream_progress`.

    `all` is one process with one Spark session for the three layers, and for wear once a model of it is in use: until
    then laps wait for one. `karma` scores a lap with the first batch after its features; a model that takes the alias
    `production` meanwhile scores from the next batch on, and `slipstream score karma` brings older laps up to date.

    `slipstream stream all` · `slipstream stream silver --once` · `slipstream stream karma`
    """
    if reference_car is not None and layer != "karma":
        raise typer.BadParameter("goes with karma only", param_hint="--reference-car")
    from conf.settings import get_settings
    from infra.local.job_log import log_to_file, progress_on_terminal

    job = _job(layer)
    log_to_file(get_settings(), job.log_name)
    if dry_run:
        print_summary(job.dry_run_sentence)
        return
    given = Namespace(once=once, every=every, reference_car=reference_car or DEFAULT_REFERENCE_CAR)
    from conf.errors import AlertError

    try:
        with progress_on_terminal():
            print_summary(job.run(job.context(get_settings()), given))
    except AlertError as alert:
        print_summary(alert.done)
        raise


def stream_karma(
    once: Annotated[bool, typer.Option("--once", help="Score what is there and stop.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between batches.")] = 2.0,
    reference_car: Annotated[str, typer.Option(metavar="CAR")] = DEFAULT_REFERENCE_CAR,
    dry_run: DryRun = False,
) -> None:
    """Score laps as they end: `slipstream stream karma`."""
    stream("karma", once=once, every=every, reference_car=reference_car, dry_run=dry_run)


add_alias(app, "karma-stream", stream_karma, "stream karma", WithReferenceCar)


@app.command(rich_help_panel="Jobs")
def run(dry_run: DryRun = False) -> None:
    """Bring bronze, silver and gold up to date, one after the other, and stop.

    Where a model of wear is in use, the scores of changed laps follow. One process at a time does this in a lake.

    Example: `slipstream produce simulate --cars 4 --laps 3 && slipstream run`
    """
    from streaming.alerts import check_runs
    from streaming.all_layers import JOB, LAYERS, jobs_in_turn

    if dry_run:
        print_summary("would run " + ", ".join(job.name for job in LAYERS))
        return
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra.local.job_log import log_to_file, progress_on_terminal
    from medallion.session import open_lake
    from streaming.job import drain_job

    console, settings = PlainConsole(stderr=True), get_settings()
    log_to_file(settings, "run")
    with JOB.claim(settings), progress_on_terminal():
        JOB.check(settings)
        with show_step(console, "Spark"):
            lake = open_lake(settings, "slipstream-run")
        runs = []
        for job in jobs_in_turn(settings):
            with show_step(console, job.name):
                runs.append(drain_job(lake, job))
            print_summary(job.sentence(runs[-1]))
    check_runs(settings, runs)
