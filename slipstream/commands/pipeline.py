"""The Spark jobs: ``stream`` and ``run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.console import DryRun, summary

if TYPE_CHECKING:
    from medallion.provenance import JobRun
    from streaming.job import Job

app = typer.Typer()
Layer = Literal["bronze", "silver", "gold"]


def _job(layer: str) -> Job:
    if layer == "bronze":
        from streaming.bronze import JOB
    elif layer == "silver":
        from streaming.silver import JOB
    else:
        from streaming.gold import JOB
    return JOB


def _say(layer: str, run: JobRun) -> None:
    counts = {
        "bronze": f"{run.rows_in:,} messages stored",
        "silver": f"{run.rows_in:,} units, {run.rows_out:,} written, {run.rows_quarantined:,} quarantined",
        "gold": f"{run.rows_in:,} changed rows, {run.rows_out:,} vehicles brought up to date",
    }
    summary(f"{layer}: {counts[layer]} (run {run.run_id})")


@app.command(rich_help_panel="Jobs")
def stream(
    layer: Annotated[Layer, typer.Argument(help="Which layer to fill.")],
    once: Annotated[bool, typer.Option("--once", help="Process what is there and stop.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between batches.")] = 2.0,
    dry_run: DryRun = False,
) -> None:
    """Run one streaming job: Kafka to bronze, bronze to silver, or silver to gold.

    Without `--once` it runs until Ctrl-C. It resumes where it stopped, however it stopped.

    Example: `slipstream stream silver --once`
    """
    job = _job(layer)
    if dry_run:
        summary(f"{layer}: would read {', '.join(job.inputs) or 'Kafka'} and write {', '.join(job.outputs)}")
        return
    from conf.settings import get_settings
    from medallion.session import open_lake
    from streaming.job import drain, keep_running

    lake = open_lake(get_settings(), f"slipstream-{layer}")
    _say(layer, drain(lake, job) if once else keep_running(lake, job, every))


@app.command(rich_help_panel="Jobs")
def run(dry_run: DryRun = False) -> None:
    """Bring bronze, silver and gold up to date, one after the other, and stop.

    Example: `slipstream produce simulate --cars 4 --laps 3 && slipstream run`
    """
    layers = ("bronze", "silver", "gold")
    if dry_run:
        summary("would run " + ", ".join(layers))
        return
    from rich.console import Console

    from conf.settings import get_settings
    from medallion.session import open_lake
    from streaming.job import drain

    console = Console(stderr=True)
    with console.status("starting Spark …"):
        lake = open_lake(get_settings(), "slipstream-run")
    for layer in layers:
        with console.status(f"{layer} …"):
            done = drain(lake, _job(layer))
        _say(layer, done)
