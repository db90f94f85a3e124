"""Where a stream over Delta tables stopped, by its checkpoint."""

from __future__ import annotations

import json
from typing import Any

from streaming.stream_offsets import messages_by_topic, parse_offsets, versions_read

NAMES = {"id-laps": "silver.laps", "id-telemetry": "silver.telemetry"}


def offset(table: str, version: int, *, first: bool = False, index: int = -1) -> str:
    return json.dumps(
        {
            "sourceVersion": 1,
            "reservoirId": table,
            "reservoirVersion": version,
            "index": index,
            "isStartingVersion": first,
        }
    )


class Files:
    """A checkpoint's files, by name."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def names(self, folder: str) -> list[str]:
        return [name.removeprefix(f"{folder}/") for name in self.texts if name.startswith(f"{folder}/")]

    def read(self, name: str) -> str | None:
        return self.texts.get(name)


def test_a_table_is_known_up_to_the_version_before_the_next_batch() -> None:
    lines = ["v1", '{"batchWatermarkMs":0}', offset("id-laps", 7), "-", offset("id-telemetry", 3, index=5)]
    assert parse_offsets(lines, NAMES) == {"silver.laps": 6, "silver.telemetry": 2}  # half of version 3 is read again


def test_a_first_reading_under_way_and_other_tables_say_nothing() -> None:
    assert parse_offsets([offset("id-laps", 7, first=True), offset("other", 2)], NAMES) == {}


def test_the_last_batch_that_was_committed_counts() -> None:
    files: Any = Files(
        {
            "offsets/9": "v1\n{}\n" + offset("id-laps", 5),
            "offsets/10": "v1\n{}\n" + offset("id-laps", 6),
            "offsets/11": "v1\n{}\n" + offset("id-laps", 9),
            "commits/9": "v1\n{}",
            "commits/10": "v1\n{}",
            "commits/.10.crc": "",
        }
    )
    assert versions_read(files, NAMES) == {"silver.laps": 5}
    assert versions_read(Files({}), NAMES) == {}  # type: ignore[arg-type]


def test_messages_of_a_batch_are_counted_by_topic() -> None:
    def noted(**topics: dict[str, int]) -> str:
        return "\n".join(["v1", '{"batchWatermarkMs":0}', json.dumps(topics)])

    files = Files(
        {
            "offsets/0": noted(telemetry={"0": 5, "1": 0}),
            "offsets/1": noted(telemetry={"0": 7, "1": 4}, race={"0": 3}),
            "offsets/2": noted(telemetry={"0": 7, "1": 4}, race={"0": 3}),
        }
    )
    assert messages_by_topic(files, 0) == {"telemetry": 5}
    assert messages_by_topic(files, 1) == {"telemetry": 6, "race": 3}
    assert messages_by_topic(files, 2) == {"telemetry": 0, "race": 0}
