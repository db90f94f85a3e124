"""Where a text's header stands and how it is written: delimiter, names, what stands before it."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from conf.text_table.rows import split_cells

DELIMITERS: Final = (",", ";", "\t", "|")
COMMENTS: Final = ("#", "//", "%")
SEPARATOR_LINE: Final = re.compile(r"sep=(.)", re.IGNORECASE)  # which Excel writes before the header
MAX_BEFORE: Final = 100
FEWEST_KNOWN: Final = 2
NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Header:
    """How a text is written.

    Attributes:
        columns: Names of its columns, spaces around them taken off; empty where nothing names them.
        delimiter: What stands between two cells.
        width: How many cells a row has.
        first_row: Number of the first line behind the header.
        left_out: Numbers of lines before the header that are neither blank nor comments.
    """

    columns: tuple[str, ...]
    delimiter: str
    width: int
    first_row: int
    left_out: tuple[int, ...] = ()


def find_header(lines: Sequence[str], known: Collection[str] = frozenset()) -> Header:
    """Find a text's header in its first lines.

    It is the line with the most names that the reader knows, two of them at least, and rather no comment. Where there
    is none, it is the first line that is no comment, unless that holds numbers only: then the names may stand in the
    comment before it.

    Args:
        lines: The beginning of the text.
        known: Names of columns that the reader looks for.
    """
    named = _find_known(lines[:MAX_BEFORE], known)
    if named is not None:
        at, columns, delimiter = named
        left_out = tuple(number for number, line in enumerate(lines[:at], start=1) if not _is_remark(line))
        return Header(columns, delimiter, len(columns), at + 2, left_out)
    at = next((at for at, line in enumerate(lines) if not _is_remark(line)), len(lines))
    if at == len(lines):
        return Header((), ",", 0, at + 1)
    delimiter = _stated_delimiter(lines[:at]) or max(DELIMITERS, key=lambda each: _fit(lines[at], each))
    cells = _split(lines[at], delimiter)
    if not _are_numbers(cells):
        return Header(tuple(cells), delimiter, len(cells), at + 2)
    columns = _names_in_comments(lines[:at], len(cells), delimiter)
    return Header(columns, delimiter, len(cells), at + 1)


def _find_known(lines: Sequence[str], known: Collection[str]) -> tuple[int, tuple[str, ...], str] | None:
    found: tuple[int, tuple[str, ...], str] | None = None
    most = (FEWEST_KNOWN - 1, True)
    for at, line in enumerate(lines):
        for delimiter in DELIMITERS:
            cells = _split(_without_mark(line), delimiter)
            score = len(set(cells).intersection(known)), not line.startswith(COMMENTS)
            if score > most:
                most, found = score, (at, tuple(cells), delimiter)
    return found


def _fit(line: str, delimiter: str) -> tuple[bool, int]:
    """How well a delimiter fits a line: where it leaves numbers only, it is no part of them."""
    cells = _split(line, delimiter)
    return len(cells) > 1 and _are_numbers(cells), len(cells)


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(NUMBER.fullmatch(cell) for cell in cells)


def _names_in_comments(lines: Sequence[str], width: int, delimiter: str) -> tuple[str, ...]:
    for line in reversed(lines):
        for each in (delimiter, *DELIMITERS):
            cells = _split(_without_mark(line), each)
            if len(cells) == width and all(cells):
                return tuple(cells)
    return ()


def _stated_delimiter(lines: Sequence[str]) -> str | None:
    return next((found[1] for line in lines if (found := SEPARATOR_LINE.fullmatch(line.strip(' "'))) is not None), None)


def _is_remark(line: str) -> bool:
    text = line.strip()
    return not text or text.startswith(COMMENTS) or SEPARATOR_LINE.fullmatch(text.strip(' "')) is not None


def _without_mark(line: str) -> str:
    text = line.strip(" ")
    return next((text.removeprefix(mark).lstrip(mark[0] + " ") for mark in COMMENTS if text.startswith(mark)), line)


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in split_cells(line, delimiter)]
    except csv.Error:
        return [cell.strip(' "') for cell in line.split(delimiter)]
