"""Which of the files a user names are telemetry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from producers.replay.forms import FileForm, NotTelemetryError, ReplayFileError, UnknownFormError, recognise

Skipped = tuple[Path, str]


def find_files(paths: Sequence[Path]) -> tuple[list[tuple[Path, FileForm]], list[Skipped]]:
    """Find the telemetry files among files and folders.

    Args:
        paths: Files and folders; folders are searched to any depth, hidden files left aside.

    Returns:
        The telemetry files with their forms, each once, and the other files with the reason why they are left out.

    Raises:
        UnknownFormError: If a file that is named itself has no known form; inside a folder it is left out.
        ReplayFileError: If a path does not exist, a telemetry file is damaged, or there is none.
    """
    found: dict[Path, FileForm] = {}
    skipped: list[Skipped] = []
    for path in paths:
        if not path.exists():
            raise ReplayFileError(f"{path}: no such file or folder")
        for file in _files_in(path) if path.is_dir() else [path]:
            if file in found:
                continue
            try:
                found[file] = recognise(file)
            except NotTelemetryError as error:
                skipped.append((file, error.kind))
            except UnknownFormError as error:
                if file == path:
                    raise
                skipped.append((file, str(error).removeprefix(f"{file}: ")))
    if not found:
        seen = "; ".join(f"{file.name}: {reason}" for file, reason in skipped[:5]) or "no files at all"
        raise ReplayFileError(f"{', '.join(map(str, paths))}: no telemetry file found ({seen})")
    return list(found.items()), skipped


def _files_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
