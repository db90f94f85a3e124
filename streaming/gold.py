"""Job: silver to gold: windows, buckets and laps, drivers and sessions; only what changed."""

from __future__ import annotations

from medallion.changes import TableChanges
from medallion.gold.refresh import processor
from medallion.gold.refresh.changed_rows import SOURCES, read_changed_rows
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming.follow import TableFollower
from streaming.job import StreamingJob
from streaming.query import Trigger

NAME = "gold"
_STREAMS_BEFORE = (NAME, "gold_laps_2")
OUTPUTS = (*processor.TABLES, *processor.LAP_TABLES)


def start_gold(lake: Lake, run: JobRun, trigger: Trigger) -> list[TableFollower]:
    """Start to follow whatever gold is computed from.

    What changed names laps, vehicles and sessions; those are computed whole from silver and written as a difference.
    """
    lake.ensure_all((*SOURCES, *OUTPUTS))
    gold = processor.GoldProcessor(lake, run.run_id)

    def refresh(changes: TableChanges) -> None:
        rows = read_changed_rows(changes)
        run.rows_in += sum(row.n for row in rows)
        gold.process(rows)
        run.rows_out = len(gold.vehicles)

    return [TableFollower(lake, NAME, SOURCES, refresh, trigger, NAME, instead_of=_STREAMS_BEFORE).start()]


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
