"""Which of the files a user names can be replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conf.errors import InputError
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


def find_files(paths: Sequence[Path], problems: list[InputError] | None = None) -> tuple[list[Found], list[Skipped]]:
    """Find the files that can be replayed among files and folders.

    Args:
        paths: Files and folders; folders are searched to any depth, hidden files left aside.
        problems: Takes what would be raised of a file, so that the others are looked at all the same.

    Returns:
        The files with their forms, each once, and the other files with the reason why they are left out.

    Raises:
        UnknownFormatError: If a file that is named itself has no known form; inside a folder it is left out.
        ReplayFileError: If a path does not exist, a file of a known form is damaged, or there is none.
    """
    found: dict[Path, TelemetryFormat | SheetFormat] = {}
    skipped: list[Skipped] = []
    wrong: list[InputError] = []
    for path in paths:
        if not path.exists():
            wrong.append(ReplayFileError(f"{path}: no such file or folder"))
            continue
        for file in list_files(path) if path.is_dir() else [path]:
            if file in found:
                continue
            form = _detect(file, named=file == path)
            if isinstance(form, InputError):
                wrong.append(form)
            elif isinstance(form, str):
                skipped.append((file, form))
            else:
                found[file] = form
    if wrong and problems is None:
        raise wrong[0]
    if problems is not None:
        problems += wrong
    if not found and not wrong:
        seen = "; ".join(f"{file.name}: {reason}" for file, reason in skipped[:5]) or "no files at all"
        raise ReplayFileError(f"{', '.join(map(str, paths))}: no file found that can be replayed ({seen})")
    return list(found.items()), skipped


def _detect(file: Path, *, named: bool) -> TelemetryFormat | SheetFormat | str | ReplayFileError:
    """A file's form, or why it is left out, or what is wrong with it."""
    try:
        return detect_format(file)
    except UnsupportedFileError as error:
        return error.reason
    except UnknownFormatError as error:
        return error if named else str(error).removeprefix(f"{file}: ")
    except ReplayFileError as error:
        return error


def list_files(folder: Path, *, deep: bool = True) -> list[Path]:
    """The files of a folder, hidden ones left aside; ``deep`` also those of the folders in it."""
    return sorted(
        path
        for path in (folder.rglob("*") if deep else folder.iterdir())
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
