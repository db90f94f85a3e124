from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.kafka.producer import DeliveryReport
from producers.replay.delivery import FileDelivery, FileLoad
from producers.replay.report import ReplayProgress
from producers.replay.state import ReplayState


class Broker:
    """Takes everything, and says when."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, bytes]] = []
        self.begun = time.monotonic()

    def send_many(self, records: list[tuple[bytes, bytes, bytes]], event_type: str) -> None:
        self.arrived += [(time.monotonic() - self.begun, event_id) for _, _, event_id in records]

    def poll(self) -> None:
        pass

    def flush(self) -> DeliveryReport:
        return DeliveryReport(len(self.arrived), len(self.arrived), 0, 0, 0.0, ())


@pytest.fixture
def state(tmp_path: Path) -> ReplayState:
    return ReplayState(tmp_path, digest="d", session=None, topic="t", cluster="c")


def load(count: int, due_s: Any = None) -> FileLoad:
    records = [(b"k", b"v", b"%d" % n) for n in range(count)]
    return FileLoad(Path("a.csv"), "t", count, lambda start: [records[start:]], due_s)


def run(state: ReplayState, given: FileLoad, start: int = 0) -> tuple[Broker, list[ReplayProgress]]:
    broker: Any = Broker()
    seen: list[ReplayProgress] = []
    FileDelivery(broker, state, given, start, seen.append).run()
    return broker, seen


def test_all_is_sent_and_recorded(state: ReplayState):
    broker, seen = run(state, load(5))
    assert [event_id for _, event_id in broker.arrived] == [b"0", b"1", b"2", b"3", b"4"]
    assert [(now.done, now.total) for now in seen] == [(0, 5), (5, 5)]
    last = state.load()
    assert last is not None
    assert (last.finished, state.resume_at()) == (True, 0)


def test_from_where_an_earlier_one_stopped(state: ReplayState):
    broker, seen = run(state, load(5), start=3)
    assert [event_id for _, event_id in broker.arrived] == [b"3", b"4"]
    assert [now.done for now in seen] == [3, 5]


def test_the_pace_begins_with_what_is_sent_first(state: ReplayState):
    due_s = np.array([0.0, 600.0, 600.0, 600.2])
    broker, _ = run(state, load(4, due_s), start=1)
    times = [at for at, _ in broker.arrived]
    assert times[0] < 0.15
    assert times[2] >= 0.2
    assert times[2] < 5
