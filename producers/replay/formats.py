"""Detect the format of published files by their content, not by their names.

A file's first bytes say how it is packed (gzip, parquet, else text) and its columns say which form it is. A telemetry
file's channel names say which dialect of :mod:`conf.channel` it speaks. The one thing that content does not always say
is which of lap start, lap end and lap time a file of lap events holds, since all three have the same columns.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from conf.channel import load_channels
from conf.errors import InputError

Container = Literal["csv", "csv.gz", "parquet"]
SheetName = Literal["lap_start", "lap_end", "lap_time", "sector_times", "results", "results_by_class", "weather"]

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
PEEK_BYTES = 1 << 18
DIALECTS = ("grcup", "grcup-renamed")

SHORT_COLUMNS = ("lap", "meta_time", "telemetry_name", "telemetry_value", "timestamp", "vehicle_id", "vehicle_number")
LONG_COLUMNS = (*SHORT_COLUMNS, "meta_event", "meta_session", "meta_source", "original_vehicle_id", "outing")

# Published beside the telemetry. The first set of columns that a header holds names the sheet.
SHEETS: tuple[tuple[SheetName, frozenset[str]], ...] = (
    ("sector_times", frozenset({"DRIVER_NUMBER", "LAP_NUMBER", "LAP_TIME"})),
    ("weather", frozenset({"TIME_UTC_SECONDS", "AIR_TEMP"})),
    ("results", frozenset({"POSITION", "NUMBER", "STATUS"})),
    ("results_by_class", frozenset({"CLASS_TYPE", "POS", "NUMBER"})),
)
BEST_LAPS = frozenset({"NUMBER", "BESTLAP_1"})

# Lap events have no column of their own: a header with these and with nothing that only other files have.
LAP_MARKS = frozenset({"lap", "timestamp", "vehicle_id"})
LAP_COLUMNS = frozenset(LONG_COLUMNS) - {"telemetry_name", "telemetry_value"} | {"expire_at", "value"}
LAP_NAMES: dict[str, SheetName] = {"start": "lap_start", "end": "lap_end", "time": "lap_time"}


class ReplayFileError(InputError):
    """A file that cannot be replayed; the message names the file, what is wrong with it and the remedy."""


class UnknownFormatError(ReplayFileError):
    """A file whose content is none of the known forms, or that has none."""


class NotTelemetryError(ReplayFileError):
    """A published file without telemetry, read as telemetry."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(f"{path}: not telemetry but {name}")


class UnsupportedFileError(ReplayFileError):
    """A published file that replay knows but does not send.

    Attributes:
        reason: Why.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class TelemetryFormat:
    """What a telemetry file is.

    Attributes:
        name: ``long13`` (session, source and outing in each row), ``long13-renamed`` (the same with renamed
            channels) or ``long8`` (no session in the file).
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
        return "meta_session" in self.columns


@dataclass(frozen=True)
class SheetFormat:
    """What a file of lap events, sector times, results or weather is.

    Attributes:
        name: Which of them; lap events by their kind.
        container: How it is packed.
        delimiter: What stands between two fields.
    """

    name: SheetName
    container: Container
    delimiter: str


@dataclass(frozen=True)
class _FileHead:
    """The beginning of a file.

    Attributes:
        header: Its columns, spaces around them taken off.
        names: Channel names, for a telemetry file.
        delimiter: What stands between two columns.
        values: The column ``value``, for a file that has one.
    """

    header: list[str]
    names: list[str]
    delimiter: str = ","
    values: tuple[str, ...] = ()


def detect_format(path: Path) -> TelemetryFormat | SheetFormat:
    """Detect a published file's format by its content.

    Args:
        path: The file.

    Raises:
        LeftOutError: For a file that replay knows and does not send.
        UnknownFormError: For anything else, an empty file included; says which columns were found and which are
            expected.
        ReplayFileError: For a telemetry file that is damaged, lacks a column or names no known channel, and for lap
            events of which neither content nor name says the kind.
    """
    container = detect_container(path)
    peek = _peek_parquet(path) if container == "parquet" else _peek_text(path, container)
    if not {"telemetry_name", "telemetry_value"} & set(peek.header):
        return _detect_sheet_format(path, container, peek)
    columns = _columns(path, peek.header)
    if not peek.names:
        raise ReplayFileError(f"{path}: no readings: nothing that can be read follows the header")
    dialect = detect_dialect(path, peek.names)
    return TelemetryFormat(_name(columns, dialect), container, columns, dialect)


