"""Follow tables: a step that is run when they have new versions, and how far it has come.

What a stream over a table does, for steps that need to know which rows changed and read the rest themselves: a stream
plans and runs several Spark jobs a table and batch for that, the change feeds are read on the driver in milliseconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final

from pyspark import InheritableThread

from medallion.changes import TableChanges
from medallion.io import Lake
from streaming.batches import BOARD, Batch, TablePosition
from streaming.checkpoint_files import CheckpointFiles
from streaming.query import Trigger
from streaming.stream_offsets import versions_read

_FILE: Final = "versions.json"
Step = Callable[[TableChanges], bool | None]
"""What is done with changes; ``False`` says not now: they are offered again, with what came since."""


class TableFollower:
    """Runs a step over what changes in tables. It is waited for and stopped as a streaming query is.

    A step that was killed is run again over the same versions and all that came since: it must depend on the tables'
    content alone.

    Args:
        lake: Where the tables are.
        name: Of the folder beside the streams' checkpoints that keeps how far it has come.
        tables: What it follows.
        step: What to do.
        trigger: When.
        instead_of: Checkpoints of streams that did this before: it goes on where they stopped.
        is_due: Whether the step is to be run though nothing has changed.
    """

    def __init__(
        self,
        lake: Lake,
        name: str,
        tables: Sequence[str],
        step: Step,
        trigger: Trigger,
        instead_of: Sequence[str] = (),
        is_due: Callable[[], bool] = lambda: False,
    ) -> None:
        self.lake, self.name, self.tables = lake, name, tables
        self._step, self._trigger = step, trigger
        self._instead_of, self._is_due = instead_of, is_due
        self._files = CheckpointFiles(lake, name)
        self._stop = Event()
        self._error: Exception | None = None
        self._thread: InheritableThread | None = None

    def start(self) -> TableFollower:
        """Start; with a trigger of once it is run by whoever waits for it."""
        self.lake.ensure_all(self.tables)
        if not self._trigger.once:
            self._thread = InheritableThread(target=self._run, name=self.name, daemon=True)
            self._thread.start()
        return self

    @property
    def isActive(self) -> bool:  # noqa: N802 - the name that streaming queries have
        """Whether it goes on."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """End after the step under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def awaitTermination(self) -> None:  # noqa: N802
        """Wait for its end.

        Raises:
            Exception: What ended it.
        """
        if self._thread is None:
            self.follow()
            return
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            pause_s = self._trigger.every_s
            while not self._stop.wait(pause_s):
                began = time.monotonic()
                self.follow()
                pause_s = self._trigger.pause_s(began)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self._error = error

    def follow(self) -> bool:
        """Run the step if there is anything new, or if it is due; returns whether it was done."""
        began = time.monotonic()
        until = {name: self.lake.version(name) or 0 for name in self.tables}
        changes = TableChanges(self.lake, self._seen(), until)
        if not changes.changed and not self._is_due():
            return False
        with BOARD.at_work(self.name):
            looked = time.monotonic()
            if self._step(changes) is False:
                return False
            processed = time.monotonic()
            self._files.write(_FILE, json.dumps(until))
        ended = time.monotonic()
        steps_s = {"offsets": looked - began, "process": processed - looked, "commit": ended - processed}
        positions = tuple(TablePosition(self.lake.uri(name), version + 1) for name, version in until.items())
        rows = sum(changes.rows_read.values())
        BOARD.note(Batch(self.name, ended - began, steps_s, rows, positions, counts_messages=False))
        return True

    def _seen(self) -> dict[str, int]:
        """Version up to which each table was looked at."""
        text = self._files.read(_FILE)
        if text is not None:
            return {str(name): int(version) for name, version in json.loads(text).items()}
        ids = {self.lake.table_id(name): name for name in self.tables}
        streams = [versions_read(CheckpointFiles(self.lake, stream), ids) for stream in self._instead_of]
        seen: dict[str, int] = {}
        for found in streams if all(streams) else ():  # one that was removed is to begin anew
            for name, version in found.items():
                seen[name] = min(version, seen.get(name, version))
        return seen
