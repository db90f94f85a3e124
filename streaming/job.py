"""What all streaming jobs share: arguments, session, provenance, and the one line that says what was done."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql.streaming.query import StreamingQuery

from conf.settings import get_settings
from infra.local.stack import endpoints
from medallion.io import Lake
from medallion.provenance import JobRun, job_run
from medallion.session import open_lake
from streaming.query import Trigger, between_batches


@dataclass(frozen=True)
class Ends:
    """What a job's queries connect: the broker, and the run they report to."""

    bootstrap: str
    run: JobRun


Start = Callable[[Lake, Ends, Trigger], list[StreamingQuery]]
Finish = Callable[[Lake, JobRun], None]


@dataclass(frozen=True)
class Job:
    """A streaming job: a frozen declaration around the function that starts its queries."""

    name: str
    summary: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    start: Start
    finish: Finish | None = None


def drain(lake: Lake, job: Job) -> JobRun:
    """Run a job over what is there now, then stop."""
    read = 0
    with job_run(lake, job.name, job.inputs, job.outputs) as run:
        for query in job.start(lake, Ends(endpoints(lake.settings).bootstrap, run), Trigger(once=True)):
            query.awaitTermination()
            read += sum(p.numInputRows for p in query.recentProgress)
        if not run.rows_in:  # a job that does not count for itself passes on what it reads
            run.rows_in = run.rows_out = read
        _finish(lake, job, run)
    return run


def keep_running(lake: Lake, job: Job, every_s: float, finish_every_s: float = 60.0) -> JobRun:
    """Run a job until it is interrupted; its closing step runs now and then, and once more at the end."""
    with job_run(lake, job.name, job.inputs, job.outputs) as run:
        queries = job.start(lake, Ends(endpoints(lake.settings).bootstrap, run), Trigger(once=False, every_s=every_s))
        try:
            while any(query.isActive for query in queries):
                lake.spark.streams.awaitAnyTermination(int(finish_every_s))
                _finish(lake, job, run)
                lake.spark.streams.resetTerminated()  # the closing step has queries of its own, which end
                for query in queries:
                    if not query.isActive:
                        query.awaitTermination()  # raises what ended it
        except KeyboardInterrupt:
            pass
        finally:
            for query in queries:
                query.stop()
            _finish(lake, job, run)
    return run


def _finish(lake: Lake, job: Job, run: JobRun) -> None:
    if job.finish:
        with between_batches(job.name):
            job.finish(lake, run)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def arguments(job: Job) -> argparse.ArgumentParser:
    """Command-line arguments of a job's module."""
    parser = argparse.ArgumentParser(prog=f"python -m streaming.{job.name}", description=job.summary)
    parser.add_argument("--once", action="store_true", help="process what is there and stop (default: keep running)")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="pause between batches")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    return parser


def run_job(job: Job, argv: Sequence[str] | None = None) -> int:
    """Run a job from its arguments; returns the exit code."""
    given = arguments(job).parse_args(argv)
    settings = get_settings()
    if given.dry_run:
        _say(f"{job.name}: would read {', '.join(job.inputs) or 'Kafka'} and write {', '.join(job.outputs)}")
        return 0
    lake = open_lake(settings, f"slipstream-{job.name}")
    run = drain(lake, job) if given.once else keep_running(lake, job, given.every)
    _say(
        f"{job.name}: {run.rows_in:,} in, {run.rows_out:,} out, {run.rows_quarantined:,} quarantined (run {run.run_id})"
    )
    return 0
