"""When a streaming job raises an alert."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException

from conf.errors import AlertError
from conf.settings import AppConfig
from medallion.provenance import JobRun
from medallion.silver.reconciliation import ReconciliationError
from streaming.alerts import QuarantineWatch, alert_of_balance, check_runs

Told = Callable[[], list[dict[str, Any]]]
IN_A_BATCH = """[FOREACH_BATCH_USER_FUNCTION_ERROR] An error occurred in the user provided function in foreach batch.
  Traceback (most recent call last):
    File "medallion/silver/promote_telemetry.py", line 200, in promote
      raise ReconciliationError(message)
  medallion.silver.reconciliation.ReconciliationError: batch 3: 10 units, 9 accounted for
"""


@pytest.fixture
def settings(tmp_path: Path) -> AppConfig:
    """Settings whose command keeps each alert as a line of a file."""
    keep = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"
    command = shlex.join([sys.executable, "-c", keep, str(tmp_path / "told")])
    given: dict[str, Any] = {"alert_command": command, "alert_quarantine_pct": 10}
    return AppConfig(slipstream_home=tmp_path / "home", _env_file=None, **given)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The alerts so far."""
    path = tmp_path / "told"
    return lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_share_that_passes_the_limit_is_told_once_until_it_was_within(settings: AppConfig, told: Told) -> None:
    run = JobRun("silver", "run")
    watch = QuarantineWatch(settings, run)

    def after(units: int, refused: int) -> int:
        run.rows_in, run.rows_quarantined = run.rows_in + units, run.rows_quarantined + refused
        watch.check()
        return len(told())

    assert after(10_000, 1_000) == 0, "just within"
    assert after(900, 900) == 0, "too few to judge"
    assert after(100, 0) == 1, "they are not forgotten"
    assert after(2_000, 1_000) == 1, "it is known"
    assert after(2_000, 0) == 1
    assert after(2_000, 201) == 2
    run.rows_in, run.rows_quarantined = run.rows_in + 5, run.rows_quarantined
    watch.check(least=1)
    assert [(a["units"], a["quarantined"], a["run_id"]) for a in told()] == [(1_000, 900, "run"), (2_000, 201, "run")]


def test_without_a_limit_nothing_is_looked_at(settings: AppConfig, told: Told) -> None:
    unset = settings.model_copy(update={"alert_quarantine_pct": None})
    run = JobRun("silver", rows_in=10, rows_quarantined=10)
    QuarantineWatch(unset, run).check(least=1)
    check_runs(unset, [run])
    assert told() == []


def test_runs_that_are_done_end_with_an_exit_code_of_their_own(settings: AppConfig) -> None:
    good, bad = JobRun("bronze", rows_in=100), JobRun("silver", rows_in=100, rows_quarantined=50)
    check_runs(settings, [good])
    with pytest.raises(AlertError, match=r"silver: 50 of 100 units \(50 %\)") as raised:
        check_runs(settings, [good, bad], "all is done")
    assert (raised.value.exit_code, raised.value.done) == (3, "all is done")


@pytest.mark.parametrize("error", [ReconciliationError("batch 3: 10 units"), StreamingQueryException(IN_A_BATCH)])
def test_units_that_are_lost_are_told_and_the_job_fails_as_before(
    settings: AppConfig, told: Told, error: Exception
) -> None:
    with pytest.raises(type(error)), alert_of_balance(settings, "silver"):
        raise error
    (alert,) = told()
    assert (alert["alert"], alert["job"], alert["units"]) == ("balance", "silver", None)
    assert "silver: the balance does not close, the batch is not committed: " in alert["message"]
    assert "batch 3: 10 units" in alert["message"]


@pytest.mark.parametrize("error", [ValueError("ReconciliationError"), KeyboardInterrupt(), OSError(5, "disk")])
def test_other_ends_are_no_alert(settings: AppConfig, told: Told, error: BaseException) -> None:
    with pytest.raises(type(error)), alert_of_balance(settings, "silver"):
        raise error
    assert told() == []
