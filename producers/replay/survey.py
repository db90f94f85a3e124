"""What a telemetry file says, without sending it: sessions, vehicles, how many readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from conf.text_table import MalformedLine, SourceFile
from producers.replay.formats import TelemetryFormat
from producers.replay.reader import load_readings
from producers.replay.sessions import Stated


@dataclass(frozen=True)
class TelemetrySurvey:
    """A telemetry file, looked at whole.

    Attributes:
        path: The file.
        form: What it was recognised as.
        sessions: Readings by what they state of their session; None for those that state nothing.
        vehicles: Readings by vehicle id.
        malformed_count: Lines that could not be read.
        malformed: The first of them.
        notes: What a user should know of how it was read.
    """

    path: SourceFile
    form: TelemetryFormat
    sessions: Mapping[Stated | None, int]
    vehicles: Mapping[str, int]
    malformed_count: int
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...]

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The sessions that its readings state, in the order of the file."""
        return tuple(each for each in self.sessions if each is not None)

    @property
    def readings(self) -> int:
        """How many readings it has."""
        return sum(self.sessions.values())


def survey_telemetry(path: SourceFile) -> TelemetrySurvey:
    """Look at a telemetry file.

    Raises:
        ReplayFileError: If it is of no known form, or holds no readings.
        TextTableError: If it is damaged.
    """
    loaded = load_readings(path)
    frame = loaded.frame
    said = frame.group_by("meta_event", "meta_session", maintain_order=True).len().iter_rows()
    sessions: dict[Stated | None, int] = {}
    for event, session, count in said:
        stated = (event, session) if event is not None and session is not None else None
        sessions[stated] = sessions.get(stated, 0) + count
    vehicles = frame.filter(pl.col("vehicle_id").is_not_null()).group_by("vehicle_id").len()
    return TelemetrySurvey(
        path=path,
        form=loaded.form,
        sessions=sessions,
        vehicles=dict(vehicles.iter_rows()),
        malformed_count=loaded.malformed.count,
        malformed=loaded.malformed.first,
        notes=loaded.notes,
    )
