"""Output of commands: results and summary on stdout, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from threading import Event

    from pyarrow import RecordBatchReader
    from pydantic import BaseModel

    from conf.plain_console import PlainConsole
    from jobs.job import Job
    from medallion.io import Lake
    from ml.tracking import Tracker

Format = Annotated[Literal["table", "json"], typer.Option("--format", help="For people or for programs.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

_SILENCE_S = 9.0
Update = Callable[[str, float, float], None]


def print_summary(text: str, *, err: bool = False) -> None:
    """The line that ends a command; it is logged, too, where the command has a log."""
    import logging

    from conf.plain_text import show_controls

    logging.getLogger("slipstream").info("%s", text)
    typer.secho(show_controls(text), bold=True, err=err)


def say(text: str, *, err: bool = False) -> None:
    """A line, or several; what a terminal would obey in them is shown instead."""
    from conf.plain_text import show_controls

    typer.echo(show_controls(text), err=err)


@contextmanager
def show_step(console: PlainConsole, name: str, how_far: Callable[[], str] = lambda: "") -> Iterator[None]:
    """A step of a long job, which never is silent: its seconds run on a terminal, elsewhere a line says it goes on.

    Args:
        console: Where to say so.
        name: What goes on.
        how_far: What to say of how far it is.
    """
    from time import perf_counter

    from conf.beside import run_beside
    from conf.plain_console import plain_text

    began = perf_counter()

    def tell(ended: Event) -> None:
        if console.is_terminal:
            with console.status(f"{name} …") as status:
                while not ended.wait(1.0):
                    status.update(plain_text(f"{name} … {perf_counter() - began:.0f} s {how_far()}"))
        else:
            while not ended.wait(_SILENCE_S):
                console.print(
                    f"{name}: {perf_counter() - began:.0f} s … {how_far()}".rstrip(), highlight=False, soft_wrap=True
                )

    with run_beside(tell):
        yield
    console.print(f"{name}: done in {perf_counter() - began:.0f} s", highlight=False)


def open_job_lake(job: Job) -> Lake:
    """The lake of a job, on a Spark session that is started for it."""
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings

    _keep_log(job)
    with PlainConsole(stderr=True).status("starting Spark …"):
        return job.context(get_settings()).lake


def open_lake_and_tracker(job: Job) -> tuple[Lake, Tracker]:
    """The lake and the tracker of a job; a server that does not answer is reported before Spark starts.

    Raises:
        TrackingError: If the tracking server does not answer.
    """
    from conf.settings import get_settings

    _keep_log(job)
    return job.context(get_settings()).open_lake_and_tracker()


def _keep_log(job: Job) -> None:
    """Log to the job's own file, where its command keeps no log yet."""
    from conf.settings import get_settings
    from infra.local.job_log import log_path, log_to_file

    if log_path() is None:
        log_to_file(get_settings(), job.log_name)


def print_answer(answer: BaseModel | Sequence[BaseModel]) -> None:
    """Print the model that a query answered with, or a list of such; NaN and infinities are null."""
    from conf.plain_text import show_in_json

    if isinstance(answer, Sequence):
        text = "[" + ",\n".join(one.model_dump_json(indent=2) for one in answer) + "]"
    else:
        text = answer.model_dump_json(indent=2)
    typer.echo(show_in_json(text))


def print_csv(reader: RecordBatchReader) -> int:
    """Print rows as CSV; returns how many. A file or a program gets every byte as it is, a terminal shows them."""
    from io import BytesIO

    from serving.lake.formats import write_csv

    out = typer.get_binary_stream("stdout")
    if not out.isatty():
        return write_csv(reader, out)
    rows = write_csv(reader, shown := BytesIO())
    say(shown.getvalue().decode())
    return rows


@contextmanager
def show_progress(unit: str) -> Iterator[Update]:
    """A bar for each thing worked on; yields ``update(description, done, total)``.

    Where there is no terminal, a line says now and then how far it is.
    """
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from conf.plain_console import PlainConsole
    from infra.local.job_log import progress_on_terminal, say_at_work

    console = PlainConsole(stderr=True)
    if not console.is_terminal:
        latest = [""]

        def note(description: str, done: float, total: float) -> None:
            latest[0] = f", {description}: {done:,.0f} of {total:,.0f} {unit}"

        with progress_on_terminal(), say_at_work(unit, lambda: latest[0]):
            yield note
        return
    counts = TextColumn("{task.completed:,.0f}/{task.total:,.0f} " + unit)
    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), counts, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def update(description: str, done: float, total: float) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done, total=total)

        yield update
