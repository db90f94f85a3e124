"""Small file helpers: a lock between processes and writes that are whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conf.errors import InputError


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on ``path`` (created if absent); the kernel frees it if the process is killed.

    Yields:
        The lock's file descriptor. A child that inherits it keeps the lock until it ends, should this process be
        killed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON so that a reader sees either the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object, ``None`` where there is no file.

    Raises:
        InputError: If the file holds something else; the message names it and the remedy.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not valid JSON ({error}); delete it and run the command again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} does not hold a JSON object; delete it and run the command again")
    return content
