"""Reads a published telemetry file whole: typed, in arrival order, malformed lines counted and set aside."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from producers.replay.formats import (
    LONG_COLUMNS,
    NotTelemetryError,
    ReplayFileError,
    SheetFormat,
    TelemetryFormat,
    detect_dialect,
    detect_format,
    with_dialect,
)
from producers.replay.lines import EXAMPLES, MalformedLine, file_digest, line_fault, read_contents
from producers.replay.sessions import Placement, assign_ids
from producers.replay.stopped_clock import number_standing_clock

INTEGERS = ("lap", "outing", "vehicle_number")
TIMES = ("meta_time", "timestamp")
AS_STATED = Placement()


@dataclass(frozen=True)
class Readings:
    """A file's readings in arrival order.

    Attributes:
        path: The file.
        digest: First twelve hexadecimal digits of the SHA-256 of its bytes.
        form: What it was recognised as.
        frame: One row a reading: ``line``, ``session_id``, the columns of ``LONG_COLUMNS`` (null where the form lacks
            them) with ``meta_time_us`` and ``timestamp_us`` (Int64, microseconds since the epoch) in place of the
            times, and ``ecu_seq``.
        sessions: Its sessions in order of first arrival.
        malformed_count: Lines that could not be read.
        malformed: The first of them.
    """

    path: Path
    digest: str
    form: TelemetryFormat
    frame: pl.DataFrame
    sessions: tuple[str, ...]
    malformed_count: int
    malformed: tuple[MalformedLine, ...]


@dataclass(frozen=True)
class LoadedReadings:
    """A file's readings in the order of the file, without session.

    Attributes:
        form: What it was recognised as.
        frame: One row a reading, as in :class:`Readings` but for ``session_id`` and ``ecu_seq``.
        malformed: Lines that could not be read, by number.
    """

    form: TelemetryFormat
    frame: pl.DataFrame
    malformed: list[MalformedLine]


def load_readings(path: Path) -> LoadedReadings:
    """Read and parse a telemetry file.

    A field that is empty stays null and is left to the gate downstream; one that holds what cannot be parsed makes
    its line malformed.

    Raises:
        ReplayFileError: If the file is of no known form, is damaged, or holds no readings.
    """
    form = detect_format(path)
    if isinstance(form, SheetFormat):
        raise NotTelemetryError(path, form.name)
    text, malformed = _load(path, form)
    typed, unparsed = _cast_columns(text)
    if typed.is_empty():
        raise ReplayFileError(f"{path}: no readings: all {len(malformed) + len(unparsed)} lines are malformed")
    form = with_dialect(form, detect_dialect(path, typed["telemetry_name"].drop_nulls().unique()))
    return LoadedReadings(form, typed, sorted([*malformed, *unparsed], key=lambda bad: bad.line))


def read_telemetry(path: Path, placement: Placement = AS_STATED) -> Readings:
    """Read a telemetry file for sending, see :func:`load_readings`.

    Args:
        path: A file of one of the known forms.
        placement: The ids to send it under.

    Raises:
        ReplayFileError: If the file is of no known form, is damaged, or holds no readings.
        SessionError: If neither the file nor the placement names a session.
    """
    loaded = load_readings(path)
    placed, silent = assign_ids(path, loaded.frame, placement)
    unplaced = [MalformedLine(line, "no meta_event or meta_session") for line in silent]
    frame = number_standing_clock(_arrival_order(placed))
    malformed = sorted([*loaded.malformed, *unplaced], key=lambda bad: bad.line)
    return Readings(
        path=path,
        digest=file_digest(path),
        form=loaded.form,
        frame=frame,
        sessions=tuple(frame["session_id"].unique(maintain_order=True)),
        malformed_count=len(malformed),
        malformed=tuple(malformed[:EXAMPLES]),
    )


def read_stated_sessions(path: Path, form: TelemetryFormat) -> set[tuple[str, str]]:
    """The pairs of ``meta_event`` and ``meta_session`` that a telemetry file's rows name.

    Raises:
        ReplayFileError: If the file is damaged.
    """
    if not form.has_session:
        return set()
    text, _ = _load(path, form)
    named = text.select(pl.col("meta_event", "meta_session").cast(pl.String)).drop_nulls().unique()
    return {(event, session) for event, session in named.iter_rows()}


def _arrival_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by arrival; a reading without an arrival time stays behind the one before it in the file."""
    return (
        frame.with_columns(_arrival=pl.col("meta_time_us").forward_fill())
        .sort("_arrival", maintain_order=True)
        .drop("_arrival")
    )


