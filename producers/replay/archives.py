"""The files of a zip archive, as they were downloaded."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from conf.text_table import ArchiveMember, find_packing, read_head
from conf.text_table.source import naming_faults
from producers.replay.formats import ReplayFileError, UnknownFormatError

MAX_MEMBERS = 10_000
WORKBOOK = "xl/workbook.xml"


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive.

    Raises:
        TextTableError: If it cannot be read.
    """
    return find_packing(read_head(path)) == "zip"


def list_members(archive: Path) -> list[ArchiveMember]:
    """The files of an archive, hidden ones left aside, as are those that a Mac adds for itself.

    Raises:
        UnknownFormatError: If it is an Excel workbook.
        ReplayFileError: If it holds more files than can be looked at.
        TextTableError: If it is damaged.
    """
    with naming_faults(archive), ZipFile(archive) as opened:
        names = [info.filename for info in opened.infolist() if not info.is_dir()]
    if WORKBOOK in names:
        raise UnknownFormatError(f"{archive}: an Excel workbook; save its sheets as CSV")
    if len(names) > MAX_MEMBERS:
        raise ReplayFileError(f"{archive}: holds {len(names):,} files; unpack it and give the folder that is meant")
    return sorted(ArchiveMember(archive, name) for name in names if not _is_hidden(PurePosixPath(name)))


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)
