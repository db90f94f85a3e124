"""Sends what one file gives, from where it is to start, and keeps its state file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from conf.arrays import FloatArray
from conf.text_table import SourceFile
from infra.kafka.producer import KafkaStreamer
from producers.replay.encode import Record
from producers.replay.report import ReplayProgress
from producers.replay.state import ReplayState

CHECKPOINT_S = 2.0
TICK_S = 0.02

OnProgress = Callable[[ReplayProgress], None]


@dataclass(frozen=True)
class FileLoad:
    """What one file gives to send.

    Attributes:
        path: The file.
        event_type: ``ce_type`` of its messages.
        total: How many messages it gives.
        chunks: The messages from the n-th on, in order, some at a time.
        due_s: Seconds after the start at which each is due, of shape (total,); None to send at once.
    """

    path: SourceFile
    event_type: str
    total: int
    chunks: Callable[[int], Iterable[Sequence[Record]]]
    due_s: FloatArray | None = None


class FileDelivery:
    """Sends a load from message ``start`` on and keeps its state file."""

    def __init__(
        self, streamer: KafkaStreamer, state: ReplayState, load: FileLoad, start: int, on_progress: OnProgress
    ) -> None:
        self._streamer = streamer
        self._state = state
        self._load = load
        self._start = start
        self._on_progress = on_progress
        self._began = self._saved_at = time.monotonic()

    def run(self) -> None:
        """Send all messages; record what was delivered however the run ends."""
        due = None if self._load.due_s is None else self._load.due_s[self._start :]
        due = None if due is None else due - due[:1]  # what was delivered before takes no time again
        self._report(0)
        done = 0
        try:
            for records in self._load.chunks(self._start):
                if due is None:
                    self._send(records, done)
                else:
                    self._send_when_due(records, due, done)
                done += len(records)
        finally:
            self._checkpoint()

    def _send(self, records: Sequence[Record], done: int) -> None:
        self._streamer.send_many(records, self._load.event_type)
        self._report(done + len(records))
        if time.monotonic() - self._saved_at >= CHECKPOINT_S:
            self._checkpoint()

    def _send_when_due(self, records: Sequence[Record], due: FloatArray, done: int) -> None:
        sent = 0
        while sent < len(records):
            elapsed = time.monotonic() - self._began
            ready = int(np.searchsorted(due, elapsed, side="right")) - done
            if ready > sent:
                self._send(records[sent:ready], done + sent)
                sent = min(ready, len(records))
            else:
                self._streamer.poll()
                time.sleep(min(due[done + sent] - elapsed, TICK_S))

    def _report(self, done: int) -> None:
        self._on_progress(ReplayProgress(self._load.path, self._start + done, self._load.total))

    def _checkpoint(self) -> None:
        """Wait for what was sent and record it; with a failure among it, the state stays at the last checkpoint."""
        delivered = self._streamer.flush()
        if delivered.acknowledged == delivered.sent > 0:
            self._state.save(self._load.path.name, self._load.total, self._start + delivered.sent)
        self._saved_at = time.monotonic()
