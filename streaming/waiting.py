"""What a step has put off, kept beside how far it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from medallion.io import Lake
from streaming.checkpoint_files import CheckpointFiles

_FILE: Final = "waiting.json"
Key = tuple[Any, ...]


class WaitingKeys:
    """Keys that wait, and since when.

    They are to be written before the follower notes how far it came: a step that is killed between the two is done
    again, over the same changes.

    Args:
        lake: Where the tables are.
        name: Of the follower.
    """

    def __init__(self, lake: Lake, name: str) -> None:
        self._files = CheckpointFiles(lake, name)

    def read(self) -> dict[Key, float]:
        """Seconds since the epoch, by key."""
        return {tuple(key): float(since) for *key, since in json.loads(self._files.read(_FILE) or "[]")}

    def write(self, since: Mapping[Key, float]) -> None:
        """Keep these, and no others."""
        if since != self.read():
            self._files.write(_FILE, json.dumps([[*key, at] for key, at in sorted(since.items())]))
