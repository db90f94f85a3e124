"""A step that follows tables: what it is told, what a kill costs, and where it goes on."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from conf.lake import checkpoint_uri
from conf.tables import SILVER_LAPS
from medallion.changes import TableChanges
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.part import sessions_part
from streaming.follow import TableFollower
from streaming.query import Trigger

ONCE = Trigger(once=True)


def write(lake: Lake, **times_ms: int) -> None:
    """Make the laps of the session these, by vehicle."""
    rows = [
        {"session_id": "s", "vehicle_id": vehicle, "lap_number": 1, "lap_time_ms": ms}
        for vehicle, ms in times_ms.items()
    ]
    exchange_rows(lake, SILVER_LAPS, rows, sessions_part(["s"]), "run")


class Seen:
    """A step that notes what it is told, and may be killed."""

    def __init__(self) -> None:
        self.told: list[list[tuple[str, str, int]]] = []
        self.dies = False

    def __call__(self, changes: TableChanges) -> None:
        rows = [row for table in changes.rows(SILVER_LAPS, ("vehicle_id", "lap_time_ms")) for row in table.to_pylist()]
        self.told.append(sorted((row["_change_type"], row["vehicle_id"], row["lap_time_ms"]) for row in rows))
        if self.dies:
            raise KeyboardInterrupt


def follower(lake: Lake, step: Any, **options: Any) -> TableFollower:
    return TableFollower(lake, "step", (SILVER_LAPS,), step, ONCE, **options).start()


def test_a_step_is_told_what_changed_until_it_has_ended(lake: Lake) -> None:
    write(lake, a=1, b=2)
    step = Seen()
    follower(lake, step).awaitTermination()
    follower(lake, step).awaitTermination()  # nothing new: it is not run
    assert step.told == [[("insert", "a", 1), ("insert", "b", 2)]]

    write(lake, a=1, b=3)
    step.dies = True
    with pytest.raises(KeyboardInterrupt):
        follower(lake, step).awaitTermination()
    changed = [("update_postimage", "b", 3), ("update_preimage", "b", 2)]
    assert step.told[1:] == [changed]
    step.dies = False
    write(lake, a=1)
    follower(lake, step).awaitTermination()
    assert step.told[2:] == [[("delete", "b", 3), *changed]], "what the killed step had seen, and what came since"
    lake.compact(SILVER_LAPS, 1)
    follower(lake, step).awaitTermination()
    assert [rows for rows in step.told[3:] if rows] == [], "other files with the same rows"


def test_it_goes_on_where_a_stream_stopped(lake: Lake) -> None:
    write(lake, a=1, b=2)
    lake.ensure(SILVER_LAPS)

    def stream() -> None:
        feed = lake.spark.readStream.format("delta").option("readChangeFeed", "true").load(lake.uri(SILVER_LAPS))
        place = checkpoint_uri("stream", lake.settings)
        writer = feed.writeStream.foreachBatch(lambda _df, _n: None).option("checkpointLocation", place)
        writer.trigger(availableNow=True).start().awaitTermination()

    stream()
    write(lake, a=1, b=3)
    stream()
    write(lake, a=4, b=3)
    step = Seen()
    follower(lake, step, instead_of=("stream",)).awaitTermination()
    after = [("update_postimage", "a", 4), ("update_postimage", "b", 3)]
    before = [("update_preimage", "a", 1), ("update_preimage", "b", 2)]
    assert step.told == [[*after, *before]], "the last version that the stream read is looked at again"
    whole = Seen()
    TableFollower(lake, "other", (SILVER_LAPS,), whole, ONCE, instead_of=("stream", "removed")).awaitTermination()
    assert whole.told == [[("insert", "a", 4), ("insert", "b", 3)]], "one of the streams is to begin anew"


def test_where_the_feed_does_not_reach_back_all_rows_are_looked_at(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    write(lake, a=1)
    write(lake, a=2)
    DeltaTable(lake.uri(SILVER_LAPS)).create_checkpoint()
    for version in (0, 1):  # the log is cleaned after a while
        (Path(lake.uri(SILVER_LAPS)) / "_delta_log" / f"{version:020}.json").unlink()
    with caplog.at_level(logging.WARNING):
        changes = TableChanges(lake, {SILVER_LAPS: 0}, {SILVER_LAPS: 2})
        rows = [row for table in changes.rows(SILVER_LAPS, ("lap_time_ms",)) for row in table.to_pylist()]
    assert rows == [{"lap_time_ms": 2, "_change_type": "insert"}]
    assert "no change feed of versions 1 to 2" in caplog.text


def test_it_follows_until_it_is_stopped_and_says_what_ended_it(lake: Lake) -> None:
    write(lake, a=1)
    step = Seen()
    running = TableFollower(lake, "step", (SILVER_LAPS,), step, Trigger(once=False, every_s=0.05)).start()
    until = time.monotonic() + 60
    for ms in (2, 3):
        while len(step.told) < ms - 1 and time.monotonic() < until:
            time.sleep(0.05)
        write(lake, a=ms)
    while len(step.told) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    assert running.isActive
    running.stop()
    assert not running.isActive
    running.awaitTermination()
    assert step.told == [
        [("insert", "a", 1)],
        *([("update_postimage", "a", ms), ("update_preimage", "a", ms - 1)] for ms in (2, 3)),
    ]

    def fail(_: TableChanges) -> None:
        raise ValueError("this step fails")

    failing = TableFollower(lake, "failing", (SILVER_LAPS,), fail, Trigger(once=False, every_s=0.05)).start()
    with pytest.raises(ValueError, match="this step fails"):
        failing.awaitTermination()
    assert not failing.isActive
