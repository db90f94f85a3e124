"""Job: silver to gold: windows, buckets and laps, drivers and sessions; only what changed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from medallion.changes import TableChanges
from medallion.gold.refresh import processor
from medallion.gold.refresh.changed_rows import SOURCES, ChangedRows, read_changed_rows
from medallion.gold.refresh.driven_laps import Waiting, laps_from_json, laps_to_json
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming.checkpoint_files import CheckpointFiles
from streaming.follow import TableFollower
from streaming.job import StreamingJob
from streaming.query import Trigger

NAME = "gold"
_WAITING = "driven_laps.json"
_STREAMS_BEFORE = (NAME, "gold_laps_2")
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
        puts_off: Whether laps that are being driven wait until they are over, or until :func:`finish_gold`.
    """
    lake.ensure_all((*SOURCES, *OUTPUTS))
    gold, files = processor.GoldProcessor(lake, run.run_id), CheckpointFiles(lake, NAME)

    def refresh(changes: TableChanges) -> None:
        rows = read_changed_rows(changes)
        run.rows_in += sum(row.n for row in rows)
        _process(gold, rows, files, time.time() if puts_off else None)
        run.rows_out = len(gold.vehicles)

    return TableFollower(lake, NAME, SOURCES, refresh, trigger, NAME, instead_of=_STREAMS_BEFORE)


def finish_gold(lake: Lake, run: JobRun) -> None:
    """Compute laps that were put off and still are being driven, as far as they are there."""
    files = CheckpointFiles(lake, NAME)
    if laps_from_json(files.read(_WAITING)):
        _process(processor.GoldProcessor(lake, run.run_id), (), files, None)


def _process(
    gold: processor.GoldProcessor, rows: Sequence[ChangedRows], files: CheckpointFiles, now_s: float | None
) -> None:
    """Process changes. What waits is noted before the follower notes how far it came: a killed step begins anew."""
    waiting = Waiting(laps_from_json(files.read(_WAITING)), now_s)
    put_off = gold.process(rows, waiting)
    if put_off != waiting.since:
        files.write(_WAITING, laps_to_json(put_off))


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
