"""Reads a published telemetry file whole: typed, in arrival order, malformed lines counted and set aside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from conf.text_table import MalformedLine, SourceFile, TextTable
from producers.replay.casting import cast_readings, clean_text
from producers.replay.formats import (
    SESSION_COLUMNS,
    NotTelemetryError,
    ReplayFileError,
    SheetFormat,
    TelemetryFormat,
    detect_dialect,
    detect_format,
    open_published_text,
    with_dialect,
)
from producers.replay.frames import read_parquet_parts, read_text_parts
from producers.replay.lines import MalformedLines, NullCells, file_digest
from producers.replay.sessions import Placement, assign_ids
from producers.replay.stopped_clock import number_standing_clock

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
        notes: What a user should know of how it was read.
    """

    path: SourceFile
    digest: str
    form: TelemetryFormat
    frame: pl.DataFrame
    sessions: tuple[str, ...]
    malformed_count: int
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LoadedReadings:
    """A file's readings in the order of the file, without session.

    Attributes:
        form: What it was recognised as.
        frame: One row a reading, as in :class:`Readings` but for ``session_id`` and ``ecu_seq``.
        malformed: Lines that could not be read.
        notes: What a user should know of how it was read.
    """

    form: TelemetryFormat
    frame: pl.DataFrame
    malformed: MalformedLines
    notes: tuple[str, ...]


def load_readings(path: SourceFile) -> LoadedReadings:
    """Read and parse a telemetry file.

    A field that is empty stays null and is left to the gate downstream. One that holds what cannot be parsed makes its
    line malformed where a reading needs it, and is null with a note where not.

    Raises:
        ReplayFileError: If the file is of no known form or holds no readings.
        TextTableError: If it is damaged.
    """
    form = detect_format(path)
    if isinstance(form, SheetFormat):
        raise NotTelemetryError(path, form.name)
    malformed, nulls, frames = MalformedLines(), NullCells(), []
    parts, table = _read_parts(path, form, form.columns, malformed)
    for text in parts:
        typed, unparsed = cast_readings(text, nulls)
        malformed.extend(unparsed)
        frames.append(typed)
    readings = pl.concat(frames) if frames else pl.DataFrame()
    if readings.is_empty():
        raise ReplayFileError(f"{path}: no readings: {malformed.summary()}")
    form = with_dialect(form, detect_dialect(path, readings["telemetry_name"].drop_nulls().unique()))
    notes = (*(table.notes if table is not None else ()), *nulls.notes())
    return LoadedReadings(form, readings, malformed, notes)


def read_telemetry(path: SourceFile, placement: Placement = AS_STATED) -> Readings:
    """Read a telemetry file for sending, see :func:`load_readings`.

    Args:
        path: A file of one of the known forms.
        placement: The ids to send it under.

    Raises:
        ReplayFileError: If the file is of no known form or holds no readings.
        TextTableError: If it is damaged.
        SessionError: If neither the file nor the placement names a session.
    """
    loaded = load_readings(path)
    placed, silent = assign_ids(path, loaded.frame, placement)
    loaded.malformed.extend(MalformedLine(line, "no meta_event or meta_session") for line in silent)
    frame = number_standing_clock(_arrival_order(placed))
    return Readings(
        path=path,
        digest=file_digest(path),
        form=loaded.form,
        frame=frame,
        sessions=tuple(frame["session_id"].unique(maintain_order=True)),
        malformed_count=loaded.malformed.count,
        malformed=loaded.malformed.first,
        notes=loaded.notes,
    )


def read_stated_sessions(path: SourceFile, form: TelemetryFormat) -> set[tuple[str, str]]:
    """The pairs of ``meta_event`` and ``meta_session`` that a telemetry file's rows name.

    Raises:
        TextTableError: If the file is damaged.
    """
    if not form.has_session:
        return set()
    parts, _ = _read_parts(path, form, SESSION_COLUMNS, MalformedLines())
    named = (pl.DataFrame([clean_text(text[name]) for name in SESSION_COLUMNS]).unique().drop_nulls() for text in parts)
    return {(event, session) for each in named for event, session in each.iter_rows()}


def _arrival_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by arrival; a reading without an arrival time stays behind the one before it in the file."""
    return (
        frame.with_columns(_arrival=pl.col("meta_time_us").forward_fill())
        .sort("_arrival", maintain_order=True)
        .drop("_arrival")
    )


def _read_parts(
    path: SourceFile, form: TelemetryFormat, columns: Sequence[str], malformed: MalformedLines
) -> tuple[Iterator[pl.DataFrame], TextTable | None]:
    """The file's columns as they stand, some rows at a time; and the table, for a file of text."""
    if form.container == "parquet":
        return read_parquet_parts(path, columns), None
    table = open_published_text(path)
    return read_text_parts(table, columns, malformed), table
