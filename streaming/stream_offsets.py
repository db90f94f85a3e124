"""How far streams over Delta tables had come, by their checkpoints: where a follower of the same tables goes on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from streaming.checkpoint_files import CheckpointFiles


def versions_read(files: CheckpointFiles, tables: Mapping[str, str]) -> dict[str, int]:
    """Version up to which a stream has read each of its tables; a table whose first reading was under way is left out.

    Args:
        files: The stream's checkpoint; none need be there.
        tables: Name by table id.
    """
    batches = sorted(int(name) for name in files.names("commits") if name.isdigit())
    if not batches:
        return {}
    return parse_offsets((files.read(f"offsets/{batches[-1]}") or "").splitlines(), tables)


def parse_offsets(lines: Iterable[str], tables: Mapping[str, str]) -> dict[str, int]:
    """The same from the lines of a batch's offsets: of each source the version at which the next batch begins."""
    found = {}
    for line in lines:
        if not line.startswith("{"):
            continue
        offset: dict[str, Any] = json.loads(line)
        name = tables.get(offset.get("reservoirId", ""))
        if name is not None and not offset["isStartingVersion"]:
            found[name] = int(offset["reservoirVersion"]) - 1
    return found
