"""The lines of a file: what it holds unpacked, which lines cannot be read and why, and what identifies it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from producers.replay.formats import Container, ReplayFileError

EXAMPLES = 10


@dataclass(frozen=True)
class MalformedLine:
    """A line that could not be read.

    Attributes:
        line: Its number in the file, the header being line 1 (a parquet file's first row counts as line 2).
        reason: What is wrong with it.
    """

    line: int
    reason: str


def read_contents(path: Path, container: Container) -> bytes:
    """A text file's bytes, unpacked.

    Raises:
        ReplayFileError: If it cannot be read or its gzip data are damaged.
    """
    try:
        return path.read_bytes() if container == "csv" else gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ReplayFileError(
            f"{path}: the gzip data are cut short or damaged ({error}); get the file again"
        ) from error
    except OSError as error:
        raise ReplayFileError(f"{path}: cannot be read: {error.strerror}") from error


def line_fault(line: bytes, width: int, delimiter: str = ",") -> str | None:
    """What keeps a line from being read as ``width`` fields, or None."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    if not text.strip():
        return "empty line"
    if text.count('"') % 2:
        return "quote without its pair"
    try:
        fields = len(split_fields(text, delimiter))
    except csv.Error:
        return "quotes or line breaks out of place"
    return None if fields == width else f"{fields} fields in place of {width}"


def split_fields(line: str, delimiter: str) -> list[str]:
    """The fields of a line, quotes undone."""
    return next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)


def file_digest(path: Path) -> str:
    """First twelve hexadecimal digits of the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
