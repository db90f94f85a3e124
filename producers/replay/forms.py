"""The published telemetry files, recognised by what they hold and not by what they are called.

A file's first bytes say how it is packed (gzip, parquet, else text), its columns say which form it is, and its channel
names say which dialect of :mod:`conf.channel` it speaks.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from conf.channel import load_channels

Container = Literal["csv", "csv.gz", "parquet"]

GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
PEEK_BYTES = 1 << 18
DIALECTS = ("grcup", "grcup-renamed")

SHORT_COLUMNS = ("lap", "meta_time", "telemetry_name", "telemetry_value", "timestamp", "vehicle_id", "vehicle_number")
LONG_COLUMNS = (*SHORT_COLUMNS, "meta_event", "meta_session", "meta_source", "original_vehicle_id", "outing")

# Published beside the telemetry: known, and not readings. The first set of columns that a header holds names the kind.
OTHER_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("sector times", frozenset({"DRIVER_NUMBER", "LAP_NUMBER", "LAP_TIME"})),
    ("weather", frozenset({"TIME_UTC_SECONDS", "AIR_TEMP"})),
    ("results", frozenset({"POSITION", "NUMBER", "STATUS"})),
    ("results by class", frozenset({"CLASS_TYPE", "POS", "NUMBER"})),
    ("best laps", frozenset({"NUMBER", "BESTLAP_1"})),
    ("timing", frozenset({"lap", "meta_time", "timestamp", "vehicle_id", "outing"})),
)


class ReplayFileError(ValueError):
    """A file that cannot be replayed; the message names the file, what is wrong with it and the remedy."""


class UnknownFormError(ReplayFileError):
    """A file whose content is none of the known forms, or that has none."""


class NotTelemetryError(ReplayFileError):
    """A published file that holds no telemetry (timing, results, weather).

    Attributes:
        kind: What it holds instead.
    """

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(f"{path}: not telemetry but {kind}; replay sends telemetry files")
        self.kind = kind


@dataclass(frozen=True)
class FileForm:
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


def recognise(path: Path) -> FileForm:
    """Recognise a telemetry file by its content.

    Args:
        path: The file.

    Raises:
        NotTelemetryError: For a timing, results or weather file.
        UnknownFormError: For anything else, an empty file included; says which columns were found and which are
            expected.
        ReplayFileError: For a telemetry file that is damaged, lacks a column or names no known channel.
    """
    container = container_of(path)
    header, names = _peek_parquet(path) if container == "parquet" else _peek_text(path, container)
    columns = _columns(path, header)
    if not names:
        raise ReplayFileError(f"{path}: no readings: nothing that can be read follows the header")
    dialect = dialect_of(path, names)
    return FileForm(_name(columns, dialect), container, columns, dialect)


def container_of(path: Path) -> Container:
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
        raise UnknownFormError(f"{path}: the file is empty")
    if magic == PARQUET_MAGIC:
        return "parquet"
    return "csv.gz" if magic.startswith(GZIP_MAGIC) else "csv"


def dialect_of(path: Path, names: Iterable[str]) -> str:
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


def with_dialect(form: FileForm, dialect: str) -> FileForm:
    """The form with the dialect that the whole file, and not only its beginning, was found to speak."""
    return FileForm(_name(form.columns, dialect), form.container, form.columns, dialect)


def _name(columns: tuple[str, ...], dialect: str) -> str:
    if columns == SHORT_COLUMNS:
        return "long8"
    return "long13-renamed" if dialect == DIALECTS[1] else "long13"


def _columns(path: Path, header: list[str]) -> tuple[str, ...]:
    found = {name.strip() for name in header}
    if not found & {"telemetry_name", "telemetry_value"}:
        for kind, marks in OTHER_KINDS:
            if marks <= found:
                raise NotTelemetryError(path, kind)
        raise UnknownFormError(
            f"{path}: unknown file form, {_shown(header)}; a telemetry file has {', '.join(sorted(SHORT_COLUMNS))}"
        )
    wanted = LONG_COLUMNS if found & (set(LONG_COLUMNS) - set(SHORT_COLUMNS)) else SHORT_COLUMNS
    missing = sorted(set(wanted) - found)
    if missing:
        raise ReplayFileError(
            f"{path}: missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"found {', '.join(sorted(found))}"
        )
    return wanted


def _shown(header: list[str]) -> str:
    if not all(name.isprintable() for name in header):
        return "neither text nor parquet"
    return f"columns {', '.join(name[:40] for name in header[:16]) or '(none)'}"


def _peek_parquet(path: Path) -> tuple[list[str], list[str]]:
    try:
        header = list(pl.read_parquet_schema(path))
        if "telemetry_name" not in header:
            return header, []
        names = pl.scan_parquet(path).select(pl.col("telemetry_name").cast(pl.String).unique()).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ReplayFileError(f"{path}: not a readable parquet file (cut short?): {error}") from error
    return header, names["telemetry_name"].drop_nulls().to_list()


def _peek_text(path: Path, container: Container) -> tuple[list[str], list[str]]:
    lines = _head(path, container).splitlines()
    header = [name.strip() for name in lines[0].lstrip("\ufeff").replace(";", ",").split(",")] if lines else []
    if "telemetry_name" not in header:
        return header, []
    at = header.index("telemetry_name")
    rows = (line.split(",") for line in lines[1:])
    return header, sorted({row[at].strip('"') for row in rows if len(row) == len(header)})


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
