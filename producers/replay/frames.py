"""A telemetry file as frames of its columns as they stand: some rows at a time, from text or parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from conf.text_table import MalformedLine, SourceFile, TextRow, TextTable
from conf.text_table.blocks import LineBlock
from conf.text_table.rows import parse_rows
from producers.replay.parquet import scan_parquet

FIRST_ROW = 2
ROWS_AT_ONCE = 1_000_000

Part = tuple[pl.DataFrame, list[MalformedLine]]
"""Some rows with the number of each in ``line``, and the lines among them that are none."""


def read_parquet_parts(path: SourceFile, columns: Sequence[str]) -> Iterator[Part]:
    """Read a parquet file, some rows at a time.

    Raises:
        TextTableError: If it is damaged.
    """
    with scan_parquet(path) as frame:
        rows: int = frame.select(pl.len()).collect().item()
        for start in range(0, rows, ROWS_AT_ONCE):
            part = frame.select(columns).slice(start, ROWS_AT_ONCE).collect()
            yield part.with_row_index("line", offset=FIRST_ROW + start), []


def read_text_parts(table: TextTable, columns: Sequence[str]) -> Iterator[Part]:
    """Read a table of text, a block of lines at a time.

    A block is parsed at once; where a line of it is ragged, blank, or has a quote out of place, each of its lines is
    looked at.

    Raises:
        TextTableError: If it is damaged.
    """
    places = table.places()
    at = [places[name] for name in columns]
    for block in table.blocks():
        parsed = _parse_whole(block, table)
        if parsed is not None:
            frame = parsed.select(pl.nth(place).alias(name) for name, place in zip(columns, at, strict=True))
            yield frame.with_row_index("line", offset=block.first), []
            continue
        rows, malformed = _parse_by_line(block, table)
        data = {name: [row.cells[place] for row in rows] for name, place in zip(columns, at, strict=True)}
        lines = pl.Series("line", [row.line for row in rows], dtype=pl.UInt32)
        yield pl.DataFrame(data, schema=dict.fromkeys(columns, pl.String)).insert_column(0, lines), malformed


def _parse_whole(block: LineBlock, table: TextTable) -> pl.DataFrame | None:
    """Parse at once; None where that may go wrong: a ragged line, a line break in a cell, a space before a quote."""
    schema = {f"column_{place}": pl.String for place in range(table.width)}
    try:
        frame = pl.read_csv(io.BytesIO(block.data), has_header=False, separator=table.delimiter, schema=schema)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != _count(block.data, b"\n"):
        return None
    missing = frame.to_series(frame.width - 1).has_nulls()  # missing fields are filled from the right
    if b'"' in block.data:
        return None if missing or b' "' in block.data else frame
    if missing and _count(block.data, table.delimiter.encode()) != frame.height * (frame.width - 1):
        return None
    return frame


def _count(data: bytes, character: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == character[0]))


def _parse_by_line(block: LineBlock, table: TextTable) -> tuple[list[TextRow], list[MalformedLine]]:
    rows: list[TextRow] = []
    malformed: list[MalformedLine] = []
    for each in parse_rows(block, table.width, table.delimiter):
        if isinstance(each, MalformedLine):
            malformed.append(each)
        else:
            rows.append(each)
    return rows, malformed
