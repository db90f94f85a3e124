"""Output of commands: results and summary on stdout, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
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
    from threading import Event, Thread
    from time import perf_counter

    from conf.plain_console import plain_text

    began, ended = perf_counter(), Event()

    def tell() -> None:
        if console.is_terminal:
            with console.status(f"{name} …") as status:
                while not ended.wait(1.0):
                    status.update(plain_text(f"{name} … {perf_counter() - began:.0f} s {how_far()}"))
        else:
            while not ended.wait(_SILENCE_S):
                console.print(
                    f"{name}: {perf_counter() - began:.0f} s … {how_far()}".rstrip(), highlight=False, soft_wrap=True
                )

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
    console.print(f"{name}: done in {perf_counter() - began:.0f} s", highlight=False)


def open_job_lake(job: Job) -> Lake:
    """The lake of a job, on a Spark session that is started for it."""
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings

    with PlainConsole(stderr=True).status("starting Spark …"):
        return job.context(get_settings()).lake


def open_lake_and_tracker(job: Job) -> tuple[Lake, Tracker]:
    """The lake and the tracker of a job; a server that does not answer is reported before Spark starts.

    Raises:
        TrackingError: If the tracking server does not answer.
    """
    from conf.settings import get_settings

    return job.context(get_settings()).open_lake_and_tracker()


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
    """A bar for each thing worked on; yields ``update(description, done, total)``."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from conf.plain_console import PlainConsole

    counts = TextColumn("{task.completed:,.0f}/{task.total:,.0f} " + unit)
    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), counts, TimeElapsedColumn(), TimeRemainingColumn())
    console = PlainConsole(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def update(description: str, done: float, total: float) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done, total=total)

        yield update
