"""Write a query's answer into a file: CSV, JSON, Parquet or Excel, by the file's name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from conf.errors import InputError
from serving.lake.formats import refuse_repeated_names, values_as_text, write_csv, write_json

EXCEL_ROWS: Final = 1_048_575
"""What a sheet holds below its header."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHEET_BEGINS_US: Final = (datetime(1900, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_SHEET_ENDS_US: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def write_answer(reader: pa.RecordBatchReader, path: Path) -> int:
    """Write an answer into a file, which appears, or takes the place of another, once it is whole.

    Args:
        reader: The answer.
        path: Ends in ``.csv``, ``.json``, ``.parquet`` or ``.xlsx``.

    Returns:
        Rows written.

    Raises:
        InputError: If the file's name has another ending, its folder does not exist, two columns share a name, a sheet
            cannot hold the rows, or Parquet a column's type.
    """
    write = check_answer_file(path)
    refuse_repeated_names(reader.schema)
    part = path.with_name(f".{path.name}.part")
    try:
        rows = write(reader, part)
        part.replace(path)
    except pa.ArrowNotImplementedError as error:
        raise InputError(f"{path}: {error}: cast that column to text, or write .csv") from error
    finally:
        part.unlink(missing_ok=True)
    return rows


def check_answer_file(path: Path) -> Callable[[pa.RecordBatchReader, Path], int]:
    """What writes a file of that name.

    Raises:
        InputError: If none does, or its folder does not exist.
    """
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise InputError(f"{path}: an answer is written as {', '.join(_WRITERS)}; name the file so that it ends in one")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    return write


def _write_csv(reader: pa.RecordBatchReader, path: Path) -> int:
    with path.open("wb") as out:
        return write_csv(reader, out)


def _write_json(reader: pa.RecordBatchReader, path: Path) -> int:
    with path.open("wb") as out:
        return write_json(reader, out)


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> int:
    from pyarrow import parquet

    rows = 0
    with parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_excel(reader: pa.RecordBatchReader, path: Path) -> int:
    import xlsxwriter

    rows = 0
    # Row by row to the disk; a sheet knows no zone, so that times are UTC; no text of ours is a formula or an address.
    options: dict[str, Any] = {
        "constant_memory": True,
        "remove_timezone": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
        "default_date_format": "yyyy-mm-dd hh:mm:ss.000",
    }
    with xlsxwriter.Workbook(path, options) as book:
        sheet, bold = book.add_worksheet("answer"), book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(reader.schema.names):
            sheet.set_column(column, column, min(max(len(name) + 2, 10), 40))
            sheet.write_string(0, column, name, bold)
        for batch in reader:
            if rows + batch.num_rows > EXCEL_ROWS:
                raise InputError(f"{path}: a sheet holds {EXCEL_ROWS:,} rows: ask for fewer, or write .parquet or .csv")
            columns = [_excel_values(batch.column(i)) for i in range(batch.num_columns)]
            for row in zip(*columns, strict=True):
                rows += 1
                for column, value in enumerate(row):
                    if value is not None:
                        sheet.write(rows, column, value)
    return rows


def _excel_values(column: pa.Array) -> list[Any]:
    """Numbers, truths, texts, and times that a sheet knows; of everything else what CSV would show."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        micros = column.cast(pa.int64()).to_pylist()
        if all(us is None or _SHEET_BEGINS_US <= us < _SHEET_ENDS_US for us in micros):
            return [None if us is None else _EPOCH + timedelta(microseconds=us) for us in micros]
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    if any(test(kind) for test in plain):
        return list(column.to_pylist())
    return values_as_text(column)


_WRITERS: Final[dict[str, Callable[[pa.RecordBatchReader, Path], int]]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
    ".xlsx": _write_excel,
}
