"""What the batches of this process's queries did: Spark's own say so, and steps that follow tables note it."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pyspark.sql.streaming.query import StreamingQuery

_SPARKS_STEPS: Final = {
    "latestOffset": "offsets",
    "getOffset": "offsets",
    "walCommit": "offsets",
    "getBatch": "plan",
    "queryPlanning": "plan",
    "addBatch": "process",
    "commitBatch": "commit",
    "commitOffsets": "commit",
}
"""Our names of the steps that Spark times."""


_MOST_KEPT: Final = 10_000


@dataclass(frozen=True)
class TopicsPosition:
    """How far topics have been read.

    Attributes:
        offsets: First offset that has not been read, by topic and partition.
    """

    offsets: Mapping[str, Mapping[int, int]]


@dataclass(frozen=True)
class TablePosition:
    """How far a table's log has been read.

    Attributes:
        uri: The table's.
        version: First version that has not been read whole.
        last_file: Number of the last of its files that has been read, counted from 0; below 0 where none has.
    """

    uri: str
    version: int
    last_file: int = -1


Position = TopicsPosition | TablePosition


@dataclass(frozen=True)
class Batch:
    """One batch of a query, or one run of a step that follows tables.

    Attributes:
        query: Its name.
        seconds: How long it took.
        steps_s: How long each of its steps took.
        rows: Messages, or changed rows, that it read.
        positions: How far it has read each of its sources; of one that cannot be told there is none.
        counts_messages: Whether what it reads are messages, one a row: then those that wait can be counted.
    """

    query: str
    seconds: float
    steps_s: Mapping[str, float]
    rows: int
    positions: tuple[Position, ...]
    counts_messages: bool = True


@dataclass
class BatchBoard:
    """Where steps note what they did; whoever reports on them takes it from there.

    Attributes:
        working: Since when steps that have not ended are at work, by name, on the monotonic clock.
    """

    working: dict[str, float] = field(default_factory=dict)
    _rows: dict[tuple[str, int], int] = field(default_factory=dict)
    _ended: deque[Batch] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))

    @contextmanager
    def at_work(self, query: str) -> Iterator[None]:
        """Say that a step is at work."""
        self.working[query] = time.monotonic()
        try:
            yield
        finally:
            self.working.pop(query, None)

    def count(self, query: str, batch_id: int, rows: int) -> None:
        """Count what a batch of one of Spark's queries has read."""
        self._rows[query, batch_id] = rows
        while len(self._rows) > _MOST_KEPT:  # nobody asks
            self._rows.pop(next(iter(self._rows)))

    def rows_of(self, query: str, batch_id: int) -> int:
        """How many rows a batch has read, by its own count."""
        return self._rows.pop((query, batch_id), 0)

    def note(self, batch: Batch) -> None:
        """Note one that has ended."""
        self._ended.append(batch)

    def take(self) -> list[Batch]:
        """Those noted since the last call."""
        return [self._ended.popleft() for _ in range(len(self._ended))]


BOARD: Final = BatchBoard()
"""That of this process: which runs one job at a time."""


class QueryProgress:
    """Takes from one of Spark's queries what its batches did since the last call.

    Args:
        query: The query.
    """

    def __init__(self, query: StreamingQuery) -> None:
        self.name = str(query.name)
        self._query: Any = query._jsq  # its Python face asks the JVM for each of some 50 values of each batch
        self._last = ""
        self.positions: tuple[Position, ...] = ()

    @property
    def is_working(self) -> bool:
        """Whether a batch is under way."""
        status = self._query.status()
        return bool(status.isTriggerActive() and status.isDataAvailable())

    def take(self) -> list[Batch]:
        """Batches since the last call, the oldest first; Spark keeps the latest 100 of a query."""
        found: list[dict[str, Any]] = []
        kept = self._query.recentProgress()
        for number in range(len(kept) - 1, -1, -1):
            if kept[number].timestamp() == self._last:
                break
            found.insert(0, json.loads(kept[number].json()))
        if found:
            self._last = found[-1]["timestamp"]
        batches = [
            parse_progress(said, BOARD.rows_of(self.name, said["batchId"]))
            for said in found
            if "addBatch" in said["durationMs"]  # else there was nothing to do
        ]
        for said in found:
            self.positions = parse_positions(said["sources"])
        return batches


def parse_progress(said: Mapping[str, Any], rows: int) -> Batch:
    """A batch from what Spark says of it.

    Args:
        said: Spark's ``StreamingQueryProgress``, parsed from its JSON.
        rows: How many it has read.
    """
    times_ms = said["durationMs"]
    steps_s: dict[str, float] = {}
    for name, step in _SPARKS_STEPS.items():
        if name in times_ms:
            steps_s[step] = steps_s.get(step, 0.0) + times_ms[name] / 1000
    seconds = times_ms["triggerExecution"] / 1000
    return Batch(said["name"], seconds, steps_s, rows, parse_positions(said["sources"]))


def parse_positions(sources: Sequence[Mapping[str, Any]]) -> tuple[Position, ...]:
    """How far sources have been read, from what Spark says of them.

    A table whose content at the start of the stream is still being read says nothing.
    """
    found: list[Position] = []
    for source in sources:
        end, description = source.get("endOffset"), str(source["description"])
        if isinstance(end, str):
            end = json.loads(end)
        if not isinstance(end, dict):
            continue
        if description.startswith("DeltaSource["):
            if not end["isStartingVersion"]:
                uri = description.removeprefix("DeltaSource[").removesuffix("]")
                found.append(TablePosition(uri, end["reservoirVersion"], end["index"]))
        elif description.startswith("Kafka"):
            topics = {topic: {int(n): offset for n, offset in each.items()} for topic, each in end.items()}
            found.append(TopicsPosition(topics))
    return tuple(found)
