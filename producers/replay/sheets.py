"""Files of lap events, sector times, results and weather as events of their contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from conf.contract import load_contract
from conf.text_table import MalformedLine, SourceFile
from producers.replay.encode import Record
from producers.replay.formats import ReplayFileError, SheetFormat, SheetName
from producers.replay.lines import file_digest
from producers.replay.results import parse_results
from producers.replay.sessions import Stated
from producers.replay.tables import ParsedSheet, SheetEvent, SheetTable, Value, load_sheet
from producers.replay.timing import parse_laps, parse_sectors
from producers.replay.weather import parse_weather


@dataclass(frozen=True)
class SheetKind:
    """How sheets of one form become events.

    Attributes:
        event: Name of the contract, less ``event.``.
        parse: Makes events of the table.
        subject: Field that the key names behind the session, if any, and what stands before its value.
    """

    event: str
    parse: Callable[[SheetTable], ParsedSheet]
    subject: tuple[str, str] | None = None


KINDS: dict[SheetName, SheetKind] = {
    "lap_start": SheetKind("lap_start.v1", parse_laps, ("vehicle_id", "")),
    "lap_end": SheetKind("lap_end.v1", parse_laps, ("vehicle_id", "")),
    "lap_time": SheetKind("lap_time.v1", parse_laps, ("vehicle_id", "")),
    "sector_times": SheetKind("sector_times.v1", parse_sectors, ("vehicle_number", "number-")),
    "results": SheetKind("result.v1", parse_results),
    "results_by_class": SheetKind("result.v1", parse_results),
    "qualifying": SheetKind("result.v1", parse_results),
    "weather": SheetKind("weather.v1", parse_weather),
}


@dataclass(frozen=True)
class Sheet:
    """A file's events.

    Attributes:
        path: The file.
        form: What it was recognised as.
        identity: What its events are: the digest of the file's bytes, its form, and the variant of that if it has any.
            Two files may be the same byte for byte and yet say different things, such as provisional and official
            results that agree.
        events: In the order in which they are sent.
        malformed: Lines that could not be read, by number.
        notes: What a user should know of how it was read.
    """

    path: SourceFile
    form: SheetFormat
    identity: str
    events: tuple[SheetEvent, ...]
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...]

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The sessions that its events state, in their order."""
        return tuple(dict.fromkeys(stated for event in self.events if (stated := event.stated) is not None))

    @property
    def topic(self) -> str:
        """Where its events belong."""
        return _contract_property(self.form.name, "topic")

    @property
    def event_type(self) -> str:
        """Their ``ce_type``."""
        return _contract_property(self.form.name, "ce_type")


def read_sheet(path: SourceFile, form: SheetFormat) -> Sheet:
    """Read a sheet.

    Raises:
        ReplayFileError: If the file lacks a column, or has no line that can be read.
        TextTableError: If it is damaged.
    """
    table = load_sheet(path, form)
    parsed = KINDS[form.name].parse(table)
    malformed = sorted([*table.malformed, *parsed.malformed], key=lambda bad: bad.line)
    if not parsed.events:
        raise ReplayFileError(
            f"{path}: no events: all {len(malformed)} lines are malformed, line {malformed[0].line}: "
            f"{malformed[0].reason}"
        )
    identity = ":".join(filter(None, (file_digest(path), form.name, parsed.variant)))
    return Sheet(path, form, identity, parsed.events, tuple(malformed), parsed.notes)


def event_record(sheet: Sheet, event: SheetEvent, session: str) -> Record:
    """An event as ``(key, value, event id)``; fields without a value are left out."""
    values = {name: value for name, value in event.fields.items() if value is not None}
    payload = orjson.dumps({"session_id": session, **values})
    return _key(sheet.form.name, session, event.fields), payload, f"{sheet.identity}:{event.line}".encode()


def _key(name: SheetName, session: str, fields: dict[str, Value]) -> bytes:
    subject = KINDS[name].subject
    if subject is None:
        return session.encode()
    field, before = subject
    value = fields[field]
    return f"{session}|{before}{'' if value is None else value}".encode()


def _contract_property(name: SheetName, wanted: str) -> str:
    return load_contract(f"event.{KINDS[name].event}").properties[wanted]
