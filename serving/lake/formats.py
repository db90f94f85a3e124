"""Write a query's answer as a table for people, or as CSV or JSON for programs.

JSON: an array of objects; time as ISO 8601, NaN and infinities as null, lists, structs and maps as themselves, bytes as
text where they are UTF-8, else base64. CSV: the same, with nested values as JSON text and null as an empty field.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from rich.table import Table
from rich.text import Text

from conf.errors import InputError
from conf.plain_console import PlainConsole
from conf.plain_text import show_controls, show_in_json

OutputFormat = Literal["table", "csv", "json"]

_NARROWEST_TEXT = 16
_JSON_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def write_json(reader: pa.RecordBatchReader, out: BinaryIO) -> int:
    """Write an answer as a JSON array, batch by batch.

    Returns:
        Rows written.

    Raises:
        InputError: If two columns share a name, of which an object could keep only one.
    """
    refuse_repeated_names(reader.schema)
    rows = 0
    out.write(b"[")
    for row in _rows(reader):
        out.write(b",\n" if rows else b"\n")
        out.write(show_in_json(to_json_bytes(row).decode()).encode())
        rows += 1
    out.write(b"\n]\n" if rows else b"]\n")
    return rows


def write_csv(reader: pa.RecordBatchReader, out: BinaryIO) -> int:
    """Write an answer as CSV with a header, batch by batch; returns the rows written."""
    schema = pa.schema([pa.field(f.name, _csv_type(f.type)) for f in reader.schema])
    rows = 0
    with pa_csv.CSVWriter(out, schema, write_options=pa_csv.WriteOptions(quoting_style="needed")) as writer:
        for batch in reader:
            columns = [_csv_column(batch.column(i)) for i in range(batch.num_columns)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            rows += batch.num_rows
    return rows


def print_table(reader: pa.RecordBatchReader, console: PlainConsole, limit: int) -> int:
    """Print the first rows of an answer; what does not fit is said, not silently dropped.

    Args:
        reader: The answer.
        console: Where to print. On a terminal, columns beyond its width are left out; elsewhere all are printed.
        limit: Most rows to print.

    Returns:
        Rows printed.
    """
    rows, more = _first_rows(reader, limit)
    names = reader.schema.names
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [_is_number(field.type) for field in reader.schema]
    widths = [max([len(name), *(len(row[i].plain) for row in cells)]) for i, name in enumerate(names)]
    if console.is_terminal:
        least = [
            width if number else min(width, max(len(name), _NARROWEST_TEXT))
            for width, name, number in zip(widths, names, numeric, strict=True)
        ]
        widths = _fit_widths(widths, least, console.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, width, right in zip(names, widths, numeric, strict=False):
        table.add_column(
            Text(name), justify="right" if right else "left", no_wrap=True, overflow="ellipsis", width=width
        )
    for row in cells:
        table.add_row(*row[: len(widths)])
    if not console.is_terminal:  # a pipe has no edge to cut at
        console.width = max(console.width, sum(widths) + 2 * len(widths))
    console.print(table)
    for hint in _hints(len(rows), more=more, hidden=names[len(widths) :]):
        console.print(Text(hint, style="dim"))
    return len(rows)


def to_json_bytes(value: Any) -> bytes:
    """One value as JSON."""
    return orjson.dumps(value, default=_json_default, option=_JSON_OPTIONS)


def refuse_repeated_names(schema: pa.Schema) -> None:
    """Raise :class:`InputError` if two columns share a name."""
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise InputError(f"several columns are named {', '.join(repeated)}: give each a name of its own with AS")


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    for batch in reader:
        columns = [_values(batch.column(i)) for i in range(batch.num_columns)]
        for values in zip(*columns, strict=True):
            yield dict(zip(reader.schema.names, values, strict=True))


def _values(column: pa.Array) -> list[Any]:
    # Not left to to_pylist, which imports pandas for a timestamp: a second of waiting.
    if pa.types.is_timestamp(column.type):
        column = _iso(column)
    values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    return values


def _iso(column: pa.Array) -> pa.Array:
    zone = {None: "", "UTC": "Z"}.get(column.type.tz, "%z")
    return pc.strftime(column, format=f"%Y-%m-%dT%H:%M:%S{zone}")


def _json_default(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):  # an interval
        return value._asdict() if hasattr(value, "_asdict") else list(value)
    return str(value)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _csv_type(kind: pa.DataType) -> pa.DataType:
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string)
    return kind if any(test(kind) for test in plain) else pa.string()


def _csv_column(column: pa.Array) -> pa.Array:
    if _csv_type(column.type) == column.type:
        return column
    if pa.types.is_timestamp(column.type):
        return _iso(column)
    # A builder, because pa.array imports pandas to look at its argument.
    builder = pa.lib.StringBuilder()
    builder.append_values(values_as_text(column))
    return builder.finish()


def values_as_text(column: pa.Array) -> list[str | None]:
    """Values of a column as CSV shows them."""
    return [None if value is None else _as_text(value) for value in _values(column)]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _text(value)
    return to_json_bytes(value).decode().strip('"')


def _cell(value: Any) -> Text:
    if value is None:
        return Text("null", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.10g}")
    return Text(show_controls(" ".join(_as_text(value).split())))


def _first_rows(reader: pa.RecordBatchReader, limit: int) -> tuple[list[tuple[Any, ...]], bool]:
    rows: list[tuple[Any, ...]] = []
    for batch in reader:
        part = batch.slice(0, limit + 1 - len(rows))
        rows += zip(*(_values(part.column(i)) for i in range(part.num_columns)), strict=True)
        if len(rows) > limit:
            break
    return rows[:limit], len(rows) > limit


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _fit_widths(widths: list[int], least: list[int], room: int) -> list[int]:
    """Widths of the columns that a terminal has room for: texts are cut, the longest first, then columns left out.

    Args:
        widths: What each would need.
        least: What it is not cut below.
        room: Width of the terminal.
    """
    shown = len(widths)
    while shown > 1 and sum(least[:shown]) + 2 * (shown - 1) > room:
        shown -= 1
    found = [min(width, room) for width in widths[:shown]]
    for _ in range(sum(found) + 2 * (shown - 1) - room):
        longer = [i for i in range(shown) if found[i] > least[i]]
        if not longer:
            break
        found[max(longer, key=found.__getitem__)] -= 1
    return found


def _hints(rows: int, *, more: bool, hidden: list[str]) -> Iterator[str]:
    yield f"first {rows} rows, there are more: --limit N shows N of them" if more else f"{rows} rows"
    if hidden:
        names = ", ".join(hidden[:8]) + (", …" if len(hidden) > 8 else "")
        yield f"{len(hidden)} columns do not fit this terminal: {names} (select fewer, or --format csv|json)"
