"""Detect the format of published files by their content, not by their names.

A file's first bytes say how it is packed and its columns say which form it is: those that the form needs, whatever
stands beside them. A telemetry file's channel names say which dialect of :mod:`conf.channel` it speaks. The one thing
that content does not always say is which of lap start, lap end and lap time a file of lap events holds, since all three
have the same columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import polars as pl

from conf.channel import load_channels
from conf.text_table import (
    Packing,
    SourceFile,
    TextTable,
    TextTableError,
    find_packing,
    open_text_table,
    read_head,
)
from producers.replay.parquet import scan_parquet

Container = Literal["csv", "csv.gz", "csv.bz2", "csv.xz", "parquet"]
SheetName = Literal[
    "lap_start", "lap_end", "lap_time", "sector_times", "results", "results_by_class", "qualifying", "weather"
]

CONTAINERS: dict[Packing, Container] = {
    "": "csv",
    "gzip": "csv.gz",
    "bzip2": "csv.bz2",
    "xz": "csv.xz",
    "parquet": "parquet",
}
DIALECTS = ("grcup", "grcup-renamed")

NEEDED_COLUMNS = ("telemetry_name", "telemetry_value", "timestamp", "vehicle_id")
SESSION_COLUMNS = ("meta_event", "meta_session")
LONG_COLUMNS = (
    "lap",
    "meta_time",
    "telemetry_name",
    "telemetry_value",
    "timestamp",
    "vehicle_id",
    "vehicle_number",
    "meta_event",
    "meta_session",
    "meta_source",
    "original_vehicle_id",
    "outing",
)

# Published beside the telemetry. A header with all of the first set and one of the second is that sheet.
SHEETS: tuple[tuple[SheetName, frozenset[str], frozenset[str]], ...] = (
    ("sector_times", frozenset({"NUMBER", "LAP_NUMBER"}), frozenset({"LAP_TIME"})),
    (
        "weather",
        frozenset({"TIME_UTC_SECONDS"}),
        frozenset({"AIR_TEMP", "TRACK_TEMP", "HUMIDITY", "PRESSURE", "WIND_SPEED", "WIND_DIRECTION", "RAIN"}),
    ),
    ("results", frozenset({"POSITION", "NUMBER"}), frozenset({"STATUS", "TOTAL_TIME"})),
    ("results_by_class", frozenset({"POS", "NUMBER"}), frozenset({"CLASS_TYPE"})),
    ("qualifying", frozenset({"POS", "NUMBER", "TIME"}), frozenset({"LAP", "LAPS", "GAP_FIRST"})),
)
BEST_LAPS = frozenset({"NUMBER", "BESTLAP_1"})

# Lap events have no column of their own: a header with these and no channel, under a name that says which they are.
LAP_MARKS = frozenset({"lap", "timestamp", "vehicle_id"})
LAP_COLUMNS = frozenset(LONG_COLUMNS) - {"telemetry_name", "telemetry_value"} | {"expire_at", "value"}
LAP_NAMES: dict[str, SheetName] = {"start": "lap_start", "end": "lap_end", "time": "lap_time"}

KNOWN_COLUMNS = frozenset(LONG_COLUMNS).union(BEST_LAPS, *(needed | marks for _, needed, marks in SHEETS))


class ReplayFileError(TextTableError):
    """A file that cannot be replayed; the message names the file, what is wrong with it and the remedy."""


class UnknownFormatError(ReplayFileError):
    """A file whose content is none of the known forms, or that has none."""


class NotTelemetryError(ReplayFileError):
    """A published file without telemetry, read as telemetry."""

    def __init__(self, path: SourceFile, name: str) -> None:
        super().__init__(f"{path}: not telemetry but {name}")


class UnsupportedFileError(ReplayFileError):
    """A published file that replay knows but does not send.

    Attributes:
        reason: Why.
    """

    def __init__(self, path: SourceFile, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class TelemetryFormat:
    """What a telemetry file is.

    Attributes:
        name: ``long13`` (event and session in each row), ``long13-renamed`` (the same with renamed channels) or
            ``long8`` (no session in the file).
        container: How it is packed.
        columns: The columns read from it.
        dialect: The naming variant of its channels, a source of ``conf/channels.yaml``.
    """

    name: str
    container: Container
    columns: tuple[str, ...]
    dialect: str

    @property
    def has_session(self) -> bool:
        """Whether each row names its event and session."""
        return set(SESSION_COLUMNS) <= set(self.columns)


@dataclass(frozen=True)
class SheetFormat:
    """What a file of lap events, sector times, results or weather is.

    Attributes:
        name: Which of them; lap events by their kind.
        container: How it is packed.
    """

    name: SheetName
    container: Container


FileFormat = TelemetryFormat | SheetFormat
"""What a file that can be replayed is."""


@dataclass(frozen=True)
class _FileHead:
    """The beginning of a file.

    Attributes:
        header: Its columns, spaces around them taken off.
        names: Channel names, for a telemetry file.
        values: The column ``value``, for a file that has one.
        is_empty: Whether nothing follows the header.
    """

    header: tuple[str, ...]
    names: list[str]
    values: tuple[str, ...] = ()
    is_empty: bool = False


def detect_format(path: SourceFile) -> FileFormat:
    """Detect a published file's format by its content.

    Args:
        path: The file.

    Raises:
        UnsupportedFileError: For a file that replay knows and does not send.
        UnknownFormatError: For anything else, an empty file and a header alone included; says which columns were found
            and which are expected.
        ReplayFileError: For a telemetry file that is damaged, lacks a column or names no known channel.
        TextTableError: For a file that cannot be read or is damaged.
    """
    container = detect_container(path)
    peek = _peek_parquet(path) if container == "parquet" else _peek_text(path)
    if not {"telemetry_name", "telemetry_value"} & set(peek.header):
        return _detect_sheet_format(path, container, peek)
    columns = _columns(path, peek.header)
    if peek.is_empty:
        raise UnknownFormatError(f"{path}: no readings: nothing follows the header")
    if not peek.names:
        raise ReplayFileError(f"{path}: no readings: nothing that can be read follows the header")
    dialect = detect_dialect(path, peek.names)
    return TelemetryFormat(_name(columns, dialect), container, columns, dialect)


def open_published_text(path: SourceFile) -> TextTable:
    """Open a published file of text; its header is the line that has the columns of one of the forms.

    Raises:
        TextTableError: If it cannot be read or is no text.
    """
    return open_text_table(path, KNOWN_COLUMNS)


def lap_kind_from_name(name: str) -> SheetName | None:
    """Which lap events a file's name says it holds, such as ``R1_lap_end.csv`` or ``lap_start_time_R2.csv``."""
    found = re.search(r"lap[\s_-]*(start|end|time)", name, re.IGNORECASE)
    return LAP_NAMES[found[1].lower()] if found else None


