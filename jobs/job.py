"""What a job is: one frozen declaration of its name, what it reads and writes, its arguments, and how it runs.

Whatever is said of a job derives from its declaration: the arguments of ``python -m`` and ``spark-submit``, the dry
run, the row in ``ops.job_runs``, and the table in ``docs/cluster.md``.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from conf.errors import AlertError
from conf.failures import find_foreign_failure, user_message
from conf.plain_text import show_controls
from conf.settings import AppConfig, get_settings
from infra.local.job_log import LOGGER, log_to_file, progress_on_terminal, say_at_work
from infra.local.spark_log import spark_log
from infra.local.stack import find_endpoints
from jobs.arguments import add_nothing
from medallion.io import Lake
from medallion.provenance import JobRun, job_run
from medallion.session import open_lake

if TYPE_CHECKING:
    from ml.tracking import Tracker


@dataclass(frozen=True)
class RunContext:
    """What a job runs with; the tracker and the lake are opened when they are first asked for.

    Attributes:
        settings: Settings of the run.
        app_name: Name that Spark shows.
    """

    settings: AppConfig
    app_name: str

    @cached_property
    def tracker(self) -> Tracker:
        """The server that tracks runs and models.

        Raises:
            TrackingError: If it does not answer.
        """
        from ml.tracking import Tracker

        return Tracker(find_endpoints(self.settings).tracking_uri)

    @cached_property
    def lake(self) -> Lake:
        """The lake, on a Spark session that is started for it."""
        with say_at_work("Spark starts"):
            return open_lake(self.settings, self.app_name)

    def open_lake_and_tracker(self) -> tuple[Lake, Tracker]:
        """The lake and the tracker; a server that does not answer is reported before Spark starts.

        Raises:
            TrackingError: If the tracking server does not answer.
        """
        tracker = self.tracker
        return self.lake, tracker


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """Declaration of a job.

    Attributes:
        name: Name in ``ops.job_runs``.
        module: Module whose ``main`` runs it.
        command: Command of ``slipstream`` that runs it, without ``slipstream``.
        summary: What it does, in one sentence.
        inputs: Tables that it reads.
        outputs: Tables that it writes.
        other_inputs: What else it reads, such as ``Kafka topic telemetry.raw``.
        other_outputs: What else it writes, such as ``MLflow model driving-style``.
    """

    name: str
    module: str
    command: str
    summary: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    other_inputs: tuple[str, ...] = ()
    other_outputs: tuple[str, ...] = ()

    @abstractmethod
    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the job's own arguments to a parser."""

    @abstractmethod
    def run(self, context: RunContext, given: Namespace) -> str:
        """Run with given arguments; returns the sentence that says what was done."""

    @property
    def reads(self) -> tuple[str, ...]:
        """All that it reads."""
        return (*self.other_inputs, *self.inputs)

    @property
    def writes(self) -> tuple[str, ...]:
        """All that it writes."""
        return (*self.outputs, *self.other_outputs)

    @property
    def dry_run_sentence(self) -> str:
        """What a run would do."""
        return f"{self.name}: would read {', '.join(self.reads)} and write {', '.join(self.writes)}"

    @property
    def log_name(self) -> str:
        """Name of its log in ``$SLIPSTREAM_HOME/logs``, without the ending."""
        return self.command.replace(" ", "-")

    def context(self, settings: AppConfig) -> RunContext:
        """What a run of the job needs; nothing is opened yet."""
        return RunContext(settings, f"slipstream-{self.name.replace('_', '-')}")

    def record_run(self, lake: Lake) -> AbstractContextManager[JobRun]:
        """Record a run in ``ops.job_runs``, however it ends."""
        return job_run(lake, self.name, self.inputs, self.outputs)

    def parser(self) -> ArgumentParser:
        """Parser of the arguments of the job's module."""
        parser = ArgumentParser(prog=f"python -m {self.module}", description=self.summary)
        self.add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        return parser

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the job from its arguments, as ``python -m`` and ``spark-submit`` do.

        Args:
            argv: Arguments; those of the process if left out.

        Returns:
            The exit code: 1 after an error that the user can mend, which is one line on stderr; 3 where all was done
            and an alert was raised.
        """
        given = self.parser().parse_args(argv)
        if given.dry_run:
            sys.stdout.write(f"{self.dry_run_sentence}\n")
            return 0
        try:
            settings = get_settings()
            self._keep_log(settings)
            with progress_on_terminal():
                done = self.run(self.context(settings), given)
        except Exception as error:
            message = user_message(error) or self._foreign_message(error)
            if message is None:
                LOGGER.error("a fault of Slipstream's", exc_info=error)
                raise
            LOGGER.error("%s", message)
            if isinstance(error, AlertError):
                sys.stdout.write(f"{show_controls(error.done)}\n")
            sys.stderr.write(f"{show_controls(message)}\n")
            return getattr(error, "exit_code", 1)
        LOGGER.info("%s", done)
        sys.stdout.write(f"{show_controls(done)}\n")
        return 0

    def _keep_log(self, settings: AppConfig) -> None:
        """Log to the file that the job's command logs to; a cluster's driver may have no place for one."""
        try:
            log_to_file(settings, self.log_name)
        except OSError as error:
            if not settings.launched_by_spark_submit:
                raise
            sys.stderr.write(f"{self.name}: no log is kept: {show_controls(str(error))}\n")

    @staticmethod
    def _foreign_message(error: Exception) -> str | None:
        """Three lines about another program's failure; where a cluster keeps what this process says, it stays whole."""
        settings = get_settings()
        failure = None if settings.launched_by_spark_submit else find_foreign_failure(error)
        return (
            None if failure is None else f"{failure.program} failed\ncause: {failure.cause}\nlog: {spark_log(settings)}"
        )


@dataclass(frozen=True, kw_only=True)
class BatchJob(Job):
    """A job that ends by itself.

    Attributes:
        body: Runs it with given arguments and returns the sentence that says what was done.
        arguments: Adds its own arguments to a parser.
    """

    body: Callable[[RunContext, Namespace], str]
    arguments: Callable[[ArgumentParser], None] = add_nothing

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the job's own arguments to a parser."""
        self.arguments(parser)

    def run(self, context: RunContext, given: Namespace) -> str:
        """Run with given arguments, and say now and then that it goes on; returns the sentence of what was done."""
        with say_at_work(self.name):
            return self.body(context, given)
