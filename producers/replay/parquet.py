"""Parquet files of published telemetry."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from conf.text_table import SourceFile, TextTableError, open_source
from conf.text_table.source import stored_size

FREE_ROWS = 2_000_000
MAX_ROWS_PER_BYTE = 4
MAX_MEMBER_BYTES = 1 << 30


@contextmanager
def scan_parquet(path: SourceFile) -> Iterator[pl.LazyFrame]:
    """Open a parquet file; a file of an archive is unpacked into memory, where its parts can be reached.

    Raises:
        TextTableError: If it is damaged, or says that it holds so many rows that it was made to fill the memory.
    """
    try:
        frame = pl.scan_parquet(path if isinstance(path, Path) else _unpack(path))
        _check_rows(path, frame.select(pl.len()).collect().item())
        yield frame
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TextTableError(f"{path}: not a readable parquet file (cut short?): {_first_line(error)}") from error


def _unpack(path: SourceFile) -> io.BytesIO:
    with open_source(path) as file:
        data = file.read(MAX_MEMBER_BYTES + 1)
    if len(data) > MAX_MEMBER_BYTES:
        raise TextTableError(f"{path}: larger than {MAX_MEMBER_BYTES:,} bytes; unpack the archive first")
    return io.BytesIO(data)


def _check_rows(path: SourceFile, rows: int) -> None:
    if rows > max(FREE_ROWS, MAX_ROWS_PER_BYTE * stored_size(path)):
        raise TextTableError(f"{path}: holds {rows:,} rows in {stored_size(path):,} bytes, which no telemetry does")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
