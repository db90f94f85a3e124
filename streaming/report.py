"""One report of a streaming job's progress: on the terminal and in its log, as JSON lines, and in a table.

It is made beside the queries, in a thread of its own: it asks Spark for no job, and a commit of the table is the
driver's, at most one a minute. What cannot be reported is said in the log and stops nothing.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Event, RLock
from types import TracebackType
from typing import Any, Final, Self

from pyspark import InheritableThread
from pyspark.sql.streaming.query import StreamingQuery

from conf.failures import summarize_error
from conf.tables import OPS_STREAM_PROGRESS
from infra.local.job_log import PROGRESS, Lines
from medallion.io import Lake
from medallion.provenance import JobRun
from streaming.batches import BOARD, Batch, Position, QueryProgress
from streaming.lag import UNKNOWN_LAG, Lag, LagMeter

REPORT_S: Final = 30.0
"""Pause between reports: nothing is silent for a minute."""
COMMIT_S: Final = 60.0
"""Least time between two commits of the table."""
_COLLECT_S: Final = 5.0
"""Pause between two looks at Spark's queries, which keep the progress of 100 batches."""


@dataclass(frozen=True)
class Progress:
    """What a query did since the report before; the columns of ``ops.stream_progress``."""

    run_id: str
    query: str
    reported_ts: datetime
    job: str
    span_s: float
    batches: int
    rows: int
    rows_per_s: float
    batch_s: float | None
    longest_batch_s: float | None
    steps_s: Mapping[str, float]
    lag_messages: int | None
    lag_s: float | None

    def to_row(self) -> dict[str, Any]:
        """The row of the table."""
        return asdict(self) | {"steps_s": [*self.steps_s.items()]}

    def to_json(self) -> str:
        """The same as one line of JSON."""
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}
        steps_s = {name: round(value, 3) for name, value in self.steps_s.items()}
        return json.dumps(rounded | {"reported_ts": f"{self.reported_ts:%Y-%m-%dT%H:%M:%SZ}", "steps_s": steps_s})


def sum_up(run: JobRun, query: str, batches: Sequence[Batch], span_s: float, lag: Lag) -> Progress:
    """Sum up what a query did.

    Args:
        run: Job run.
        query: Its name.
        batches: Those that ended.
        span_s: Since the report before.
        lag: How far it is behind.
    """
    totals: defaultdict[str, float] = defaultdict(float)
    for batch in batches:
        for name, seconds in batch.steps_s.items():
            totals[name] += seconds
    durations, rows = [batch.seconds for batch in batches], sum(batch.rows for batch in batches)
    return Progress(
        run_id=run.run_id,
        query=query,
        reported_ts=datetime.now(UTC),
        job=run.job,
        span_s=span_s,
        batches=len(batches),
        rows=rows,
        rows_per_s=rows / span_s,
        batch_s=sum(durations) / len(durations) if durations else None,
        longest_batch_s=max(durations, default=None),
        steps_s={name: seconds / len(batches) for name, seconds in totals.items()},
        lag_messages=lag.messages,
        lag_s=lag.seconds,
    )


def describe_progress(done: Progress) -> str:
    """A report in one line."""
    parts = []
    if done.batch_s is not None and done.longest_batch_s is not None:
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in done.steps_s.items())
        longest = f", longest {done.longest_batch_s:.2f} s" if done.batches > 1 else ""
        batches = "1 batch" if done.batches == 1 else f"{done.batches:,} batches"
        parts.append(f"{done.rows_per_s:,.{0 if done.rows_per_s >= 10 else 1}f} rows/s")
        parts.append(f"{batches} of {done.batch_s:.2f} s ({steps}){longest}")
    else:
        parts.append(f"no batch has ended for {done.span_s:.0f} s")
    return f"{done.query}: {'; '.join((*parts, describe_lag(done)))}"


def describe_lag(done: Progress) -> str:
    """How far a query is behind, in words."""
    if done.lag_s is None and done.lag_messages is None:
        return "not known how far behind"
    if not done.lag_messages and not done.lag_s:
        return "up to date"
    messages = [] if done.lag_messages is None else [f"{done.lag_messages:,} messages"]
    seconds = [] if done.lag_s is None else [f"{done.lag_s:,.1f} s"]
    return f"{' and '.join(messages + seconds)} behind"


@dataclass
class _Query:
    """What is known of a query.

    Attributes:
        since: When it was reported on last, on the monotonic clock.
        batches: Those that have ended since.
        positions: How far it has read its sources.
        counts_messages: Whether it reads messages.
    """

    since: float
    batches: list[Batch]
    positions: tuple[Position, ...] = ()
    counts_messages: bool = True


