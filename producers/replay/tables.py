"""A published sheet as a table of named cells, and its rows as events by a list of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from producers.replay.cell_parsers import CellError
from producers.replay.formats import ReplayFileError, SheetFormat, missing_columns_error
from producers.replay.lines import MalformedLine, line_fault, read_contents, split_fields

Value = bool | int | float | str | list[str] | list[int | None] | None
Parse = Callable[[str], Value]


@dataclass(frozen=True)
class SheetField:
    """A field of an event and where it comes from.

    Attributes:
        name: Name in the event.
        column: Column of the sheet.
        parse: Value of a cell that is not empty.
        required: Whether the sheet must have the column.
        empty: Value of a cell that is empty.
    """

    name: str
    column: str
    parse: Parse
    required: bool = True
    empty: Value = None


@dataclass(frozen=True)
class SheetRow:
    """The cells of one line by column, spaces around them taken off; ``line`` counts from 1, which is the header."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class SheetTable:
    """A sheet.

    Attributes:
        path: The file.
        form: What it was recognised as.
        columns: Its columns, spaces around them taken off.
        rows: The lines that have as many cells as the header.
        malformed: The others.
    """

    path: Path
    form: SheetFormat
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    malformed: tuple[MalformedLine, ...]


@dataclass(frozen=True)
class SheetEvent:
    """What one line says.

    Attributes:
        line: The line.
        fields: The fields of its contract, without the session; None where the line says nothing.
    """

    line: int
    fields: dict[str, Value]


@dataclass(frozen=True)
class ParsedSheet:
    """The events of a table.

    Attributes:
        events: In the order in which they are to be sent.
        malformed: Lines with a cell that cannot be parsed.
        notes: What a user should know of how the sheet was read.
        variant: What tells apart two sheets of one form that may be the same byte for byte; empty where nothing does.
    """

    events: tuple[SheetEvent, ...]
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...] = ()
    variant: str = ""


def load_sheet(path: Path, form: SheetFormat) -> SheetTable:
    """Read a sheet.

    Raises:
        ReplayFileError: If it is damaged or nothing follows its header.
    """
    header, *lines = read_contents(path, form.container).split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ReplayFileError(f"{path}: no events: nothing follows the header")
    columns = tuple(name.strip() for name in header.decode("utf-8-sig", "replace").split(form.delimiter))
    rows, malformed = [], []
    for number, line in enumerate(lines, start=2):
        reason = line_fault(line, len(columns), form.delimiter)
        if reason is None:
            cells = split_fields(line.decode().rstrip("\r"), form.delimiter)
            rows.append(SheetRow(number, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}))
        else:
            malformed.append(MalformedLine(number, reason))
    return SheetTable(path, form, columns, tuple(rows), tuple(malformed))


def parse_sheet_rows(table: SheetTable, fields: Sequence[SheetField]) -> ParsedSheet:
    """Make an event of each row; a cell that cannot be parsed makes its line malformed, an empty one is None.

    Raises:
        ReplayFileError: If the table lacks a required column.
    """
    missing = dict.fromkeys(field.column for field in fields if field.required and field.column not in table.columns)
    if missing:
        raise missing_columns_error(table.path, list(missing), filter(None, table.columns))
    events, malformed = [], []
    for row in table.rows:
        values, complaints = _values(row.cells, fields)
        if complaints:
            malformed.append(MalformedLine(row.line, "; ".join(complaints)))
        else:
            events.append(SheetEvent(row.line, values))
    return ParsedSheet(tuple(events), tuple(malformed))


def _values(cells: dict[str, str], fields: Iterable[SheetField]) -> tuple[dict[str, Value], list[str]]:
    values: dict[str, Value] = {}
    complaints: dict[str, None] = {}
    for field in fields:
        cell = cells.get(field.column)
        try:
            values[field.name] = field.parse(cell) if cell else None if cell is None else field.empty
        except CellError as error:
            complaints[f"{field.column} '{cell}' is not {error}"] = None
    return values, list(complaints)
