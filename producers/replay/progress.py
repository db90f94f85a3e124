"""The replay's progress bar."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from conf.plain_console import PlainConsole
from conf.text_table import SourceFile
from producers.replay.report import ReplayProgress


class RateColumn(ProgressColumn):
    """Messages a second."""

    def render(self, task: Task) -> Text:
        """The rate, or a dash while there is none."""
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f}/s" if rate else "-", style="progress.data.speed")


class ReplayBar:
    """Shows a bar with count, rate and time left for each file; pass it as ``on_progress``.

    Example::

        with ReplayBar() as bar:
            replay(paths, target, state_dir=folder, on_progress=bar)
    """

    def __init__(self, console: PlainConsole | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[SourceFile, TaskID] = {}

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing; the bars stay."""
        self._progress.stop()

    def __call__(self, now: ReplayProgress) -> None:
        """Move the bar of a file."""
        if now.path not in self._tasks:
            self._tasks[now.path] = self._progress.add_task(now.path.name, total=now.total, completed=now.done)
        self._progress.update(self._tasks[now.path], completed=now.done)
