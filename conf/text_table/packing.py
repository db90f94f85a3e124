"""How a file is packed, told by its first bytes, and what it holds unpacked."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, Literal, cast

from conf.text_table.source import SourceFile, naming_faults, open_source

Packing = Literal["", "gzip", "bzip2", "xz", "zip", "parquet"]

MAGIC: Final[tuple[tuple[bytes, Packing], ...]] = (
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty one
)
BZIP2: Final = (b"BZh", b"1AY&SY")  # between them stands the block size, a digit

# What else people have: told by its name, and what to do about it.
FOREIGN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (0, b"Rar!\x1a\x07", "a rar archive: unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook: save it as CSV"),
    (0, b"SQLite format 3\x00", "an SQLite database: export its tables as CSV"),
    (0, b"%PDF-", "a PDF: its figures cannot be read"),
)
HEAD_BYTES: Final = 512


def read_head(source: SourceFile, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file as it is stored.

    Raises:
        TextTableError: If it cannot be read.
    """
    with open_source(source) as file:
        return file.read(size)


def find_packing(head: bytes) -> Packing:
    """How a file is packed by its first bytes; empty for text and for what is unknown."""
    if head.startswith(BZIP2[0]) and head[4:10] == BZIP2[1]:
        return "bzip2"
    return next((packing for magic, packing in MAGIC if head.startswith(magic)), "")


def find_foreign(head: bytes) -> str | None:
    """What a file of another kind is and what to do about it; None for text, and for what is unknown."""
    return next((what for at, magic, what in FOREIGN if head[at : at + len(magic)] == magic), None)


@contextmanager
def open_unpacked(source: SourceFile, packing: Packing) -> Iterator[IO[bytes]]:
    """Open what a packed text holds; it is unpacked as it is read, and never whole.

    Raises:
        TextTableError: If it cannot be read or its data are damaged.
    """
    with open_source(source) as file, naming_faults(source, packing), _unpacked(file, packing) as unpacked:
        yield unpacked


def _unpacked(file: IO[bytes], packing: Packing) -> IO[bytes]:
    if packing == "gzip":
        return cast("IO[bytes]", gzip.open(file))
    if packing == "bzip2":
        return cast("IO[bytes]", bz2.open(file))
    return cast("IO[bytes]", lzma.open(file)) if packing == "xz" else file
