"""How far streams had come, by their checkpoints."""

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


def messages_by_topic(files: CheckpointFiles, batch_id: int) -> dict[str, int]:
    """How many messages of each Kafka topic a batch of a stream has at most, by the offsets that Spark notes before it.

    Where a stream's first batch begins is not noted: it counts from the topic's first offset on.

    Args:
        files: The stream's checkpoint.
        batch_id: The batch.
    """
    first, last = (_kafka_offsets(files.read(f"offsets/{number}")) for number in (batch_id - 1, batch_id))
    return {
        topic: sum(end - first.get(topic, {}).get(partition, 0) for partition, end in ends.items())
        for topic, ends in last.items()
    }


def _kafka_offsets(text: str | None) -> dict[str, dict[str, int]]:
    """Offset behind the last message by topic and partition; the last line of a batch's offsets."""
    found: dict[str, dict[str, int]] = json.loads(text.splitlines()[-1]) if text else {}
    return found
