"""What a report says: batches as Spark tells of them, sums over a span, and how far behind a reader is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from medallion.provenance import JobRun
from streaming.batches import Batch, TablePosition, TopicsPosition, parse_positions, parse_progress
from streaming.lag import NO_LAG, UNKNOWN_LAG, Lag, count_lag, parse_commit
from streaming.report import Progress, describe_progress, sum_up


def source(description: str, end: object) -> dict[str, Any]:
    return {"description": description, "startOffset": None, "endOffset": end, "numInputRows": 7}


TOPICS = source("KafkaV2[Subscribe[telemetry.raw]]", {"telemetry.raw": {"0": 7, "1": 4}})
TABLE = source(
    "DeltaSource[file:/a b/lake/bronze/telemetry_events]",
    {"sourceVersion": 1, "reservoirId": "x", "reservoirVersion": 5, "index": 1, "isStartingVersion": False},
)


def said(sources: list[dict[str, Any]], **durations_ms: int) -> dict[str, Any]:
    return {
        "name": "silver",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "batchId": 3,
        "numInputRows": 21,  # looked at three times
        "durationMs": durations_ms,
        "sources": sources,
    }


def test_a_batch_is_read_from_what_spark_says() -> None:
    given = said(
        [TABLE],
        addBatch=800,
        commitOffsets=20,
        getBatch=30,
        latestOffset=40,
        queryPlanning=50,
        walCommit=60,
        triggerExecution=1010,
        somethingNew=9,
    )
    assert parse_progress(given, 7) == Batch(
        "silver",
        1.01,
        {"process": 0.8, "commit": 0.02, "plan": 0.08, "offsets": 0.1},
        7,
        (TablePosition("file:/a b/lake/bronze/telemetry_events", 5, 1),),
    )


def test_how_far_a_source_is_read_and_when_that_cannot_be_told() -> None:
    topics = TopicsPosition({"telemetry.raw": {0: 7, 1: 4}})
    assert parse_positions([TOPICS]) == (topics,)
    assert parse_positions([TOPICS | {"endOffset": json.dumps(TOPICS["endOffset"])}]) == (topics,)
    first = TABLE | {"endOffset": TABLE["endOffset"] | {"isStartingVersion": True}}
    nothing = TABLE | {"endOffset": None}
    other = source("RateStreamV2[rowsPerSecond=1]", 5)
    assert parse_positions([first, nothing, other]) == ()


def commit(at_ms: int, *rows: int | None, data_change: bool = True, removed: bool = False) -> str:
    actions: list[dict[str, Any]] = [{"commitInfo": {"timestamp": at_ms, "operation": "WRITE"}}]
    actions += [
        {"add": {"path": "f", "dataChange": data_change} | ({} if n is None else {"stats": f'{{"numRecords":{n}}}'})}
        for n in rows
    ]
    actions += [{"remove": {"path": "g", "dataChange": data_change}}] if removed else []
    return "\n".join(map(json.dumps, actions))


def test_lag_is_the_rows_and_the_age_of_versions_that_are_not_read() -> None:
    first, second = parse_commit(commit(10_000, 3, 4)), parse_commit(commit(12_000, 5))
    merged, told = parse_commit(commit(9_000, 9, data_change=False, removed=True)), parse_commit(commit(9_000))
    assert count_lag([first, second], -1, 20.0) == Lag(12, 10.0)
    assert count_lag([first, second], -100, 20.0) == Lag(12, 10.0), "Delta's own mark of a version not begun"
    assert count_lag([first, second], 0, 20.0) == Lag(9, 10.0), "one of the files is read"
    assert count_lag([first, second], 1, 20.0) == Lag(5, 8.0), "both are"
    assert count_lag([merged, told], -1, 20.0) == NO_LAG, "merged files and new properties are nothing to read"
    assert count_lag([merged, second], -1, 20.0) == Lag(5, 8.0)
    assert count_lag([], -1, 20.0) == NO_LAG
    assert count_lag([parse_commit(commit(10_000, 3, None))], -1, 20.0) == Lag(None, 10.0), "a file without statistics"
    assert count_lag([parse_commit(commit(10_000, removed=True))], -1, 20.0) == Lag(0, 10.0), "rows were removed"
    assert count_lag([parse_commit(commit(30_000, 3))], -1, 20.0) == Lag(3, 0.0), "another machine's clock is ahead"


def batch(seconds: float, rows: int) -> Batch:
    return Batch("silver", seconds, {"process": seconds - 0.1, "plan": 0.1}, rows, ())


@pytest.fixture
def run() -> JobRun:
    return JobRun("all", "run")


def test_a_span_is_summed_up(run: JobRun) -> None:
    done = sum_up(run, "silver", [batch(1.0, 100), batch(3.0, 500)], 30.0, Lag(1200, 2.5))
    assert (done.job, done.run_id, done.query, done.batches, done.rows, done.rows_per_s) == (
        *("all", "run", "silver", 2, 600, 20.0),
    )
    assert (done.batch_s, done.longest_batch_s) == (2.0, 3.0)
    assert dict(done.steps_s) == pytest.approx({"process": 1.9, "plan": 0.1})
    assert describe_progress(done) == (
        "silver: 20 rows/s; 2 batches of 2.00 s (process 1.90, plan 0.10), longest 3.00 s; "
        "1,200 messages and 2.5 s behind"
    )
    parsed = json.loads(done.to_json())
    assert parsed.keys() == set(Progress.__dataclass_fields__)
    assert parsed["reported_ts"].endswith("Z")
    assert parsed["steps_s"] == {"process": 1.9, "plan": 0.1}


def test_what_is_not_there_is_not_zero(run: JobRun) -> None:
    done = sum_up(run, "silver", [], 45.0, UNKNOWN_LAG)
    assert (done.rows, done.batch_s, done.longest_batch_s, done.lag_messages, done.lag_s) == (0, None, None, None, None)
    assert describe_progress(done) == "silver: no batch has ended for 45 s; not known how far behind"


@pytest.mark.parametrize(
    ("lag", "text"),
    [
        (NO_LAG, "up to date"),
        (Lag(None, 0.0), "up to date"),
        (Lag(None, 3.25), "3.2 s behind"),
        (Lag(5, None), "5 messages behind"),
    ],
)
def test_lag_in_words(run: JobRun, lag: Lag, text: str) -> None:
    assert describe_progress(sum_up(run, "gold", [batch(1.0, 1)], 30.0, lag)).endswith(f"; {text}")
