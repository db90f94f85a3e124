"""Tell somebody: a command is called, a URL posted to, with what happened as JSON.

Neither what is called nor what it is called with is shown: both may hold a secret. A hook that fails is said, here and
in the log, and stops nothing.
"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import Field

from conf.frozen import FrozenModel
from conf.settings import AppConfig, split_command
from infra.local.job_log import ALERTS

ANSWER_TIMEOUT_S: Final = 10.0
"""How long a command or a server may take."""


class Alert(FrozenModel):
    """What happened.

    Attributes:
        alert: ``balance``: units are not accounted for; ``quarantine``: more of them were refused than is allowed.
        message: The same in words, with what to do.
        lake: Where the lake is.
        job: Job that found it; ``doctor`` for the command.
        run_id: Its run; ``None`` where it has none.
        units: Units looked at; ``None`` where they were not counted.
        quarantined: Those of them that were refused.
        limit_pct: Share of refused units that is allowed.
        raised_ts: When it was found.
    """

    alert: Literal["balance", "quarantine"]
    message: str
    lake: str
    job: str
    run_id: str | None = None
    units: int | None = None
    quarantined: int | None = None
    limit_pct: float | None = None
    raised_ts: datetime = Field(default_factory=lambda: datetime.now(UTC))


def has_hooks(settings: AppConfig) -> bool:
    """Whether anything is to be called."""
    return settings.alert_command is not None or settings.alert_url is not None


def send_alert(settings: AppConfig, alert: Alert) -> bool:
    """Log an alert and call what the settings name; returns whether all that was called took it.

    Args:
        settings: Say what to call.
        alert: What happened.
    """
    ALERTS.warning("%s", alert.message)
    body = alert.model_dump_json().encode()
    problems = []
    if settings.alert_command is not None:
        problems.append(_call(settings.alert_command.get_secret_value(), body))
    if settings.alert_url is not None:
        problems.append(_post(settings.alert_url.get_secret_value(), body))
    failed = [problem for problem in problems if problem]
    for problem in failed:
        ALERTS.error("the alert was not handed on: %s", problem)
    return not failed


def _call(command: str, body: bytes) -> str | None:
    """Run a command with the alert on its standard input; returns what went wrong."""
    words = split_command(command)
    name = f"ALERT_COMMAND ({Path(words[0]).name})"
    try:
        done = subprocess.run(words, input=body, capture_output=True, timeout=ANSWER_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{name} took longer than {ANSWER_TIMEOUT_S:g} s"
    except OSError as error:
        return f"{name} could not be started: {error.strerror}"
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return f"{name} ended with exit code {done.returncode}{f': {last}' if last else ''}"
    return None


class _NoRedirect(HTTPRedirectHandler):
    """Follows nowhere: what was posted would be lost on the way, and may be meant for one server alone."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""


def _post(url: str, body: bytes) -> str | None:
    """Post an alert; returns what went wrong."""
    name = f"ALERT_URL ({urlsplit(url).hostname})"
    headers = {"Content-Type": "application/json", "User-Agent": "slipstream"}
    request = Request(url, body, headers)  # noqa: S310 - the settings take http and https only
    try:
        with build_opener(_NoRedirect).open(request, timeout=ANSWER_TIMEOUT_S):
            return None
    except HTTPError as error:
        error.close()
        return f"{name} answered {error.code}"
    except (OSError, HTTPException) as error:
        return f"{name} could not be reached: {getattr(error, 'reason', None) or type(error).__name__}"


def describe_quarantine(job: str, units: int, quarantined: int, limit_pct: float) -> str | None:
    """What to say of a share of refused units, ``None`` where it is within the limit.

    Args:
        job: Job that counted them.
        units: How many there were.
        quarantined: How many of them were refused.
        limit_pct: Share of them that is allowed.
    """
    if not units or quarantined * 100 <= limit_pct * units:
        return None
    share = f"{quarantined:,} of {units:,} units ({100 * quarantined / units:.3g} %)"
    return (
        f"{job}: {share} were quarantined, more than ALERT_QUARANTINE_PCT allows ({limit_pct:g} %); "
        "`slipstream quality report` says why"
    )
