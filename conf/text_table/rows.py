"""Lines of a text as rows of cells, by RFC 4180: a quoted cell may hold the delimiter, quotes and line breaks."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from conf.text_table.blocks import FAULTS, MAX_LINE_BYTES, TOO_LONG, LineBlock

COMMENT: Final = "#"
MAX_JOINED: Final = 100


@dataclass(frozen=True, slots=True)
class MalformedLine:
    """A line that could not be read.

    Attributes:
        line: Its number in the file, counted from 1 (a parquet file's first row counts as line 2).
        reason: What is wrong with it.
    """

    line: int
    reason: str


class TextRow(NamedTuple):
    """A line's cells as they stand, quotes undone.

    Attributes:
        line: Its number in the file; that of the first where a cell holds line breaks.
        cells: As many as there are columns.
    """

    line: int
    cells: list[str]


def split_cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, quotes undone; a space behind a delimiter is no part of a quoted cell.

    Raises:
        csv.Error: If the quotes are out of place.
    """
    if '"' not in line:
        return line.split(delimiter)
    rows = list(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    if len(rows) != 1:
        raise csv.Error("several rows")
    return rows[0]


@dataclass(frozen=True)
class RowShape:
    """What makes a line a row.

    Attributes:
        width: How many cells it has; empty ones may follow.
        named: How many it has at least, those under a name: a header may end in a delimiter and its rows not.
        delimiter: What stands between two cells.
    """

    width: int
    named: int
    delimiter: str


def parse_rows(block: LineBlock, shape: RowShape) -> Iterator[TextRow | MalformedLine]:
    """Take the lines of a block apart.

    A line whose quote is open is joined with those behind it if together they are one row, and malformed by itself if
    they are not: a stray quote costs its own line. A line that begins with ``#`` is a comment unless it is a row.

    Args:
        block: Lines that are UTF-8.
        shape: What makes a line a row.
    """
    lines = block.data.decode().split("\n")[:-1]
    at = 0
    while at < len(lines):
        number, line, taken = block.first + at, lines[at], 1
        found = _parse_line(line, shape)
        if isinstance(found, str) and line.count('"') % 2:
            joined = _join(lines[at : at + MAX_JOINED], shape)
            found, taken = joined if joined is not None else (found, 1)
        at += taken
        if isinstance(found, list):
            yield TextRow(number, found)
        elif not line.startswith(COMMENT):
            yield MalformedLine(number, found)


def _parse_line(line: str, shape: RowShape) -> list[str] | str:
    """The cells of a line, or what is wrong with it."""
    if not line.strip():
        return "empty line"
    if line[0] == "\x00" and (fault := FAULTS.get(line.encode())) is not None:
        return fault
    if len(line) > MAX_LINE_BYTES:
        return FAULTS[TOO_LONG]
    try:
        cells = split_cells(line, shape.delimiter)
    except csv.Error:
        return "quote without its pair" if line.count('"') % 2 else "quotes or line breaks out of place"
    return _fitted(cells, shape) or f"{len(cells)} fields in place of {shape.width}"


def _fitted(cells: list[str], shape: RowShape) -> list[str] | None:
    """The cells as a row, or None if they are none."""
    if len(cells) == shape.width:
        return cells
    if len(cells) > shape.width:
        return None if any(cells[shape.width :]) else cells[: shape.width]
    return [*cells, *[""] * (shape.width - len(cells))] if len(cells) >= shape.named > 1 else None


def _join(lines: Sequence[str], shape: RowShape) -> tuple[list[str], int] | None:
    """The row that begins with the first of some lines, and how many of them it takes; None if they are no row."""
    last = next((at for at, line in enumerate(lines) if at and line.count('"') % 2), None)
    if last is None:
        return None
    text = [f"{line}\n" for line in lines[: last + 1]]
    try:
        (cells,) = csv.reader(text, delimiter=shape.delimiter, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        return None
    row = _fitted(cells, shape)
    return None if row is None else (row, last + 1)
