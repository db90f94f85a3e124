"""Log files of long-running commands and jobs: options, results, errors (K20), progress, what libraries warn of."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threading import Event

    from conf.settings import AppConfig

LOGGER: Final = logging.getLogger("slipstream")
PROGRESS: Final = LOGGER.getChild("progress")
"""How far something is that takes minutes: for the log, and the terminal of who waits."""
ALERTS: Final = PROGRESS.getChild("alerts")
"""What somebody should look at."""
_BYTES, _KEPT = 1 << 20, 3


class _PlainFormatter(logging.Formatter):
    """Writes what a terminal would obey as it may be shown, logs are read on one, and no passwords of addresses."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines."""
        from conf.plain_text import hide_passwords, show_controls

        return show_controls(hide_passwords(super().format(record)))


def log_to_file(settings: AppConfig, name: str) -> None:
    """Write this process's log to ``$SLIPSTREAM_HOME/logs/<name>.log``, made on first use.

    Warnings of libraries, such as the Kafka client and MLflow, go there too. At most three old logs are kept.

    Args:
        settings: Say where the home is.
        name: Name of the file, without its ending.
    """
    from infra.local.files import make_private_folder

    make_private_folder(settings.logs_dir)
    handler = _rotating(settings.logs_dir / f"{name}.log")
    handler.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    close_logs()
    logging.getLogger().addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.info("started: %s", " ".join((Path(sys.argv[0]).name, *sys.argv[1:])))


class Lines:
    """A file of lines that programs read, such as JSON; at most three full ones are kept beside it.

    Args:
        settings: Say where the home is.
        name: Name of the file in the folder of logs, without its ending.
    """

    def __init__(self, settings: AppConfig, name: str) -> None:
        from infra.local.files import make_private_folder

        self.path = make_private_folder(settings.logs_dir) / f"{name}.jsonl"
        self._handler = _rotating(self.path)

    def write(self, line: str) -> None:
        """Write a line."""
        self._handler.emit(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


def _rotating(path: Path) -> RotatingFileHandler:
    return RotatingFileHandler(path, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)


class _Terminal(logging.Handler):
    """Writes to whatever standard error is now: a bar on a terminal puts itself in its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        sys.stderr.write(f"{self.format(record)}\n")
        sys.stderr.flush()


@contextmanager
def progress_on_terminal() -> Iterator[None]:
    """Show progress on standard error, too, unless all that is logged goes there."""
    if any(type(handler) is logging.StreamHandler for handler in logging.getLogger().handlers):
        yield
        return
    handler = _Terminal()
    handler.setFormatter(_PlainFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    PROGRESS.addHandler(handler)
    PROGRESS.setLevel(logging.INFO)
    try:
        yield
    finally:
        PROGRESS.removeHandler(handler)


@contextmanager
def say_at_work(name: str, how_far: Callable[[], str] = lambda: "", every_s: float = 30.0) -> Iterator[None]:
    """Say now and then that something goes on, as progress.

    Args:
        name: What goes on.
        how_far: What to say of how far it is.
        every_s: Pause between two lines.
    """
    from time import monotonic

    from conf.beside import run_beside

    began = monotonic()

    def tell(ended: Event) -> None:
        while not ended.wait(every_s):
            PROGRESS.info("%s: at work for %.0f s%s", name, monotonic() - began, how_far())

    with run_beside(tell):
        yield


def log_path() -> Path | None:
    """File that this process logs to; ``None`` where its command keeps none."""
    return next((Path(handler.baseFilename) for handler in _file_handlers()), None)


def close_logs() -> None:
    """Log to no file any more."""
    for handler in _file_handlers():
        logging.getLogger().removeHandler(handler)
        handler.close()


def _file_handlers() -> list[RotatingFileHandler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, RotatingFileHandler)]
