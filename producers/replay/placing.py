"""Gives the files of a replay the ids of sessions and vehicles that they are sent under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from conf.text_table import MalformedLine, SourceFile
from producers.replay.encode import Record
from producers.replay.folder_sessions import FolderSessions
from producers.replay.naming import Naming, SentIds
from producers.replay.sessions import Placement, Stated, choose_session, find_race_names, stated_id
from producers.replay.sheets import Sheet, event_record
from producers.replay.survey import TelemetrySurvey
from producers.replay.tables import SheetEvent


@dataclass(frozen=True)
class PlacedSheet:
    """A sheet whose events have a session.

    Attributes:
        sheet: The sheet.
        sessions: Its sessions, in the order in which they are sent.
        records: Its events as ``(key, value, event id)``.
        malformed: Lines that could not be read or have no session.
        notes: What a user should know of it.
    """

    sheet: Sheet
    sessions: tuple[str, ...]
    records: tuple[Record, ...]
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PlacedTelemetry:
    """A telemetry file whose readings have a session.

    Attributes:
        survey: What it says.
        placement: The ids that its readings are sent under.
        sessions: Its sessions.
        silent: Readings that have no session: they are left out.
    """

    survey: TelemetrySurvey
    placement: Placement
    sessions: tuple[str, ...]
    silent: int
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> SourceFile:
        """The file."""
        return self.survey.path

    @property
    def readings(self) -> int:
        """Readings that are sent."""
        return self.survey.readings - self.silent


class Placer:
    """Gives the files of a run their ids.

    Args:
        naming: What the user says of names.
        renames: New ids of sessions by those that the files state.
        folders: What the files beside one state.
    """

    def __init__(self, naming: Naming, renames: Mapping[str, str], folders: FolderSessions) -> None:
        self._session = naming.session
        self._renamed = next((old for old, new in renames.items() if new == naming.session), None)
        self._folders = folders
        self.sessions = SentIds("session", renames, accept_offers=naming.accept_offers)
        self.vehicles = SentIds("vehicle", {}, accept_offers=naming.accept_offers)

    def place_sheet(self, sheet: Sheet) -> PlacedSheet:
        """Give each event of a sheet its session.

        Raises:
            SessionError: If none can be found.
        """
        said, stated = [event.stated for event in sheet.events], sheet.stated
        default = self._default(sheet.path, stated, said.count(None))
        ids = [default if each is None else self._sent(stated_id(each), 1) for each in said]
        placed = [
            (self._rename_vehicle(event), where)
            for event, where in zip(sheet.events, ids, strict=True)
            if where is not None
        ]
        silent = [
            MalformedLine(event.line, "no meta_event or meta_session")
            for event, where in zip(sheet.events, ids, strict=True)
            if where is None
        ]
        return PlacedSheet(
            sheet=sheet,
            sessions=tuple(dict.fromkeys(where for _, where in placed)),
            records=tuple(event_record(sheet, event, where) for event, where in placed),
            malformed=tuple(sorted([*sheet.malformed, *silent], key=lambda bad: bad.line)),
            notes=(
                *sheet.notes,
                *_race_mismatch_note(sheet.path.name, stated),
                *(_lent_note(said.count(None), default) if stated else ()),
            ),
        )

    def place_telemetry(self, survey: TelemetrySurvey) -> PlacedTelemetry:
        """Give the readings of a telemetry file their sessions.

        Raises:
            SessionError: If none can be found.
        """
        silent = survey.sessions.get(None, 0)
        default = self._default(survey.path, survey.stated, silent)
        for vehicle, count in survey.vehicles.items():
            self.vehicles.count(vehicle, count)
        ids = {said: self._sent(said, survey.sessions[each]) for each in survey.stated for said in [stated_id(each)]}
        sessions = dict.fromkeys([*ids.values(), *([default] if silent and default is not None else [])])
        return PlacedTelemetry(
            survey=survey,
            placement=Placement(default, ids, self.vehicles.mapping(survey.vehicles)),
            sessions=tuple(sessions),
            silent=silent if default is None else 0,
            notes=(
                *survey.notes,
                *_race_mismatch_note(survey.path.name, survey.stated),
                *(_lent_note(silent, default) if survey.stated else ()),
            ),
        )

    def _default(self, path: SourceFile, stated: Sequence[Stated], silent: int) -> str | None:
        """The session of the messages that do not say theirs; None in a file that states several."""
        if len(stated) > 1:
            return None
        said = stated_id(stated[0]) if stated else None
        if said is None:
            said = choose_session(path, self._folders.stated, self._session, self._renamed)
        if not stated and said == self._session:
            return said
        return self._sent(said, silent)

    def _sent(self, said: str, messages: int) -> str:
        self.sessions.count(said, messages)
        return self.sessions[said]

    def _rename_vehicle(self, event: SheetEvent) -> SheetEvent:
        said = event.fields.get("vehicle_id")
        if not isinstance(said, str):
            return event
        self.vehicles.count(said, 1)
        if self.vehicles[said] == said:
            return event
        original = event.fields.get("original_vehicle_id") or said
        return replace(
            event, fields={**event.fields, "vehicle_id": self.vehicles[said], "original_vehicle_id": original}
        )


def _lent_note(silent: int, session: str | None) -> list[str]:
    """A note on lines that do not state their session in a file whose others do."""
    return [f"{silent:,} lines without session, sent as {session} like the others"] if silent and session else []


def _race_mismatch_note(name: str, stated: Sequence[Stated]) -> list[str]:
    """A note where a file's name speaks of another race than its lines, which count."""
    named, said = find_race_names(name), find_race_names(" ".join(session for _, session in stated))
    if not named or not said or set(named) & set(said):
        return []
    return [f"named {', '.join(named)}, but its lines say {', '.join(map(stated_id, stated))}"]