def detect_container(path: SourceFile) -> Container:
    """How a file is packed, from its first bytes.

    Raises:
        UnknownFormatError: If it is empty, or an archive.
        TextTableError: If it cannot be read.
    """
    head = read_head(path)
    if not head:
        raise UnknownFormatError(f"{path}: the file is empty")
    packing = find_packing(head)
    if packing == "zip":
        raise UnknownFormatError(f"{path}: a zip archive within another; unpack it first")
    return CONTAINERS[packing]


def detect_dialect(path: SourceFile, names: Iterable[str]) -> str:
    """The dialect that a file's channel names belong to.

    ``speed`` and ``gear`` are common to both dialects and decide nothing; a file with no other channel counts as the
    feed's own. Names of neither are left to the gate downstream, as long as at least one is known.

    Raises:
        ReplayFileError: If no name is known, or names that only one dialect has meet names that only the other has.
    """
    sources = load_channels().sources
    found = set(names)
    own, renamed = (found & sources[dialect].channels.keys() for dialect in DIALECTS)
    if not own | renamed:
        raise ReplayFileError(
            f"{path}: none of its channel names is known: {', '.join(sorted(found)[:12])}; "
            f"expected those of {' or '.join(DIALECTS)} in conf/channels.yaml"
        )
    if own - renamed and renamed - own:
        raise ReplayFileError(
            f"{path}: mixes the channel names of two dialects ({', '.join(sorted(own - renamed))} with "
            f"{', '.join(sorted(renamed - own))}); their units differ: split the file"
        )
    return DIALECTS[1] if renamed - own else DIALECTS[0]


