"""Job: bronze to silver, gated, pivoted, normalised, every unit accounted for."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from medallion.bronze.telemetry_events import TABLE as BRONZE
from medallion.io import Lake
from medallion.provenance import JobRun
from medallion.silver import clock_offsets, processor, restating, takeover, telemetry
from streaming.job import Job, run_job
from streaming.query import Trigger, start_query

NAME = "silver"
MAX_BYTES = 16 << 20
OUTPUTS = (
    telemetry.TABLE, clock_offsets.TABLE, restating.SESSIONS, takeover.QUARANTINE, takeover.CONFLICTS,
    takeover.RECONCILIATION,
)  # fmt: skip


def start(lake: Lake, run: JobRun, trigger: Trigger) -> StreamingQuery:
    """Start the query; the order of delivery is that of :meth:`SilverProcessor.process_raw_to_silver`."""
    for name in (BRONZE, *OUTPUTS):
        lake.ensure(name)
    silver = processor.SilverProcessor(lake, run.run_id)

    def promote(df: DataFrame, batch_id: int, query: str) -> None:
        balance = silver.process_raw_to_silver(df, batch_id, query)
        if balance:
            run.rows_in += balance.units
            run.rows_out += balance.written
            run.rows_quarantined += balance.quarantined

    stream = lake.spark.readStream.format("delta").option("maxBytesPerTrigger", MAX_BYTES).load(lake.uri(BRONZE))
    return start_query(lake.spark, lake.settings, NAME, stream, promote, trigger)


def finish(lake: Lake, run: JobRun) -> None:
    """Bring the clocks up to date and validate what came in, once the stream has drained."""
    from medallion.quality.validation import validate_new_units

    restating.restate_clocks(lake, run.run_id)
    validate_new_units(lake, run.run_id)


JOB = Job(NAME, __doc__ or "", (BRONZE,), OUTPUTS, lambda lake, ends, trigger: [start(lake, ends.run, trigger)], finish)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point for ``spark-submit`` and ``python -m streaming.silver``."""
    return run_job(JOB, argv)


if __name__ == "__main__":
    raise SystemExit(main())
