"""Which of the files a user names can be replayed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from conf.errors import InputError
from conf.text_table import ArchiveMember, ForeignFileError, SourceFile, TextTableError
from producers.replay.archives import is_archive, list_members
from producers.replay.formats import (
    FileFormat,
    ReplayFileError,
    UnknownFormatError,
    UnsupportedFileError,
    detect_format,
)

Found = tuple[SourceFile, FileFormat]
Skipped = tuple[SourceFile, str]

NOT_REGULAR = "neither a file nor a folder, and reading it might never end"
LINKED_FOLDER = "a link to a folder: name that folder itself to have it searched"
DANGLING = "a link that leads nowhere"


def find_files(paths: Sequence[Path], problems: list[InputError] | None = None) -> tuple[list[Found], list[Skipped]]:
    """Find the files that can be replayed among files, folders and zip archives.

    Args:
        paths: Files, archives and folders; folders are searched to any depth, hidden files left aside, links to other
            folders not followed.
        problems: Takes what would be raised of a file, so that the others are looked at all the same.

    Returns:
        The files with their forms, each once, and the other files with the reason why they are left out.

    Raises:
        UnknownFormatError, ForeignFileError: If a file that is named itself has no known form, or nothing but a header;
            inside a folder or archive it is left out.
        ReplayFileError: If a path does not exist, cannot be read, or is a pipe or a device, or there is no file to
            replay.
        TextTableError: If a file is damaged.
    """
    found: dict[SourceFile, FileFormat] = {}
    skipped: list[Skipped] = []
    wrong: list[InputError] = []
    for path in paths:
        for file, what in _look_at(path):
            if isinstance(what, InputError):
                wrong.append(what)
            elif isinstance(what, str):
                skipped.append((file, what))
            else:
                found.setdefault(file, what)
    if wrong and problems is None:
        raise wrong[0]
    if problems is not None:
        problems += wrong
    if not found and not wrong:
        seen = "; ".join(f"{file.name}: {reason}" for file, reason in skipped[:5]) or "no files at all"
        raise ReplayFileError(f"{', '.join(map(str, paths))}: no file found that can be replayed ({seen})")
    return list(found.items()), skipped


def list_siblings(file: SourceFile) -> list[SourceFile]:
    """The files of the folder that a file lies in, on disk or in its archive; it is among them."""
    if isinstance(file, ArchiveMember):
        return [member for member in list_members(file.archive) if member.parent == file.parent]
    return sorted(path for path in file.parent.iterdir() if not path.name.startswith(".") and path.is_file())


What = FileFormat | str | InputError
"""A file's form, or why it is left out, or what is wrong with it."""


def _look_at(path: Path) -> Iterator[tuple[SourceFile, What]]:
    mode = _mode_of(path)
    if isinstance(mode, ReplayFileError):
        yield path, mode
    elif stat.S_ISDIR(mode):
        yield from _look_into(path)
    elif stat.S_ISREG(mode):
        yield from _look_at_file(path, named=True)
    else:
        yield path, ReplayFileError(f"{path}: {NOT_REGULAR}")


def _look_into(folder: Path) -> Iterator[tuple[SourceFile, What]]:
    """What lies in a folder, to any depth."""
    refused: list[OSError] = []
    files: list[Path] = []
    for where, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(where, name).is_symlink()]
        files += (Path(where, name) for name in (*links, *names) if not name.startswith("."))
    for error in refused:
        place, wrong = Path(error.filename), _unreadable(error.filename, error)
        yield place, wrong if place == folder else _reason(place, wrong)  # such as the lost+found of a disk
    for file in sorted(files):
        mode = _mode_of(file)
        if isinstance(mode, ReplayFileError):
            yield file, DANGLING if file.is_symlink() else mode
        elif stat.S_ISREG(mode):
            yield from _look_at_file(file, named=False)
        else:
            yield file, LINKED_FOLDER if stat.S_ISDIR(mode) else NOT_REGULAR


def _mode_of(path: Path) -> int | ReplayFileError:
    """What a path leads to, as :mod:`stat` has it, or why that cannot be told."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return ReplayFileError(f"{path}: no such file or folder")
    except OSError as error:
        return _unreadable(path, error)


def _unreadable(path: Path | str, error: OSError) -> ReplayFileError:
    return ReplayFileError(f"{path}: cannot be read: {error.strerror}")


def _look_at_file(path: Path, *, named: bool) -> Iterator[tuple[SourceFile, What]]:
    try:
        members = list_members(path) if is_archive(path) else None
    except UnknownFormatError as error:
        yield path, error if named else _reason(path, error)
    except TextTableError as error:
        yield path, error
    else:
        if members is None:
            yield path, _detect(path, named=named)
        else:
            yield from ((member, _detect(member, named=False)) for member in members)


def _detect(file: SourceFile, *, named: bool) -> What:
    try:
        return detect_format(file)
    except UnsupportedFileError as error:
        return error.reason
    except (UnknownFormatError, ForeignFileError) as error:
        return error if named else _reason(file, error)
    except TextTableError as error:
        return error


def _reason(file: SourceFile, error: Exception) -> str:
    return str(error).removeprefix(f"{file}: ")
