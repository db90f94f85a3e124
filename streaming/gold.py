"""Job: silver to gold: windows, buckets and laps, drivers and sessions; only what changed."""

from __future__ import annotations

import time
from dataclasses import astuple

from medallion.changes import TableChanges
from medallion.gold.refresh import processor
from medallion.gold.refresh.changed_rows import SOURCES, read_changed_rows
from medallion.gold.refresh.driven_laps import Waiting
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.provenance import JobRun
from medallion.small_files import merge_small_files
from streaming.follow import TableFollower
from streaming.job import StreamingJob
from streaming.query import Trigger
from streaming.waiting import WaitingKeys

NAME = "gold"
STREAMS_BEFORE = (NAME, "gold_laps_2")
OUTPUTS = (*processor.TABLES, *processor.LAP_TABLES)


def start_gold(lake: Lake, run: JobRun, trigger: Trigger) -> list[TableFollower]:
    """Start to follow whatever gold is computed from; while it goes on, laps that are being driven are put off.

    What changed names laps, vehicles and sessions; those are computed whole from silver and written as a difference.
    """
    return [follow_sources(lake, run, trigger, puts_off=not trigger.once).start()]


def follow_sources(lake: Lake, run: JobRun, trigger: Trigger, *, puts_off: bool) -> TableFollower:
    """A follower of the sources, not started.

    Args:
        lake: Where the tables are.
        run: Job run that counts what was done.
        trigger: When to run.
        puts_off: Whether laps that are being driven wait; if not, those that do are computed.
    """
    lake.ensure_all((*SOURCES, *OUTPUTS))
    gold, kept = processor.GoldProcessor(lake, run.run_id), WaitingKeys(lake, NAME)

    def waiting() -> Waiting:
        laps = {LapKey(*key): since for key, since in kept.read().items()}
        return Waiting(laps, time.time() if puts_off else None)

    def refresh(changes: TableChanges) -> None:
        rows = read_changed_rows(changes)
        run.rows_in += sum(row.n for row in rows)
        put_off = gold.process(rows, waiting())
        kept.write({astuple(lap): since for lap, since in put_off.items()})
        for name in OUTPUTS if puts_off else ():
            merge_small_files(lake, name)
        run.rows_out = len(gold.vehicles)

    return TableFollower(
        lake, NAME, SOURCES, refresh, trigger, instead_of=STREAMS_BEFORE, is_due=lambda: waiting().is_due
    )


def finish_gold(lake: Lake, run: JobRun) -> None:
    """Bring gold up to date, laps that are being driven among it."""
    follow_sources(lake, run, Trigger(once=True), puts_off=False).start().awaitTermination()


JOB = StreamingJob(
    name=NAME,
    module="streaming.gold",
    command="stream gold",
    summary="Silver to gold: windows, buckets and laps, drivers and sessions; only what changed.",
    inputs=SOURCES,
    outputs=OUTPUTS,
    start=start_gold,
    describe=lambda run: f"{run.rows_in:,} changed rows, {run.rows_out:,} vehicles brought up to date",
    last=finish_gold,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
