"""Job: bronze to silver, gated, pivoted, normalised, every unit accounted for."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from conf.families import EVENT_FAMILIES, PROMOTED, TELEMETRY, MessageFamily
from conf.tables import (
    OPS_DQ_RESULTS,
    OPS_RECONCILIATION,
    SILVER_CLOCK_OFFSETS,
    SILVER_CONFLICTS,
    SILVER_QUARANTINE,
    SILVER_SESSIONS,
)
from medallion.io import Lake
from medallion.provenance import JobRun
from medallion.silver.promote_events import EventProcessor
from medallion.silver.promote_telemetry import SilverProcessor
from medallion.silver.reconciliation import BatchReconciliation
from medallion.small_files import merge_small_files
from streaming import session_tables
from streaming.job import StreamingJob
from streaming.query import Trigger, start_query

NAME = "silver"
MAX_BYTES = 16 << 20
_SELDOM = {"telemetry": 2.0, "race": 5.0, "environment": 5.0}
"""Pauses of queries, in those of the timing that a finished lap waits for first."""
_counting = Lock()
TELEMETRY_OUTPUTS = (
    *TELEMETRY.tables,
    SILVER_CLOCK_OFFSETS,
    SILVER_SESSIONS,
    SILVER_QUARANTINE,
    SILVER_CONFLICTS,
    OPS_RECONCILIATION,
    OPS_DQ_RESULTS,
)
MESSAGE_TABLES = tuple(table for family in PROMOTED for table in family.tables)
"""Those whose rows are made of messages one by one."""
OUTPUTS = tuple(dict.fromkeys((*TELEMETRY_OUTPUTS, *MESSAGE_TABLES, *session_tables.TABLES)))


def start_telemetry(lake: Lake, run: JobRun, trigger: Trigger) -> StreamingQuery:
    """Start the telemetry query; it delivers in the order of :meth:`SilverProcessor.process_raw_to_silver`."""
    for name in (TELEMETRY.bronze, *TELEMETRY_OUTPUTS):
        lake.ensure(name)
    silver = SilverProcessor(lake, run.run_id)

    def promote(df: DataFrame, batch_id: int, query: str) -> int:
        return _count(run, silver.process_raw_to_silver(df, batch_id, query))

    source = _messages(lake, TELEMETRY, maxBytesPerTrigger=MAX_BYTES)
    return start_query(lake.spark, lake.settings, TELEMETRY.silver_query, source, promote, trigger)


def _messages(lake: Lake, family: MessageFamily, **options: int) -> DataFrame:
    """Stream of a family's messages in bronze; that old ones are removed there is nothing new to it."""
    stream = lake.spark.readStream.format("delta").option("ignoreDeletes", "true").options(**options)
    return stream.load(lake.uri(family.bronze))


def start_events(lake: Lake, run: JobRun, trigger: Trigger, family: MessageFamily) -> StreamingQuery:
    """Start the query of a family of events; it delivers in the order of :meth:`EventProcessor.process`."""
    for name in (family.bronze, *family.tables, SILVER_QUARANTINE, SILVER_CONFLICTS, OPS_RECONCILIATION):
        lake.ensure(name)
    events = EventProcessor(lake, family, run.run_id)

    def promote(df: DataFrame, batch_id: int, query: str) -> int:
        return _count(run, events.process(df, batch_id, query))

    source = _messages(lake, family)
    return start_query(lake.spark, lake.settings, family.silver_query, source, promote, trigger)


def start_silver(lake: Lake, run: JobRun, trigger: Trigger) -> list[StreamingQuery]:
    """Start the queries of all families."""
    lake.ensure_all((*(family.bronze for family in PROMOTED), *OUTPUTS))
    return [
        start_telemetry(lake, run, _seldom(trigger, TELEMETRY)),
        *(start_events(lake, run, _seldom(trigger, family), family) for family in EVENT_FAMILIES),
    ]


def _seldom(trigger: Trigger, family: MessageFamily) -> Trigger:
    return replace(trigger, every_s=_SELDOM.get(family.name, 1.0) * trigger.every_s)


def _count(run: JobRun, balance: BatchReconciliation | None) -> int:
    """Count what a batch did; returns its messages, none where it had been done before."""
    if balance is None:
        return 0
    with _counting:  # each query has a thread of its own
        run.rows_in += balance.units
        run.rows_out += balance.written
        run.rows_quarantined += balance.quarantined
    return balance.messages


def close_ended_laps(lake: Lake, run: JobRun) -> None:
    """Bring clocks, laps and results of cars up to date that have ended a lap, and of others now and then."""
    session_tables.follow_silver(lake, run.run_id, Trigger(once=True), puts_off=True).awaitTermination()
    for name in MESSAGE_TABLES:
        merge_small_files(lake, name)


def finish_silver(lake: Lake, run: JobRun) -> None:
    """Bring clocks, laps and results up to date, once the stream has drained."""
    session_tables.follow_silver(lake, run.run_id, Trigger(once=True)).awaitTermination()


JOB = StreamingJob(
    name=NAME,
    module="streaming.silver",
    command="stream silver",
    summary="Bronze to silver: checked, pivoted, in canonical units, and every unit accounted for.",
    inputs=tuple(family.bronze for family in PROMOTED),
    outputs=OUTPUTS,
    start=start_silver,
    describe=lambda run: f"{run.rows_in:,} units, {run.rows_out:,} written, {run.rows_quarantined:,} quarantined",
    finish=close_ended_laps,
    last=finish_silver,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
