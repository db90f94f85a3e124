"""Job: silver to gold: windows, buckets and laps, drivers and sessions; only what changed."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from conf.tables import SILVER_RESULTS, SILVER_TELEMETRY
from medallion.gold.refresh import processor
from medallion.gold.refresh.affected import SOURCES, change_keys, find_affected
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming.job import StreamingJob
from streaming.query import Trigger, start_query

NAME = "gold"
LAPS = "gold_laps_2"  # a query cannot take up a checkpoint of other sources: these are those of version 2
OUTPUTS = (*processor.TABLES, *processor.LAP_TABLES)


def start_gold(lake: Lake, run: JobRun, trigger: Trigger) -> list[StreamingQuery]:
    """Start both queries: over what is sampled, and over laps and whatever else the tables over laps read.

    A batch names what changed; that is computed whole from silver and written as a difference. A batch that is
    repeated finds nothing to change. The batches of the two never run at the same time.
    """
    for name in {*SOURCES, *OUTPUTS}:
        lake.ensure(name)
    gold = processor.GoldProcessor(lake, run.run_id)

    def aggregate(df: DataFrame, _batch_id: int, _query: str) -> None:
        run.rows_in += df.count()
        gold.aggregate_telemetry(df)
        run.rows_out = len(gold.vehicles)

    def refresh(df: DataFrame, _batch_id: int, _query: str) -> None:
        run.rows_in += df.where(df.source != SILVER_TELEMETRY).count()  # the other query counts those
        gold.refresh(find_affected(lake, df))
        run.rows_out = len(gold.vehicles)

    changes = reduce(DataFrame.unionByName, (change_keys(name, _changes(lake, name)) for name in SOURCES))
    return [
        start_query(lake.spark, lake.settings, NAME, _changes(lake, SILVER_TELEMETRY), aggregate, trigger, NAME),
        start_query(lake.spark, lake.settings, LAPS, changes, refresh, trigger, NAME),
    ]


def _changes(lake: Lake, name: str) -> DataFrame:
    """Stream of a table's changed rows; of one without a change feed, of the rows in files that were written."""
    option = "ignoreChanges" if name == SILVER_RESULTS else "readChangeFeed"
    return lake.spark.readStream.format("delta").option(option, "true").load(lake.uri(name))


JOB = StreamingJob(
    name=NAME,
    module="streaming.gold",
    command="stream gold",
    summary="Silver to gold: windows, buckets and laps, drivers and sessions; only what changed.",
    inputs=SOURCES,
    outputs=OUTPUTS,
    start=start_gold,
    describe=lambda run: f"{run.rows_in:,} changed rows, {run.rows_out:,} vehicles brought up to date",
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
