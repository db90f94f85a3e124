"""What a user can mend becomes one clear line; a fault of ours keeps its traceback, on the terminal and in the log."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

_OF_TYPER: Final = frozenset({"typer", "click"})
_FAULTS: Final = "faults"
"""Log of the faults of commands that keep no log of their own."""


class FriendlyGroup(TyperGroup):
    """A command group that ends with exit code 1: with one red line where the user can help, else with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("interrupted")
            raise typer.Exit(130) from None
        except Exception as error:
            if isinstance(error, BrokenPipeError) or type(error).__module__.partition(".")[0] in _OF_TYPER:
                _show_given(error)
                raise  # who reads left early, an exit, or a wrong option: typer knows what to do
            from conf.failures import user_message

            message = user_message(error) or _describe_foreign(error)
            if message is None:
                _show_fault(error)
                raise typer.Exit(1) from error
            logging.getLogger("slipstream").error("%s", message)
            _say(message)
            raise typer.Exit(getattr(error, "exit_code", 1)) from None


def _show_given(error: Exception) -> None:
    """Let a message of typer's repeat what was given as it may be shown."""
    from conf.plain_text import show_controls

    if isinstance(message := getattr(error, "message", None), str):
        error.message = show_controls(message)  # type: ignore[attr-defined]


def _describe_foreign(error: Exception) -> str | None:
    """Three lines about a failure of another program; the log has what it said in full."""
    from conf.failures import find_foreign_failure

    failure = find_foreign_failure(error)
    if failure is None:
        return None
    log = _log_fault(error, f"{failure.program} failed")
    return f"{failure.program} failed\ncause: {failure.cause}\nlog: {log or 'none could be written'}"


def _show_fault(error: Exception) -> None:
    """Show the traceback, keep it in a log, and end with a line that says whose fault it is and where the log is."""
    from conf.plain_text import hide_passwords, show_controls

    said = hide_passwords("".join(traceback.format_exception(error)))
    print(show_controls(said), end="", file=sys.stderr)  # noqa: T201
    log = _log_fault(error)
    _say("this is a fault of Slipstream's, not of yours" + (f"; the log has it in full: {log}" if log else ""))


def _log_fault(error: Exception, what: str = "a fault of Slipstream's") -> Path | None:
    """Write the traceback to this process's log; returns that file, ``None`` where none can be written."""
    from conf.errors import SlipstreamError
    from conf.settings import get_settings
    from infra.local.job_log import LOGGER, log_path, log_to_file

    if log_path() is None:
        try:
            log_to_file(get_settings(), _FAULTS)
        except (OSError, SlipstreamError):  # the terminal has it
            return None
    LOGGER.error(what, exc_info=error)
    return log_path()


def _say(message: str) -> None:
    from conf.plain_text import show_controls

    message = show_controls(message)
    colour = "\x1b[31m{}\x1b[0m" if sys.stderr.isatty() else "{}"
    print(colour.format(message), file=sys.stderr)  # noqa: T201 - the one place that speaks to stderr by hand
