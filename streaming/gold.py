"""Job: silver to gold features: windows, buckets, laps; only what changed."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from medallion.gold import processor
from medallion.io import Lake
from medallion.provenance import JobRun
from medallion.silver.telemetry import TABLE as SILVER
from streaming.job import Job, run_job
from streaming.query import Trigger, start_query

NAME = "gold"


def start(lake: Lake, run: JobRun, trigger: Trigger) -> StreamingQuery:
    """Start the query over silver's change data feed.

    A batch names the vehicles, spans and laps that changed; those are computed whole from silver and written as a
    difference. A batch that is repeated finds nothing to change.
    """
    for name in (SILVER, *processor.TABLES):
        lake.ensure(name)
    gold = processor.GoldProcessor(lake, run.run_id)

    def aggregate(df: DataFrame, _batch_id: int, _query: str) -> None:
        run.rows_in += df.count()
        run.rows_out += gold.aggregate_telemetry(df)

    stream = lake.spark.readStream.format("delta").option("readChangeFeed", "true").load(lake.uri(SILVER))
    return start_query(lake.spark, lake.settings, NAME, stream, aggregate, trigger)


JOB = Job(
    NAME, __doc__ or "", (SILVER,), processor.TABLES, lambda lake, ends, trigger: [start(lake, ends.run, trigger)]
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point for ``spark-submit`` and ``python -m streaming.gold``."""
    return run_job(JOB, argv)


if __name__ == "__main__":
    raise SystemExit(main())
