"""Messages as producers send them, well formed unless a test says otherwise, and stored as Kafka stores them."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from producers.simulator.frames import Frame

READING = "slipstream.reading.v1"
FRAME = "slipstream.frame.v1"
T0 = 1_757_181_600_000_000  # 2025-09-06 18:00 UTC
DAY_US = 86_400_000_000


class Message(NamedTuple):
    """A Kafka record's key, type and value."""

    key: str
    event_type: str | None
    payload: bytes | None


class Stored(NamedTuple):
    """A row of bronze, as far as silver looks at it."""

    topic: str
    kafka_partition: int
    kafka_offset: int
    event_type: str | None
    source: str | None
    payload: bytes | None


def reading(channel: str = "speed", value: Any = 100.0, t_us: Any = T0, **fields: Any) -> Message:
    """A reading of car ``GR86-001-1`` in session ``test-R1``; the car clock is a day slow, arrival 0.1 s late."""
    body = {
        "session_id": "test-R1",
        "vehicle_id": "GR86-001-1",
        "vehicle_number": 1,
        "lap": 1,
        "meta_time_us": t_us + DAY_US + 100_000 if isinstance(t_us, int) else None,
        "timestamp_us": t_us,
        "ecu_seq": 0,
        "dialect": "grcup",
        "telemetry_name": channel,
        "telemetry_value": value,
    } | fields
    return message(body, READING)


def frame(t_us: list[int], /, **fields: Any) -> Message:
    """A frame of car ``sim-1`` in session ``test``, arriving 50 ms after its last sample."""
    body = {
        "session_id": "test",
        "vehicle_id": "sim-1",
        "vehicle_number": 1,
        "is_synthetic": True,
        "arrival_us": t_us[-1] + 50_000 if t_us and t_us[-1] else None,
        "t_us": t_us,
    } | fields
    return message(body, FRAME)


def message(body: Any, event_type: str | None) -> Message:
    """Any JSON as a message; keyed as producers key theirs."""
    key = f"{body.get('session_id')}|{body.get('vehicle_id')}" if isinstance(body, dict) else ""
    return Message(key, event_type, json.dumps(body).encode())


def simulated(frames: Iterable[Frame]) -> list[Message]:
    """Frames of the simulator."""
    return [Message(f.key().decode(), FRAME, f.payload()) for f in frames]


def stored(messages: Iterable[Message], partitions: int = 2, source: str = "replay") -> list[Stored]:
    """Messages with the partition that their key goes to and their offset in it."""
    offsets: Counter[int] = Counter()
    result = []
    for key, event_type, payload in messages:
        partition = zlib.crc32(key.encode()) % partitions
        result.append(Stored("telemetry.raw", partition, offsets[partition], event_type, source, payload))
        offsets[partition] += 1
    return result