def lap_kind_from_name(name: str) -> SheetName | None:
    """Which lap events a file's name says it holds, such as ``R1_lap_end.csv`` or ``lap_start_time_R2.csv``."""
    found = re.search(r"lap[\s_-]*(start|end|time)", name, re.IGNORECASE)
    return LAP_NAMES[found[1].lower()] if found else None


def detect_container(path: Path) -> Container:
    """How a file is packed, from its first bytes.

    Raises:
        UnknownFormError: If it is empty.
        ReplayFileError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ReplayFileError(f"{path}: cannot be read: {error.strerror}") from error
    if not magic:
        raise UnknownFormatError(f"{path}: the file is empty")
    if magic == PARQUET_MAGIC:
        return "parquet"
    return "csv.gz" if magic.startswith(GZIP_MAGIC) else "csv"


def detect_dialect(path: Path, names: Iterable[str]) -> str:
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
    if columns == SHORT_COLUMNS:
        return "long8"
    return "long13-renamed" if dialect == DIALECTS[1] else "long13"


def _detect_sheet_format(path: Path, container: Container, peek: _FileHead) -> SheetFormat:
    found = set(peek.header) - {""}
    name: SheetName | None = next((name for name, marks in SHEETS if marks <= found), None)
    if name is None and LAP_MARKS <= found <= LAP_COLUMNS:
        name = _lap_kind(path, peek)
    if name is None and found >= BEST_LAPS:
        raise UnsupportedFileError(path, "best laps, which repeat what the sector file says")
    if name is None:
        raise UnknownFormatError(
            f"{path}: unknown file form, {_shown(peek.header)}; a telemetry file has {', '.join(sorted(SHORT_COLUMNS))}"
        )
    if container == "parquet":
        raise UnknownFormatError(f"{path}: {name} as parquet; replay reads such files as text")
    return SheetFormat(name, container, peek.delimiter)


def _lap_kind(path: Path, peek: _FileHead) -> SheetName:
    """Only lap times have whole numbers for values; for the rest the columns are the same and the name has to tell."""
    value = next((value for value in peek.values if value), "")
    name = "lap_time" if re.fullmatch(r"[0-9]+(\.0*)?", value) else lap_kind_from_name(path.name)
    if name is None:
        raise ReplayFileError(
            f"{path}: lap events of which neither content nor name says the kind; "
            f"have {', '.join(LAP_NAMES.values())} in the file's name"
        )
    return name


def _columns(path: Path, header: list[str]) -> tuple[str, ...]:
    found = set(header)
    wanted = LONG_COLUMNS if found & (set(LONG_COLUMNS) - set(SHORT_COLUMNS)) else SHORT_COLUMNS
    missing = sorted(set(wanted) - found)
    if missing:
        raise missing_columns_error(path, missing, found)
    return wanted


def missing_columns_error(path: Path, missing: Sequence[str], found: Iterable[str]) -> ReplayFileError:
    """The error for a file that lacks columns."""
    return ReplayFileError(
        f"{path}: missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
        f"found {', '.join(sorted(found))}"
    )


def _shown(header: list[str]) -> str:
    if not all(name.isprintable() for name in header):
        return "neither text nor parquet"
    return f"columns {', '.join(name[:40] for name in header[:16]) or '(none)'}"


def _peek_parquet(path: Path) -> _FileHead:
    try:
        columns = list(pl.read_parquet_schema(path))
        header = [name.strip() for name in columns]
        if "telemetry_name" not in columns:
            return _FileHead(header, [])
        names = pl.scan_parquet(path).select(pl.col("telemetry_name").cast(pl.String).unique()).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ReplayFileError(f"{path}: not a readable parquet file (cut short?): {error}") from error
    return _FileHead(header, names["telemetry_name"].drop_nulls().to_list())


def _peek_text(path: Path, container: Container) -> _FileHead:
    first, *lines = _head(path, container).removeprefix("\ufeff").splitlines() or [""]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    header = [name.strip() for name in first.split(delimiter)]
    rows = [row for row in (line.split(delimiter) for line in lines) if len(row) == len(header)]

    def column(name: str) -> list[str]:
        return [row[header.index(name)].strip(' "') for row in rows] if name in header else []

    names = set(column("telemetry_name")) if delimiter == "," else set()
    return _FileHead(header, sorted(names), delimiter, tuple(column("value")))


def _head(path: Path, container: Container) -> str:
    try:
        with path.open("rb") if container == "csv" else gzip.open(path, "rb") as file:
            head: bytes = file.read(PEEK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ReplayFileError(
            f"{path}: the gzip data are cut short or damaged ({error}); get the file again"
        ) from error
    if len(head) == PEEK_BYTES:
        head = head[: head.rfind(b"\n") + 1] or head
    return head.decode("utf-8", errors="replace")
