"""Log files of long-running commands: options, results, errors (K20), and what libraries warn of."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import wraps
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from conf.settings import AppConfig

LOGGER: Final = logging.getLogger("slipstream")
Given = ParamSpec("Given")
Returned = TypeVar("Returned")
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
    handler = RotatingFileHandler(
        settings.logs_dir / f"{name}.log", maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8"
    )
    handler.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    close_logs()
    logging.getLogger().addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.info("started: slipstream %s", " ".join(sys.argv[1:]))


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


def keep_log(name: str) -> Callable[[Callable[Given, Returned]], Callable[Given, Returned]]:
    """Make a command write ``$SLIPSTREAM_HOME/logs/<name>.log``."""

    def decorate(command: Callable[Given, Returned]) -> Callable[Given, Returned]:
        @wraps(command)
        def logged(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
            from conf.settings import get_settings

            log_to_file(get_settings(), name)
            return command(*args, **kwargs)

        return logged

    return decorate
