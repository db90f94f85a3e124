"""What a streaming job adds to a job: how its queries start, and a step for when they have drained."""

from __future__ import annotations

import signal
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from threading import current_thread, main_thread
from typing import Any, Protocol

from conf.settings import AppConfig
from jobs.arguments import add_nothing
from jobs.job import Job, RunContext
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming.alerts import QuarantineWatch, alert_of_balance, check_runs
from streaming.claim import claim_layers
from streaming.query import Trigger
from streaming.report import ProgressReport

EVERY_S = 2.0


class RunningQuery(Protocol):
    """What is waited for and stopped: a streaming query, or whatever follows tables."""

    @property
    def isActive(self) -> bool:  # noqa: N802 - the names that streaming queries have
        """Whether it goes on."""

    def stop(self) -> None:
        """End it."""

    def awaitTermination(self) -> Any:  # noqa: N802
        """Wait for its end; raises what ended it."""


def ask_nothing(_: AppConfig) -> None:
    """Ask nothing before a run."""


Start = Callable[[Lake, JobRun, Trigger], Sequence[RunningQuery]]
Finish = Callable[[Lake, JobRun], None]


@dataclass(frozen=True, kw_only=True)
class StreamingJob(Job):
    """A job of queries that go on where they stopped, until they are interrupted or have caught up.

    Attributes:
        start: Starts its queries.
        describe: The sentence that says what a run did, without the job's name.
        finish: What is done now and then, beside the queries.
        last: What is done once they have drained or were stopped; ``finish`` if left out.
        layers: Jobs whose tables it fills, if it is several in one; no other process does so meanwhile.
        arguments: Adds arguments of its own to a parser.
        start_with: The start for given arguments, where it has some of its own.
        check: What is asked before Spark starts; raises what a run would fail of, such as an absent broker.
    """

    start: Start
    describe: Callable[[JobRun], str]
    finish: Finish | None = None
    last: Finish | None = None
    layers: tuple[str, ...] = ()
    arguments: Callable[[ArgumentParser], None] = add_nothing
    start_with: Callable[[Namespace], Start] | None = None
    check: Callable[[AppConfig], None] = ask_nothing

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the job's own arguments to a parser."""
        parser.add_argument(
            "--once", action="store_true", help="process what is there and stop (default: keep running)"
        )
        parser.add_argument("--every", type=float, default=EVERY_S, metavar="SECONDS", help="pause between batches")
        self.arguments(parser)

    def run(self, context: RunContext, given: Namespace) -> str:
        """Run with given arguments; returns the sentence that says what was done.

        Raises:
            LayerTakenError: If another process fills a layer of this lake; Spark isn't started for that.
            SlipstreamError: If its check finds what it would fail of.
            AlertError: If it was to run once and has, and more units were refused than the settings allow.
        """
        job = self if self.start_with is None else replace(self, start=self.start_with(given))
        with self.claim(context.settings):
            self.check(context.settings)
            if not given.once:
                return job.sentence(run_until_interrupted(context.lake, job, given.every))
            run = drain_job(context.lake, job)
        check_runs(context.settings, [run], job.sentence(run))
        return job.sentence(run)

    def claim(self, settings: AppConfig) -> AbstractContextManager[None]:
        """Hold what it fills, for this process alone.

        Raises:
            LayerTakenError: If another process has it.
        """
        return claim_layers(settings, self.layers or (self.name,))

    def at_the_end(self, lake: Lake, run: JobRun) -> None:
        """Do what is to be done once its queries have ended."""
        if step := self.last or self.finish:
            step(lake, run)

    def sentence(self, run: JobRun) -> str:
        """What a run did."""
        return f"{self.name}: {self.describe(run)} (run {run.run_id})"


def drain_job(lake: Lake, job: StreamingJob) -> JobRun:
    """Run a job over the data available now, then stop."""
    with _running(lake, job) as run, ProgressReport(lake, run) as report:
        queries = job.start(lake, run, Trigger(once=True))
        report.watch(queries)
        for query in queries:
            query.awaitTermination()
        _count_read(run, report)
        job.at_the_end(lake, run)
    QuarantineWatch(lake.settings, run).check(least=1)
    return run


@contextmanager
def _running(lake: Lake, job: StreamingJob) -> Iterator[JobRun]:
    """A run that nobody else fills the same layers beside, that is recorded, and tells of units that get lost."""
    with job.claim(lake.settings), alert_of_balance(lake.settings, job.name), job.record_run(lake) as run:
        yield run


def _count_read(run: JobRun, report: ProgressReport) -> None:
    """Count what was read, for a job that does not count for itself: it passes all of that on."""
    if not run.rows_in:
        run.rows_in = run.rows_out = report.rows_read


def run_until_interrupted(lake: Lake, job: StreamingJob, every_s: float) -> JobRun:
    """Run a job until it is interrupted or told to end; its steps run beside its queries, and at the end."""
    with _running(lake, job) as run, _ended_by_sigterm():
        watch = QuarantineWatch(lake.settings, run)
        with ProgressReport(lake, run, on_report=watch.check) as report:
            _keep_running(lake, job, run, report, every_s)
        watch.check(least=1)
    return run


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """End as after Ctrl-C when a scheduler or the system asks for it."""
    if current_thread() is not main_thread():
        yield  # only the main thread is told of signals
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_running(lake: Lake, job: StreamingJob, run: JobRun, report: ProgressReport, every_s: float) -> None:
    trigger = Trigger(once=False, every_s=every_s)
    queries = job.start(lake, run, trigger)
    report.watch(queries)
    try:
        pause_s = every_s
        while all(query.isActive for query in queries):
            time.sleep(pause_s)
            began = time.monotonic()
            if job.finish:
                job.finish(lake, run)
            pause_s = trigger.pause_s(began)
        for query in queries:
            if not query.isActive:
                query.awaitTermination()  # raises what ended it
    except KeyboardInterrupt:
        pass
    finally:
        for query in queries:
            query.stop()
        _count_read(run, report)
        job.at_the_end(lake, run)
