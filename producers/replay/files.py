"""Which of the files a user names can be replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from producers.replay.formats import (
    ReplayFileError,
    SheetFormat,
    TelemetryFormat,
    UnknownFormatError,
    UnsupportedFileError,
    detect_format,
)

Found = tuple[Path, TelemetryFormat | SheetFormat]
Skipped = tuple[Path, str]


def find_files(paths: Sequence[Path]) -> tuple[list[Found], list[Skipped]]:
    """Find the files that can be replayed among files and folders.

    Args:
        paths: Files and folders; folders are searched to any depth, hidden files left aside.

    Returns:
        The files with their forms, each once, and the other files with the reason why they are left out.

    Raises:
        UnknownFormError: If a file that is named itself has no known form; inside a folder it is left out.
        ReplayFileError: If a path does not exist, a file of a known form is damaged, or there is none.
    """
    found: dict[Path, TelemetryFormat | SheetFormat] = {}
    skipped: list[Skipped] = []
    for path in paths:
        if not path.exists():
            raise ReplayFileError(f"{path}: no such file or folder")
        for file in list_files(path) if path.is_dir() else [path]:
            if file in found:
                continue
            try:
                found[file] = detect_format(file)
            except UnsupportedFileError as error:
                skipped.append((file, error.reason))
            except UnknownFormatError as error:
                if file == path:
                    raise
                skipped.append((file, str(error).removeprefix(f"{file}: ")))
    if not found:
        seen = "; ".join(f"{file.name}: {reason}" for file, reason in skipped[:5]) or "no files at all"
        raise ReplayFileError(f"{', '.join(map(str, paths))}: no file found that can be replayed ({seen})")
    return list(found.items()), skipped


def list_files(folder: Path, *, deep: bool = True) -> list[Path]:
    """The files of a folder, hidden ones left aside; ``deep`` also those of the folders in it."""
    return sorted(
        path
        for path in (folder.rglob("*") if deep else folder.iterdir())
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
