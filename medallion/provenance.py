"""``ops.job_runs``: what ran, on which versions and settings, and how it ended."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from conf.contract import load_contract
from conf.failures import summarize_error
from conf.tables import OPS_JOB_RUNS
from medallion.io import Lake


@dataclass
class JobRun:
    """A run under way; a job adds what it learns.

    Attributes:
        run_id: Carried by every row that the run writes.
        job: Name of the job.
        rows_in: Rows, messages or units read.
        rows_out: Rows written.
        rows_quarantined: Units refused.
    """

    job: str
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    rows_in: int = 0
    rows_out: int = 0
    rows_quarantined: int = 0


def code_version() -> str:
    """Version of the installed package, or ``checkout`` where it is run from a source tree."""
    try:
        return version("slipstream-lake")
    except PackageNotFoundError:
        return "checkout"


def git_sha() -> str | None:
    """Commit of the checkout this code is in, ``None`` when it is installed."""
    here = Path(__file__).resolve().parents[1]
    if not (here / ".git").exists():
        return None
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


@contextmanager
def job_run(lake: Lake, job: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Iterator[JobRun]:
    """Record a job run, however it ends.

    Args:
        lake: Where the tables are.
        job: Name of the job.
        inputs: Tables it reads; their versions at the start are kept.
        outputs: Tables it writes; their versions at the end are kept.
    """
    run = JobRun(job)
    started, clock = datetime.now(UTC), time.perf_counter()
    read = _versions(lake, inputs)
    error: str | None = None
    try:
        yield run
    except BaseException as caught:
        error = summarize_error(caught)
        raise
    finally:
        wall_s = time.perf_counter() - clock
        _record(lake, run, started, wall_s, read, _versions(lake, outputs), error)


def _versions(lake: Lake, tables: tuple[str, ...]) -> dict[str, int]:
    found = {name: lake.version(name) for name in tables}
    return {name: v for name, v in found.items() if v is not None}


def _record(
    lake: Lake,
    run: JobRun,
    started: datetime,
    wall_s: float,
    read: dict[str, int],
    written: dict[str, int],
    error: str | None,
) -> None:
    settings = lake.settings.model_dump(mode="json", exclude={"kafka_config"})
    row = {
        "run_id": run.run_id,
        "job": run.job,
        "status": "failed" if error else "ok",
        "rows_in": run.rows_in,
        "rows_out": run.rows_out,
        "rows_quarantined": run.rows_quarantined,
        "started_ts": started,
        "ended_ts": datetime.now(UTC),
        "wall_s": wall_s,
        "code_version": code_version(),
        "git_sha": git_sha(),
        "contract_versions": [(n, load_contract(n).version) for n in dict.fromkeys((*read, *written))],
        "input_versions": [*read.items()],
        "output_versions": [*written.items()],
        "settings": [(k, str(v)) for k, v in settings.items()],
        "spark_app_id": lake.spark.sparkContext.applicationId,
        "error": error,
    }
    lake.append_rows(OPS_JOB_RUNS, [row])
