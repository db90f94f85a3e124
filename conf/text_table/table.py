"""A user's table of text: looked at once, read the same way."""

from __future__ import annotations

import io
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from functools import cached_property
from typing import Final

from conf.text_table.blocks import UNDECODABLE, LineBlock, find_encoding, read_line_blocks
from conf.text_table.header import Header, find_header
from conf.text_table.packing import Packing, find_foreign, find_packing, open_unpacked, read_head
from conf.text_table.rows import MalformedLine, RowShape, TextRow, parse_rows
from conf.text_table.source import ArchiveMember, ForeignFileError, SourceFile, TextTableError, stored_size

PEEK_BYTES: Final = 1 << 18
MAX_RATIO: Final = 100
FREE_BYTES: Final = 1 << 26


class TextTable:
    """A table of text, however it is written and packed; see :func:`open_text_table`.

    Memory stays that of a block of lines, however large the file and however long its lines. A line that is not UTF-8
    is read as Windows-1252, of which Latin-1 is a part, unless the file has shown before that it is UTF-8.

    Attributes:
        source: The file.
        packing: How it is packed.
        encoding: How its characters are written.
        header: Its columns and where its rows begin.
    """

    def __init__(self, source: SourceFile, packing: Packing, encoding: str, header: Header, head: bytes) -> None:
        self.source = source
        self.packing = packing
        self.encoding = encoding
        self.header = header
        self._is_utf8 = encoding == "utf-8-sig" or _shows_utf8(head)
        self._head = head
        self._first_foreign = self._foreign = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, spaces around them taken off; empty where nothing names them."""
        return self.header.columns

    @property
    def delimiter(self) -> str:
        """What stands between two cells."""
        return self.header.delimiter

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return self.header.width

    @property
    def shape(self) -> RowShape:
        """What makes a line a row."""
        named = max((at for at, name in enumerate(self.columns, start=1) if name), default=self.width)
        return RowShape(self.width, named, self.delimiter)

    @property
    def notes(self) -> list[str]:
        """What a user should know of how it was read; complete once it was read."""
        notes = []
        if self.header.left_out:
            notes.append(f"{len(self.header.left_out)} lines before the header are not read")
        twice = sorted({name for name in self.columns if name and self.columns.count(name) > 1})
        if twice:
            notes.append(f"columns that stand twice, of which the first is read: {', '.join(twice)}")
        if self._foreign:
            many, first = f"{self._foreign:,}", self._first_foreign
            notes.append(f"lines that are not UTF-8, read as Windows-1252: {many}, the first of them line {first}")
        return notes

    @cached_property
    def head(self) -> tuple[TextRow, ...]:
        """The rows at its beginning, those that can be read."""
        behind = self._behind_header(LineBlock(1, self._head))
        text = LineBlock(behind.first, _to_utf8(behind.data, strict=self._is_utf8)[0])
        return tuple(row for row in parse_rows(text, self.shape) if isinstance(row, TextRow))

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands behind the header; raises as :meth:`blocks` does."""
        with closing(self.blocks()) as blocks:
            return next(blocks, None) is None

    def places(self) -> dict[str, int]:
        """Where each named column stands; of two of one name, the first."""
        return {name: at for at, name in reversed(list(enumerate(self.columns))) if name}

    def blocks(self) -> Generator[LineBlock]:
        """The lines behind the header, in blocks that are UTF-8.

        Raises:
            TextTableError: If the file is damaged, or unpacks to so much that it was made to fill the memory.
        """
        self._first_foreign = self._foreign = 0
        bound = max(FREE_BYTES, MAX_RATIO * stored_size(self.source)) if self._is_packed else None
        taken = 0
        with open_unpacked(self.source, self.packing) as file:
            for each in read_line_blocks(file, self.encoding):
                block = self._behind_header(each)
                taken += len(block.data)
                if bound is not None and taken > bound:
                    raise TextTableError(
                        f"{self.source}: unpacks to more than {MAX_RATIO} times its size; if that is right, unpack it "
                        "and give the text"
                    )
                if block.data:
                    yield self._in_utf8(block)

    def rows(self) -> Iterator[TextRow | MalformedLine]:
        """The rows behind the header, and in their places the lines that are none.

        Raises:
            TextTableError: As :meth:`blocks`.
        """
        for block in self.blocks():
            yield from parse_rows(block, self.shape)

    @property
    def _is_packed(self) -> bool:
        return bool(self.packing) or isinstance(self.source, ArchiveMember)

    def _behind_header(self, block: LineBlock) -> LineBlock:
        skip = self.header.first_row - block.first
        if skip <= 0:
            return block
        parts = block.data.split(b"\n", skip)
        return LineBlock(block.first + len(parts) - 1, parts[-1] if len(parts) > skip else b"")

    def _in_utf8(self, block: LineBlock) -> LineBlock:
        data, foreign = _to_utf8(block.data, strict=self._is_utf8)
        if foreign:
            self._foreign += len(foreign)
            self._first_foreign = self._first_foreign or block.first + foreign[0]
        return LineBlock(block.first, data)


