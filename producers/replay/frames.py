"""A telemetry file as frames of its columns as they stand: some rows at a time, from text or parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import polars as pl

from conf.text_table import MalformedLine, SourceFile, TextRow, TextTable
from conf.text_table.blocks import LineBlock, count_lines
from conf.text_table.rows import parse_rows
from producers.replay.formats import ReplayFileError
from producers.replay.lines import MalformedLines
from producers.replay.parquet import scan_parquet

FIRST_ROW = 2
ROWS_AT_ONCE = 1_000_000
MOST_MALFORMED = 100_000


def read_parquet_parts(path: SourceFile, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Read a parquet file, some rows at a time, with the number of each in ``line``.

    Raises:
        TextTableError: If it is damaged.
    """
    with scan_parquet(path) as frame:
        rows: int = frame.select(pl.len()).collect().item()
        for start in range(0, rows, ROWS_AT_ONCE):
            part = frame.select(columns).slice(start, ROWS_AT_ONCE).collect()
            yield part.with_row_index("line", offset=FIRST_ROW + start)


def read_text_parts(table: TextTable, columns: Sequence[str], malformed: MalformedLines) -> Iterator[pl.DataFrame]:
    """Read a table of text, a block of lines at a time, with the number of each row's line in ``line``.

    A block is parsed at once; where a line of it is ragged, blank, or has a quote out of place, each of its lines is
    looked at.

    Args:
        table: The table.
        columns: Columns to read.
        malformed: Takes the lines that are no rows.

    Raises:
        ReplayFileError: If hardly a line is a row.
        TextTableError: If the file is damaged.
    """
    places = table.places()
    at = [places[name] for name in columns]
    rows_before = 0
    for block in table.blocks():
        parsed = _parse_whole(block, table)
        if parsed is not None:
            frame = parsed.select(pl.nth(place).alias(name) for name, place in zip(columns, at, strict=True))
            part = frame.with_row_index("line", offset=block.first)
        else:
            part = _parse_by_line(block, table, dict(zip(columns, at, strict=True)), malformed)
        rows_before += part.height
        if malformed.count > max(MOST_MALFORMED, rows_before):
            raise ReplayFileError(f"{table.source}: hardly a line can be read: {malformed.summary()}")
        yield part


def _parse_whole(block: LineBlock, table: TextTable) -> pl.DataFrame | None:
    """Parse at once; None where that may go wrong: a ragged line, a line break in a cell, a space before a quote."""
    lines = count_lines(block.data)
    if lines * table.width > len(block.data):  # too short for as many delimiters: rows of nulls would fill the memory
        return None
    schema = {f"column_{place}": pl.String for place in range(table.width)}
    try:
        frame = pl.read_csv(io.BytesIO(block.data), has_header=False, separator=table.delimiter, schema=schema)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != lines:
        return None
    missing = frame.to_series(frame.width - 1).has_nulls()  # missing fields are filled from the right
    if b'"' in block.data:
        return None if missing or b' "' in block.data else frame
    if missing and block.data.count(table.delimiter.encode()) != frame.height * (frame.width - 1):
        return None
    return frame


def _parse_by_line(
    block: LineBlock, table: TextTable, places: dict[str, int], malformed: MalformedLines
) -> pl.DataFrame:
    rows: list[TextRow] = []
    for each in parse_rows(block, table.shape):
        if isinstance(each, MalformedLine):
            malformed.add(each)
        else:
            rows.append(each)
    data = {name: [row.cells[place] for row in rows] for name, place in places.items()}
    lines = pl.Series("line", [row.line for row in rows], dtype=pl.UInt32)
    return pl.DataFrame(data, schema=dict.fromkeys(places, pl.String)).insert_column(0, lines)