def _load(path: Path, form: TelemetryFormat) -> tuple[pl.DataFrame, list[MalformedLine]]:
    """The file's columns as they stand, with the line each row came from."""
    if form.container == "parquet":
        try:
            return pl.read_parquet(path, columns=list(form.columns)).with_row_index("line", offset=2), []
        except (pl.exceptions.PolarsError, OSError) as error:
            raise ReplayFileError(f"{path}: not a readable parquet file (cut short?): {error}") from error
    data = read_contents(path, form.container)
    frame = _parse_whole(data)
    if frame is not None:
        return frame.select("line", *form.columns), []
    frame, malformed = _parse_by_line(data)
    return frame.select("line", *form.columns), malformed


def _parse_csv(data: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(data), infer_schema=False).rename(lambda name: name.strip())


def _parse_whole(data: bytes) -> pl.DataFrame | None:
    """Parse at once; None where a line is ragged, blank or undecodable and each has to be looked at.

    A line with too few fields shows as a null in the last column, since missing fields are filled from the right.
    """
    try:
        frame = _parse_csv(data)
    except pl.exceptions.PolarsError:
        return None
    if frame.to_series(frame.width - 1).has_nulls():
        return None
    return frame.with_row_index("line", offset=2)


def _parse_by_line(data: bytes) -> tuple[pl.DataFrame, list[MalformedLine]]:
    header, *lines = data.split(b"\n")
    width = header.count(b",") + 1
    if lines and not lines[-1]:
        lines.pop()
    reasons = [line_fault(line, width) for line in lines]
    good = [number for number, reason in enumerate(reasons, start=2) if reason is None]
    malformed = [MalformedLine(number, reason) for number, reason in enumerate(reasons, start=2) if reason is not None]
    frame = _parse_csv(b"\n".join([header, *(lines[number - 2] for number in good)]))
    return frame.with_columns(line=pl.Series(good, dtype=pl.UInt32)), malformed


def _cast_columns(text: pl.DataFrame) -> tuple[pl.DataFrame, list[MalformedLine]]:
    """Give each column its type; rows with a field that cannot be parsed are set aside."""
    have = set(text.columns)
    columns = {name: _cast_column(name, text.schema[name]) for name in LONG_COLUMNS if name in have}
    typed = text.select("line", **columns)
    faults = pl.concat_list(
        pl.when(pl.col(name).is_not_null() & typed[name].is_null()).then(_malformed_reason(name)) for name in columns
    ).list.drop_nulls()
    bad = text.select("line", reason=faults.list.join("; ")).filter(pl.col("reason") != "")
    malformed = [MalformedLine(line, reason) for line, reason in bad.iter_rows()]
    if malformed:
        typed = typed.join(bad, on="line", how="anti", maintain_order="left")
    absent = [pl.lit(None, dtype=_dtype(name)).alias(name) for name in LONG_COLUMNS if name not in have]
    return typed.with_columns(absent).rename({name: f"{name}_us" for name in TIMES}), malformed


def _malformed_reason(name: str) -> pl.Expr:
    kind = "an integer" if name in INTEGERS else "a time" if name in TIMES else "a number"
    return pl.format(f"{name} '{{}}' is not {kind}", pl.col(name).cast(pl.String))


def _dtype(name: str) -> type[pl.DataType]:
    if name in INTEGERS:
        return pl.Int32
    if name in TIMES:
        return pl.Int64
    return pl.Float64 if name == "telemetry_value" else pl.String


def _cast_column(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if name in INTEGERS:
        whole = column.cast(pl.Float64, strict=False)
        return pl.when(whole == whole.floor()).then(whole).cast(pl.Int32, strict=False)
    if name not in TIMES:
        return column.cast(_dtype(name), strict=False)
    if isinstance(dtype, pl.Datetime):
        return column.dt.epoch("us")
    column = column.cast(pl.String)
    zoned = column.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    plain = (column + "Z").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)  # no zone: UTC
    return pl.coalesce(zoned, plain).dt.epoch("us")