def open_text_table(source: SourceFile, known: Collection[str] = frozenset()) -> TextTable:
    """Look at the beginning of a table of text: how it is packed, encoded, delimited, and which columns it has.

    Args:
        source: A regular file, or a member of an archive.
        known: Names of columns that the reader looks for; they tell a header from what may stand before it.

    Raises:
        ForeignFileError: If the file is of a kind that is no text.
        TextTableError: If it cannot be read, or is empty.
    """
    packing = find_packing(read_head(source))
    if packing in ("zip", "parquet"):
        raise TextTableError(f"{source}: a {packing} file, where text is expected; give a CSV file")
    with open_unpacked(source, packing) as file:
        start = file.read(PEEK_BYTES)
    if not start:
        raise TextTableError(f"{source}: the file is empty")
    foreign = find_foreign(start)
    if foreign is not None:
        raise ForeignFileError(f"{source}: {foreign}")
    encoding = find_encoding(start)
    head = _whole_head(start, encoding)
    header = find_header(_to_utf8(head, strict=False)[0].decode().split("\n"), known)
    return TextTable(source, packing, encoding, header, head)


def _whole_head(start: bytes, encoding: str) -> bytes:
    """The lines that are whole in the beginning of a text; its first line if it is longer than that."""
    if len(start) < PEEK_BYTES:
        return _read_all(start, encoding)
    data = _read_all(start + b"x", encoding)  # so that blank lines there are not at the end of the text
    return data[: data.rfind(b"\n", 0, len(data) - 1) + 1] or data


def _read_all(text: bytes, encoding: str) -> bytes:
    return b"".join(block.data for block in read_line_blocks(io.BytesIO(text), encoding))


def _shows_utf8(data: bytes) -> bool:
    """Whether a line of a text has characters beyond ASCII that are UTF-8."""
    return not data.isascii() and any(not line.isascii() and _is_utf8(line) for line in data.split(b"\n"))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _to_utf8(data: bytes, *, strict: bool) -> tuple[bytes, list[int]]:
    """Make lines UTF-8 that are not.

    Args:
        data: Lines.
        strict: Whether such a line is damaged: it is marked. Else it is taken for Windows-1252, and Latin-1 where that
            leaves a byte without meaning.

    Returns:
        The lines, and the places of those taken for Windows-1252.
    """
    if data.isascii() or _is_utf8(data):
        return data, []
    lines = data.split(b"\n")
    foreign = [at for at, line in enumerate(lines) if not (line.isascii() or _is_utf8(line))]
    for at in foreign:
        lines[at] = UNDECODABLE if strict else _decode_windows(lines[at]).encode()
    return b"\n".join(lines), [] if strict else foreign


def _decode_windows(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
