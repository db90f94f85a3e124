"""How far queries are behind what they read: in messages, and in seconds since the oldest of these was there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from infra.kafka.client_options import librdkafka_options
from infra.kafka.unread import UnreadMessages
from infra.local.stack import find_endpoints
from medallion.io import Lake
from streaming.batches import Position, TablePosition, TopicsPosition
from streaming.checkpoint_files import FolderFiles

_MOST_COMMITS: Final = 2_000
"""So many versions of a table are looked at; of a reader farther behind, its messages are not counted."""


@dataclass(frozen=True)
class Lag:
    """How far a reader is behind.

    Attributes:
        messages: How many it has not read yet; ``None`` where that cannot be counted.
        seconds: Since when the oldest of what it has not read is there; ``None`` where that is not known.
    """

    messages: int | None
    seconds: float | None


NO_LAG: Final = Lag(0, 0.0)
UNKNOWN_LAG: Final = Lag(None, None)


@dataclass(frozen=True)
class Commit:
    """A version of a table, by its log.

    Attributes:
        written_s: When it was written, seconds since the epoch.
        rows: Rows of each file that it added; ``None`` where the log does not say.
        changes_data: Whether it added or removed rows: to merge files does not.
    """

    written_s: float
    rows: tuple[int | None, ...]
    changes_data: bool


def parse_commit(text: str) -> Commit:
    """A version from its file in a table's log.

    Args:
        text: One JSON object a line.
    """
    written_ms, rows, changes_data = 0.0, [], False
    for action in map(json.loads, text.splitlines()):
        if "commitInfo" in action:
            written_ms = action["commitInfo"]["timestamp"]
        for kind in ("add", "remove"):
            if kind in action and action[kind]["dataChange"]:
                changes_data = True
                if kind == "add":
                    rows.append(json.loads(action["add"].get("stats") or "{}").get("numRecords"))
    return Commit(written_ms / 1000, tuple(rows), changes_data)


def count_lag(commits: Sequence[Commit], last_file: int, now_s: float) -> Lag:
    """How far a reader of a table is behind.

    Args:
        commits: Versions that it has not read whole, the oldest first.
        last_file: Number of the last file of the first of them that it has read.
        now_s: Now, seconds since the epoch.
    """
    unread: list[int | None] = []
    oldest_s: float | None = None
    for number, commit in enumerate(commits):
        read = max(0, last_file + 1) if number == 0 else 0
        if not commit.changes_data or (read and read >= len(commit.rows)):
            continue
        unread += commit.rows[read:]
        oldest_s = commit.written_s if oldest_s is None else oldest_s
    if oldest_s is None:
        return NO_LAG
    known = [rows for rows in unread if rows is not None]
    return Lag(sum(known) if len(known) == len(unread) else None, max(0.0, now_s - oldest_s))


class LagMeter:
    """Measures lags; it reads each version of a table's log once, and asks Spark for nothing.

    Args:
        lake: Where the tables are.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._logs: dict[str, FolderFiles] = {}
        self._known: dict[str, dict[int, Commit]] = {}

    def measure(self, positions: Sequence[Position], *, counts_messages: bool) -> Lag:
        """How far a query is behind.

        Args:
            positions: How far it has read its sources.
            counts_messages: Whether messages are what it reads.

        Raises:
            Exception: What a broker or a file system raises.
        """
        lags = [
            self._of_topics(position) if isinstance(position, TopicsPosition) else self._of_table(position)
            for position in positions
        ]
        if not lags:
            return UNKNOWN_LAG
        messages = [lag.messages for lag in lags]
        seconds = [lag.seconds for lag in lags]
        counted = [n for n in messages if n is not None]
        known = [s for s in seconds if s is not None]
        return Lag(
            sum(counted) if counts_messages and len(counted) == len(messages) else None,
            max(known) if len(known) == len(seconds) else None,
        )

    def close(self) -> None:
        """Leave the broker."""
        if "_messages" in vars(self):
            self._messages.close()

    @cached_property
    def _messages(self) -> UnreadMessages:
        settings = self._lake.settings
        return UnreadMessages(find_endpoints(settings).bootstrap, librdkafka_options(settings))

    def _of_topics(self, position: TopicsPosition) -> Lag:
        unread = self._messages.measure(position.offsets)
        if not unread.messages:
            return NO_LAG
        oldest_s = unread.oldest_s
        return Lag(unread.messages, None if oldest_s is None else max(0.0, time.time() - oldest_s))

    def _of_table(self, position: TablePosition) -> Lag:
        known = self._known.get(position.uri, {})
        commits = list(self._commits(position, known))
        numbered = enumerate(commits, position.version)
        self._known[position.uri] = dict(numbered)
        lag = count_lag(commits, position.last_file, time.time())
        return lag if len(commits) < _MOST_COMMITS else Lag(None, lag.seconds)

    def _commits(self, position: TablePosition, known: dict[int, Commit]) -> Iterator[Commit]:
        """Versions from a position on."""
        for version in range(position.version, position.version + _MOST_COMMITS):
            commit = known.get(version)
            if commit is None:
                text = self._log(position.uri).read(f"{version:020}.json")
                if text is None:
                    return
                commit = parse_commit(text)
            yield commit

    def _log(self, uri: str) -> Any:
        if uri not in self._logs:
            self._logs[uri] = FolderFiles(self._lake, f"{uri}/_delta_log")
        return self._logs[uri]