class ProgressReport:
    """Reports on the queries of a job while they run.

    Args:
        lake: Where the table is.
        run: Job run.
        report_s: Pause between reports.
        commit_s: Least time between two commits of the table, but for the one at the end.
        on_report: Called with each report but the one at the end, in the thread that makes it.
    """

    def __init__(
        self,
        lake: Lake,
        run: JobRun,
        report_s: float = REPORT_S,
        commit_s: float = COMMIT_S,
        on_report: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_report = on_report
        self._lake, self._run, self._report_s, self._commit_s = lake, run, report_s, commit_s
        self._sparks: list[QueryProgress] = []
        self._queries: dict[str, _Query] = {}
        self._meter = LagMeter(lake)
        self._stop, self._lock = Event(), RLock()
        self._began = self._committed = time.monotonic()
        self._waiting: list[Progress] = []
        self._rows_read = 0

    def __enter__(self) -> Self:
        """Begin."""
        BOARD.take()  # what an earlier job of this process did
        self._lines = Lines(self._lake.settings, f"stream-{self._run.job}.progress")
        self._thread = InheritableThread(target=self._go_on, name="progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Report on what has not been reported yet, and end."""
        self._stop.set()
        self._thread.join()
        try:
            self._report(at_the_end=True)
            self._commit()
            self._meter.close()
        except Exception as problem:  # noqa: BLE001 - see below
            self._give_up(problem)
        self._lines.close()

    def watch(self, queries: Sequence[Any]) -> None:
        """Watch what a job has started; steps that follow tables are reported on without being named."""
        with self._lock:
            self._sparks = [QueryProgress(query) for query in queries if isinstance(query, StreamingQuery)]

    @property
    def rows_read(self) -> int:
        """Rows that Spark's queries have read by now."""
        self._collect()
        return self._rows_read

    def _go_on(self) -> None:
        reported = time.monotonic()
        while not self._stop.wait(min(_COLLECT_S, self._report_s)):
            try:
                self._collect()
                if time.monotonic() - reported >= self._report_s:
                    reported = time.monotonic()
                    self._report()
                    self._on_report()
                if self._waiting and time.monotonic() - self._committed >= self._commit_s:
                    self._commit()
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is no reason to stop a stream
                self._give_up(problem)

    @staticmethod
    def _give_up(problem: Exception) -> None:
        PROGRESS.warning("progress could not be reported: %s", summarize_error(problem))

    def _collect(self) -> None:
        """Take what queries did from Spark and from the board."""
        with self._lock:
            for query in self._sparks:
                batches = query.take()
                self._rows_read += sum(batch.rows for batch in batches)
                known = self._query(query.name)
                known.batches += batches
                known.positions = query.positions
            for batch in BOARD.take():
                known = self._query(batch.query)
                known.batches.append(batch)
                known.positions, known.counts_messages = batch.positions, batch.counts_messages

    def _query(self, name: str) -> _Query:
        return self._queries.setdefault(name, _Query(self._began, []))

    def _report(self, *, at_the_end: bool = False) -> None:
        self._collect()
        working = set(BOARD.working) | {query.name for query in self._sparks if query.is_working}
        found = []
        for name in dict.fromkeys((*self._queries, *sorted(working))):
            if done := self._sum_up(name, is_working=name in working, at_the_end=at_the_end):
                found.append(done)
                self._lines.write(done.to_json())
        self._waiting += found
        if at_the_end:
            return  # the job itself says what it did
        for line in [describe_progress(done) for done in found] or [f"{self._run.job}: nothing new"]:
            PROGRESS.info("%s", line)

    def _sum_up(self, name: str, *, is_working: bool, at_the_end: bool) -> Progress | None:
        """What a query did, ``None`` where it did nothing, does nothing, and is not behind."""
        with self._lock:
            known, now = self._query(name), time.monotonic()
            batches, known.batches = known.batches, []
            if not batches:
                known.since = max(known.since, BOARD.working.get(name, known.since))
        if at_the_end and not batches:
            return None
        lag = self._measure(known)
        if not (batches or is_working or lag.messages or lag.seconds):
            known.since = now
            return None
        done = sum_up(self._run, name, batches, now - known.since, lag)
        if batches:
            known.since = now
        return done

    def _measure(self, known: _Query) -> Lag:
        try:
            return self._meter.measure(known.positions, counts_messages=known.counts_messages)
        except Exception as problem:  # noqa: BLE001 - see above
            self._give_up(problem)
            return UNKNOWN_LAG

    def _commit(self) -> None:
        rows, self._waiting = self._waiting, []
        self._committed = time.monotonic()
        if rows:
            self._lake.append_rows(OPS_STREAM_PROGRESS, [done.to_row() for done in rows])
