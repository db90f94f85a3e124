"""Where a user's file lies: in a folder, or in a zip archive."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from conf.errors import InputError


class TextTableError(InputError):
    """A file that cannot be read; the message names the file, what is wrong with it and the remedy."""


class ForeignFileError(TextTableError):
    """A file of a kind that is no text, such as a picture of the circuit as PDF; says which, and what to do."""


@dataclass(frozen=True, order=True)
class ArchiveMember:
    """A file of a zip archive, or a folder of one.

    Attributes:
        archive: The archive.
        inner: Its path in the archive, with ``/`` between folders; empty for the archive's root.
    """

    archive: Path
    inner: str

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.inner).name

    @property
    def parent(self) -> ArchiveMember:
        """The folder that it lies in."""
        folder = str(PurePosixPath(self.inner).parent)
        return ArchiveMember(self.archive, "" if folder == "." else folder)

    def __str__(self) -> str:
        return f"{self.archive}/{self.inner}"


SourceFile = Path | ArchiveMember
"""A file that can be read, on disk or in an archive: both have ``name`` and ``parent``, and are shown by ``str``."""


@contextmanager
def open_source(source: SourceFile) -> Iterator[IO[bytes]]:
    """Open a regular file, or a member of an archive, for its bytes as they are stored.

    Raises:
        TextTableError: If it cannot be read, is no regular file (a pipe or a device may never end), or is damaged.
    """
    with naming_faults(source):
        if isinstance(source, ArchiveMember):
            with _open_archive(source.archive).open(source.inner) as member:
                yield member
        else:
            if source.exists() and not source.is_file():
                raise TextTableError(f"{source}: not a regular file; give a file or a folder")
            with source.open("rb") as file:
                yield file


def source_size(source: SourceFile) -> int:
    """How many bytes :func:`open_source` gives, as the file system or the archive says."""
    with naming_faults(source):
        return source.stat().st_size if isinstance(source, Path) else _entry(source).file_size


def stored_size(source: SourceFile) -> int:
    """How many bytes it takes where it lies."""
    with naming_faults(source):
        return source.stat().st_size if isinstance(source, Path) else _entry(source).compress_size


def _entry(member: ArchiveMember) -> ZipInfo:
    return _open_archive(member.archive).getinfo(member.inner)


def _open_archive(path: Path) -> ZipFile:
    state = path.stat()
    return _open_archive_as_of(path, state.st_ino, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1)
def _open_archive_as_of(path: Path, *_state: int) -> ZipFile:
    """An archive, kept open: its directory is read once and not for each of its members."""
    return ZipFile(path)


@contextmanager
def naming_faults(source: SourceFile, packing: str = "zip") -> Iterator[None]:
    """Name the file in what goes wrong while it is read.

    Raises:
        TextTableError: In place of what the libraries raise for damaged data, and the system for what it refuses.
    """
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, BadZipFile) as error:
        raise _damaged(source, packing, error) from error
    except (NotImplementedError, RuntimeError) as error:  # how zipfile says: another compression, or a password
        raise TextTableError(f"{source}: cannot be unpacked here ({error}); unpack it first") from error
    except OSError as error:
        if error.errno is None:  # gzip and bz2 say so of damaged data
            raise _damaged(source, packing, error) from error
        raise TextTableError(f"{source}: cannot be read: {error.strerror}") from error


def _damaged(source: SourceFile, packing: str, error: Exception) -> TextTableError:
    return TextTableError(f"{source}: the {packing} data are cut short or damaged ({error}); get the file again")
