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

_EXTRA_OF: Final = {
    "deltalake": "query",
    "pyarrow": "query",
    "pyspark": "spark",
    "delta": "spark",
    "great_expectations": "spark",
    "pandas": "spark",
    "mlflow": "ml",
    "sklearn": "ml",
    "onnxruntime": "ml",
    "onnx": "ml",
    "matplotlib": "ml",
    "jinja2": "report",
    "numba": "ghost",
    "joblib": "torch",
    "torch": "torch",
    "google": "push",
    "requests": "push",
}


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
                raise  # who reads left early, an exit, or a wrong option: typer knows what to do
            message = user_message(error)
            if message is None:
                _show_fault(error)
                raise typer.Exit(1) from error
            logging.getLogger("slipstream").error("%s", message)
            _say(message)
            raise typer.Exit(1) from None


def user_message(error: BaseException) -> str | None:
    """What to tell the user about an error; ``None`` if it is not theirs to mend."""
    from conf.errors import SlipstreamError

    if isinstance(error, SlipstreamError):
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = _EXTRA_OF.get(package)
        return f"{package} is not installed: pip install 'slipstream-lake[{extra}]'" if extra else None
    if type(error).__name__ == "KafkaException":
        return f"Kafka: {error.args[0].str() if error.args and hasattr(error.args[0], 'str') else error}"
    if isinstance(error, OSError) and error.filename and not isinstance(error, BrokenPipeError):
        return f"{error.filename}: {error.strerror}"
    return None


def _show_fault(error: Exception) -> None:
    """Show the traceback, keep it in a log, and end with a line that says whose fault it is and where the log is."""
    traceback.print_exception(error)
    log = _log_fault(error)
    _say("this is a fault of Slipstream's, not of yours" + (f"; the log has it in full: {log}" if log else ""))


def _log_fault(error: Exception) -> Path | None:
    """Write the traceback to this process's log; returns that file, ``None`` where none can be written."""
    from conf.errors import SlipstreamError
    from conf.settings import get_settings
    from slipstream.logs import LOGGER, log_path, log_to_file

    if log_path() is None:
        try:
            log_to_file(get_settings(), _FAULTS)
        except (OSError, SlipstreamError):  # the terminal has it
            return None
    LOGGER.error("a fault of Slipstream's", exc_info=error)
    return log_path()


def _say(message: str) -> None:
    colour = "\x1b[31m{}\x1b[0m" if sys.stderr.isatty() else "{}"
    print(colour.format(message), file=sys.stderr)  # noqa: T201 - the one place that speaks to stderr by hand
