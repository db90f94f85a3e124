"""What a step has put off, kept beside how far it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from medallion.io import Lake
from streaming.checkpoint_files import CheckpointFiles

Key = tuple[Any, ...]


class WaitingKeys:
    """Keys that wait, and since when.

    They are to be written before the follower notes how far it came: a step that is killed between the two is done
    again, over the same changes.

    Args:
        lake: Where the tables are.
        name: Of the follower.
        what: Waits, by which the file is named.
    """

    def __init__(self, lake: Lake, name: str, what: str = "waiting") -> None:
        self._files, self._file = CheckpointFiles(lake, name), f"{what}.json"

    def read(self) -> dict[Key, float]:
        """Seconds since the epoch, by key."""
        return {tuple(key): float(since) for *key, since in json.loads(self._files.read(self._file) or "[]")}

    def write(self, since: Mapping[Key, float]) -> None:
        """Keep these, and no others."""
        if since != self.read():
            self._files.write(self._file, json.dumps([[*key, at] for key, at in sorted(since.items())]))
