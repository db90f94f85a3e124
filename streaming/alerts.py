"""When a streaming job tells somebody: units that are not accounted for, or too many that were refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from conf.errors import AlertError
from conf.failures import summarize_error
from conf.settings import AppConfig
from infra.alerts import Alert, describe_quarantine, send_alert
from medallion.provenance import JobRun
from medallion.silver.reconciliation import ReconciliationError

WINDOW_UNITS: Final = 1_000
"""While a job runs on, the share of refused units is looked at for so many of them or more."""


@contextmanager
def alert_of_balance(settings: AppConfig, job: str) -> Iterator[None]:
    """Tell somebody if what runs in the body ends because a batch does not add up.

    Args:
        settings: Say whom.
        job: Name of the job.
    """
    try:
        yield
    except Exception as error:
        said = summarize_error(error)
        if isinstance(error, ReconciliationError) or said.startswith(f"{ReconciliationError.__name__}:"):
            message = f"{job}: the balance does not close, the batch is not committed: {said}"
            send_alert(settings, Alert(alert="balance", message=message, lake=settings.lake_root, job=job))
        raise


class QuarantineWatch:
    """Looks at the share of units that a run has refused since the last look, and tells somebody when it gets too high.

    It tells so once, and again after the share was within the limit.

    Args:
        settings: Say what is too high, and whom to tell.
        run: Counts units.
    """

    def __init__(self, settings: AppConfig, run: JobRun) -> None:
        self._settings, self._run = settings, run
        self._units = self._refused = 0
        self._is_over = False

    def check(self, least: int = WINDOW_UNITS) -> None:
        """Look, if there are so many new units."""
        limit_pct = self._settings.alert_quarantine_pct
        refused, units = self._run.rows_quarantined - self._refused, self._run.rows_in - self._units
        if limit_pct is None or units < least:
            return
        self._units, self._refused = self._units + units, self._refused + refused
        message = describe_quarantine(self._run.job, units, refused, limit_pct)
        if message and not self._is_over:
            alert = Alert(
                alert="quarantine",
                message=message,
                lake=self._settings.lake_root,
                job=self._run.job,
                run_id=self._run.run_id,
                units=units,
                quarantined=refused,
                limit_pct=limit_pct,
            )
            send_alert(self._settings, alert)
        self._is_over = message is not None


def check_runs(settings: AppConfig, runs: Sequence[JobRun], done: str = "") -> None:
    """End with an exit code of its own where runs that have done all their work refused too much.

    Args:
        settings: Say what is too much.
        runs: The runs.
        done: What they did.

    Raises:
        AlertError: If one did.
    """
    limit_pct = settings.alert_quarantine_pct
    if limit_pct is None:
        return
    said = [describe_quarantine(run.job, run.rows_in, run.rows_quarantined, limit_pct) for run in runs]
    if over := [message for message in said if message]:
        raise AlertError("\n".join(over), done)
