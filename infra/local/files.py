"""JSON files that are written whole or not at all, and folders that are nobody else's to read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from conf.errors import InputError


def make_private_folder(path: Path) -> Path:
    """Make a folder that only its owner can look into, also where it is there already and is this user's."""
    path.mkdir(parents=True, exist_ok=True)
    user = getattr(os, "getuid", lambda: None)()  # there are none by number on Windows
    if user in (None, path.stat().st_uid):
        path.chmod(0o700)
    return path


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
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); delete it and run the command again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} does not hold a JSON object; delete it and run the command again")
    return content
