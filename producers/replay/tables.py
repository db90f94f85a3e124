"""A published sheet as a table of named cells, and its rows as events by a list of fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from conf.text_table import MalformedLine, SourceFile
from producers.replay.cell_parsers import BLANK, CellError, is_missing
from producers.replay.formats import ReplayFileError, SheetFormat, missing_columns_error, open_published_text
from producers.replay.lines import NullCells
from producers.replay.sessions import Stated

MAX_LINES = 200_000

Value = bool | int | float | str | list[str] | list[str | None] | list[int | None] | None
Parse = Callable[[str], Value]


@dataclass(frozen=True)
class SheetField:
    """A field of an event and where it comes from.

    Attributes:
        name: Name in the event.
        column: Column of the sheet.
        parse: Value of a cell that is not empty.
        required: Whether an event needs it: no sheet may lack the column, and no line a cell that can be parsed.
        empty: Value of a cell that is empty.
    """

    name: str
    column: str
    parse: Parse
    required: bool = False
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
        notes: What a user should know of how it was read.
    """

    path: SourceFile
    form: SheetFormat
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SheetEvent:
    """What one line says.

    Attributes:
        line: The line.
        fields: The fields of its contract, without the session; None where the line says nothing.
    """

    line: int
    fields: dict[str, Value]

    @property
    def stated(self) -> Stated | None:
        """The event and session that the line names, None where it does not name both."""
        event, session = self.fields.get("meta_event"), self.fields.get("meta_session")
        return (event, session) if isinstance(event, str) and isinstance(session, str) else None


@dataclass(frozen=True)
class ParsedSheet:
    """The events of a table.

    Attributes:
        events: In the order in which they are to be sent.
        malformed: Lines with a required cell that cannot be parsed.
        notes: What a user should know of how the sheet was read.
        variant: What tells apart two sheets of one form that may be the same byte for byte; empty where nothing does.
    """

    events: tuple[SheetEvent, ...]
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...] = ()
    variant: str = ""


def load_sheet(path: SourceFile, form: SheetFormat) -> SheetTable:
    """Read a sheet.

    Raises:
        ReplayFileError: If nothing follows its header, or so much that it is no sheet of a session.
        TextTableError: If it is damaged.
    """
    table = open_published_text(path)
    places = table.places()
    rows, malformed = [], []
    for each in table.rows():
        if isinstance(each, MalformedLine):
            malformed.append(each)
        else:
            rows.append(SheetRow(each.line, {name: each.cells[at].strip() for name, at in places.items()}))
        if len(rows) + len(malformed) > MAX_LINES:
            raise ReplayFileError(f"{path}: more than {MAX_LINES:,} lines of {form.name}; split the file by session")
    if not rows and not malformed:
        raise ReplayFileError(f"{path}: no events: nothing follows the header")
    return SheetTable(path, form, table.columns, tuple(rows), tuple(malformed), tuple(table.notes))


def parse_sheet_rows(table: SheetTable, fields: Sequence[SheetField]) -> ParsedSheet:
    """Make an event of each row; an empty cell is None.

    A cell that cannot be parsed makes its line malformed where the event requires it. Elsewhere it is None, and a note
    says of which column.

    Raises:
        ReplayFileError: If the table lacks a required column.
    """
    missing = dict.fromkeys(field.column for field in fields if field.required and field.column not in table.columns)
    if missing:
        raise missing_columns_error(table.path, list(missing), filter(None, table.columns))
    events, malformed, nulls = [], [], NullCells()
    for row in table.rows:
        values, complaints = _values(row, fields, nulls)
        if complaints:
            malformed.append(MalformedLine(row.line, "; ".join(complaints)))
        else:
            events.append(SheetEvent(row.line, values))
    return ParsedSheet(tuple(events), tuple(malformed), (*table.notes, *nulls.notes()))


def _values(row: SheetRow, fields: Iterable[SheetField], nulls: NullCells) -> tuple[dict[str, Value], list[str]]:
    values: dict[str, Value] = {}
    complaints: dict[str, None] = {}
    odd: dict[str, str] = {}
    for field in fields:
        cell = row.cells.get(field.column)
        values[field.name] = None if cell is None else field.empty
        if cell is None or cell in BLANK:
            continue
        missing = is_missing(cell)
        try:
            value = field.parse(cell)
        except CellError as error:
            if not missing:
                values[field.name] = None
            if field.required and not missing:
                complaints[f"{field.column} '{cell}' is not {error}"] = None
            else:
                odd[field.column] = str(error)
        else:
            values[field.name] = field.empty if missing else value
    if not complaints:
        for column, kind in odd.items():
            nulls.add(column, kind, row.line, row.cells[column])
    return values, list(complaints)