def with_dialect(form: TelemetryFormat, dialect: str) -> TelemetryFormat:
    """The form with the dialect that the whole file, and not only its beginning, was found to speak."""
    return TelemetryFormat(_name(form.columns, dialect), form.container, form.columns, dialect)


def _name(columns: tuple[str, ...], dialect: str) -> str:
    if not set(SESSION_COLUMNS) <= set(columns):
        return "long8"
    return "long13-renamed" if dialect == DIALECTS[1] else "long13"


def _detect_sheet_format(path: SourceFile, container: Container, peek: _FileHead) -> SheetFormat:
    found = set(peek.header) - {""}
    name: SheetName | None = next((name for name, needed, marks in SHEETS if needed <= found and marks & found), None)
    if name is None and found >= LAP_MARKS and not found & _channel_names():
        name = _lap_kind(path, peek)
    if name is None and found >= BEST_LAPS:
        raise UnsupportedFileError(path, "best laps, which repeat what the sector file says")
    if name is None:
        raise UnknownFormatError(
            f"{path}: unknown file form, {_shown(peek.header)}; a telemetry file has {', '.join(NEEDED_COLUMNS)}"
        )
    if container == "parquet":
        raise UnknownFormatError(f"{path}: {name} as parquet; replay reads such files as text")
    if peek.is_empty:
        raise UnknownFormatError(f"{path}: no events: nothing follows the header")
    return SheetFormat(name, container)


@cache
def _channel_names() -> frozenset[str]:
    """Names that a table has which has a column for each channel."""
    return frozenset().union(*(load_channels().sources[dialect].channels for dialect in DIALECTS))


def _lap_kind(path: SourceFile, peek: _FileHead) -> SheetName:
    """Only lap times have whole numbers for values; for the rest the columns are the same and the name has to tell.

    It has to tell, too, where other columns stand beside: many a table has laps and values.
    """
    named = lap_kind_from_name(path.name)
    value = next((value for value in peek.values if value), "")
    if re.fullmatch(r"[0-9]+(\.0*)?", value) and (named or set(peek.header) - {""} <= LAP_COLUMNS):
        return "lap_time"
    if named is None:
        raise UnknownFormatError(
            f"{path}: lap events of which neither content nor name says the kind; "
            f"have {', '.join(LAP_NAMES.values())} in the file's name"
        )
    return named


def _columns(path: SourceFile, header: Iterable[str]) -> tuple[str, ...]:
    found = set(header)
    missing = [name for name in NEEDED_COLUMNS if name not in found]
    if missing:
        raise missing_columns_error(path, missing, filter(None, found))
    return tuple(name for name in LONG_COLUMNS if name in found)


def missing_columns_error(path: SourceFile, missing: Sequence[str], found: Iterable[str]) -> ReplayFileError:
    """The error for a file that lacks columns."""
    return ReplayFileError(
        f"{path}: missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
        f"found {', '.join(sorted(found))}"
    )


def _shown(header: Sequence[str]) -> str:
    if not all(name.isprintable() for name in header):
        return "neither text nor parquet"
    return f"columns {', '.join(name[:40] for name in header[:16]) or '(none)'}"


def _peek_parquet(path: SourceFile) -> _FileHead:
    with scan_parquet(path) as frame:
        header = tuple(
            name for name, kind in frame.collect_schema().items() if not kind.is_nested()
        )  # a list is no cell
        if "telemetry_name" not in header:
            return _FileHead(tuple(name.strip() for name in header), [])
        names = frame.select(pl.col("telemetry_name").cast(pl.String).unique()).collect()
    return _FileHead(header, names["telemetry_name"].drop_nulls().to_list(), is_empty=names.is_empty())


def _peek_text(path: SourceFile) -> _FileHead:
    table = open_published_text(path)
    places = table.places()

    def column(name: str) -> list[str]:
        return [row.cells[places[name]].strip() for row in table.head] if name in places else []

    is_empty = not table.head and table.is_empty
    return _FileHead(table.columns, sorted(set(column("telemetry_name"))), tuple(column("value")), is_empty)
