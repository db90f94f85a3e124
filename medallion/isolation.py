"""One that fails is not everybody's failure: it is found, recorded in ``ops.step_failures``, and the others go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pyspark.errors import PythonException

from conf.contract import ContractError
from conf.errors import NewerContractError
from conf.tables import OPS_STEP_FAILURES
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import Part, group_by_session, vehicles_part
from medallion.reading import count_rows

WHOLE_SESSION: Final = ""
"""In place of a vehicle: the session as a whole."""
_DATA_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    PythonException,
    TypeError,
    ValueError,
)
"""What a computation raises about what it was given. Where a table, a disk or a commit fails, everybody stops."""
_LONGEST: Final = 500
_REMEDY: Final = (
    "The job's log under logs/ has the traceback: it is a fault of Slipstream's, please report it. Once it is mended: "
    "slipstream backfill silver gold --session {session}"
)
_log = logging.getLogger(__name__)


def isolate(keys: Sequence[Vehicle], work: Callable[[Sequence[Vehicle]], None]) -> dict[Vehicle, Exception]:
    """Do work on vehicles; where it fails on what they hold, on halves of them, until those that fail stand alone.

    Args:
        keys: Sessions and vehicles.
        work: Does it for some of them; to do it again changes nothing.

    Returns:
        Those that failed, and why; the work is done for the others.
    """
    if not keys:
        return {}
    try:
        work(keys)
    except (ContractError, NewerContractError):
        raise
    except _DATA_FAULTS as error:
        if len(keys) == 1:
            _log.exception("session %s, vehicle %s is left out", *keys[0])
            return {keys[0]: error}
        half = len(keys) // 2
        return isolate(keys[:half], work) | isolate(keys[half:], work)
    return {}


def record_failures(
    lake: Lake, step: str, tried: Collection[Vehicle], failed: Mapping[Vehicle, Exception], run_id: str
) -> None:
    """Keep which of the vehicles that a step was done for failed; those that do no longer lose their row.

    Args:
        lake: Where the table is.
        step: What was done.
        tried: All that it was done for.
        failed: Those that failed, and why.
        run_id: Job run.
    """
    part = Part(tuple({"step": [step], **clause} for clause in vehicles_part(group_by_session(tried)).clauses))
    if not failed and not count_rows(lake, OPS_STEP_FAILURES, part):
        return
    now = datetime.now(UTC)
    rows = [
        {
            "step": step,
            "session_id": session,
            "vehicle_id": vehicle,
            "reason": f"{type(error).__name__}: {_last_line(error)}"[:_LONGEST],
            "remedy": _REMEDY.format(session=session),
            "failed_ts": now,
        }
        for (session, vehicle), error in sorted(failed.items())
    ]
    exchange_rows(lake, OPS_STEP_FAILURES, rows, part, run_id, ignore=("run_id", "failed_ts"))


def _last_line(error: Exception) -> str:
    """What an error says; of one in a worker of Spark, what it says at the end of its traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [""])[-1] if isinstance(error, PythonException) else " ".join(lines)
