"""A job's progress as it runs: what is reported of Spark's queries and of steps, where, how often, and at what cost."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from conf.tables import OPS_STREAM_PROGRESS, SILVER_SESSIONS
from medallion.changes import TableChanges
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming import report as module
from streaming.follow import TableFollower
from streaming.query import Trigger, start_query
from streaming.report import ProgressReport

SOURCE = "bronze.race_events"
ALWAYS = Trigger(once=False, every_s=0.1)


def put(lake: Lake, n: int) -> None:
    row = {"topic": "race.raw", "kafka_partition": 0, "kafka_offset": n, "ingest_date": date(2026, 1, 1)}
    lake.append_rows(SOURCE, [row] * n)


def wait(until: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines_of(lake: Lake, job: str) -> list[dict[str, Any]]:
    path = lake.settings.logs_dir / f"stream-{job}.progress.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def commits(lake: Lake) -> int:
    log = Path(lake.uri(OPS_STREAM_PROGRESS)) / "_delta_log"
    return len(list(log.glob("*.json"))) - 1 if log.exists() else 0  # the first one makes the table


def test_queries_and_steps_are_reported_on_while_they_run(
    lake: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COLLECT_S", 0.2)
    caplog.set_level(logging.INFO, "slipstream.progress")
    lake.ensure_all((SOURCE, SILVER_SESSIONS))
    held: list[float] = [0.0]

    def promote(df: DataFrame, _batch: int, _query: str) -> int:
        time.sleep(held[0])
        return max(df.count(), df.count())  # looking at rows twice does not double them

    def step(changes: TableChanges) -> None:
        assert [table.num_rows for table in changes.rows(SOURCE, ("topic",))]

    run, began_s = JobRun("test"), time.monotonic()
    with ProgressReport(lake, run, report_s=0.5, commit_s=3.0) as report:
        stream = lake.spark.readStream.format("delta").load(lake.uri(SOURCE))
        query = start_query(lake.spark, lake.settings, "query", stream, promote, ALWAYS)
        follower = TableFollower(lake, "step", (SOURCE,), step, ALWAYS).start()
        report.watch([query, follower])
        try:
            put(lake, 3)
            wait(lambda: {line["query"] for line in lines_of(lake, "test")} == {"query", "step"})
            held[0] = 3.0
            put(lake, 5)
            time.sleep(1.0)
            put(lake, 7)  # while the batch of the five goes on
            wait(lambda: any(line["lag_messages"] == 12 for line in lines_of(lake, "test")))
            held[0] = 0.0
            wait(lambda: sum(line["rows"] for line in lines_of(lake, "test") if line["query"] == "query") == 15)
            assert 1 <= commits(lake) <= (time.monotonic() - began_s) / 3.0
        finally:
            query.stop()
            follower.stop()
        assert report.rows_read == 15
    lines = lines_of(lake, "test")
    own = [line for line in lines if line["query"] == "query"]
    assert {line["run_id"] for line in lines} == {run.run_id}
    assert sum(line["rows"] for line in lines if line["query"] == "step") == 15
    waiting = [line for line in own if line["batches"] == 0 and line["lag_s"]]
    assert waiting, "it is behind"
    assert {line["batch_s"] for line in waiting} == {None}
    assert all({"process", "offsets", "plan", "commit"} == line["steps_s"].keys() for line in own if line["batches"])
    assert any("query: no batch has ended for" in text for text in caplog.messages)
    assert any("12 messages and " in text for text in caplog.messages)
    assert not [text for text in caplog.messages if "could not be reported" in text]
    table = DeltaTable(lake.uri(OPS_STREAM_PROGRESS)).to_pyarrow_table().to_pylist()
    assert sorted((r["query"], r["rows"], r["batches"], r["lag_messages"] or 0) for r in table) == sorted(
        (line["query"], line["rows"], line["batches"], line["lag_messages"] or 0) for line in lines
    )


def test_a_report_asks_spark_for_no_job_and_a_failure_of_it_stops_nothing(
    lake: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.ensure_all((SOURCE, OPS_STREAM_PROGRESS))
    put(lake, 3)
    context: Any = lake.spark.sparkContext

    def jobs_so_far() -> int:
        return int(context._jsc.sc().dagScheduler().nextJobId())

    def follow() -> None:
        TableFollower(lake, "step", (SOURCE,), lambda _changes: None, Trigger(once=True)).start().awaitTermination()

    before = jobs_so_far()
    for _ in range(3):
        with ProgressReport(lake, JobRun("test")):
            follow()
            put(lake, 2)
    assert commits(lake) == 3
    assert jobs_so_far() == before

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Lake, "append_rows", fail)
    with ProgressReport(lake, JobRun("test")):
        follow()
    assert "progress could not be reported: the disk is full" in caplog.messages
