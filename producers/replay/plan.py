"""The plan of a replay: each file once, looked at whole and assigned to its session before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from conf.errors import InputError
from conf.identifiers import IdentifierError
from conf.text_table import MalformedLine, SourceFile, source_size
from producers.replay.encode import Record
from producers.replay.files import Found, Skipped
from producers.replay.folder_sessions import FolderSessions, parse_stated_session
from producers.replay.formats import SheetFormat, TelemetryFormat
from producers.replay.lines import file_digest
from producers.replay.naming import Naming, SentIds, find_renamed_session, find_unsendable_ids
from producers.replay.sessions import (
    Placement,
    SessionError,
    Stated,
    choose_session,
    find_race_names,
    stated_id,
    unused_session_error,
)
from producers.replay.sheets import Sheet, event_record, read_sheet
from producers.replay.survey import TelemetrySurvey, survey_telemetry
from producers.replay.tables import SheetEvent

AS_FOUND: Final = Naming()
Item = TypeVar("Item")
Result = TypeVar("Result")


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


class ReplayRefusedError(InputError):
    """Several things keep a replay from being sent; each names its file and remedy."""


@dataclass(frozen=True)
class ReplayPlan:
    """What is sent.

    Attributes:
        telemetry: Telemetry files.
        sheets: The other files.
        copies: Files left out since they say what another one says, byte for byte.
        notes: What a user should know of the whole.
        problems: All that keeps it from being sent.
    """

    telemetry: tuple[PlacedTelemetry, ...]
    sheets: tuple[PlacedSheet, ...]
    copies: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[InputError, ...] = ()

    @property
    def readings(self) -> int:
        """Readings of telemetry."""
        return sum(each.readings for each in self.telemetry)

    @property
    def events(self) -> int:
        """Events of the other files."""
        return sum(len(each.records) for each in self.sheets)

    @property
    def left_out(self) -> int:
        """Lines left out."""
        telemetry = sum(each.survey.malformed_count + each.silent for each in self.telemetry)
        return telemetry + sum(len(each.malformed) for each in self.sheets)

    def check(self) -> None:
        """Check that it can be sent.

        Raises:
            ReplayFileError, SessionError: If one thing keeps it from that.
            ReplayRefusedError: If several do.
        """
        if len(self.problems) == 1:
            raise self.problems[0]
        if self.problems:
            raise ReplayRefusedError("\n".join([f"{len(self.problems)} problems:", *map(str, self.problems)]))


def make_replay_plan(
    found: Sequence[Found], naming: Naming = AS_FOUND, problems: Sequence[InputError] = ()
) -> ReplayPlan:
    """Look at all files whole, find their sessions and ids, and drop copies.

    Args:
        found: Files with their forms, see :func:`producers.replay.files.find_files`.
        naming: What the user says of names.
        problems: What is wrong with other files.

    Returns:
        The plan; what keeps it from being sent is in its ``problems``: a file that cannot be read or whose session
        cannot be found, a session of the user's that is none of the files' or would mix races, an id that the
        contracts refuse.
    """
    wrong = list(problems)
    sheets = _each(_read, [(path, form) for path, form in found if isinstance(form, SheetFormat)], wrong)
    files, copied = _without_copied_files([path for path, form in found if isinstance(form, TelemetryFormat)])
    surveys = _each(survey_telemetry, files, wrong)
    stated = dict.fromkeys(
        each for said in (*map(_stated_by_events, sheets), *(survey.stated for survey in surveys)) for each in said
    )
    folders = FolderSessions({survey.path: set(survey.stated) for survey in surveys})
    (renames,) = _each(partial(_find_renames, naming), [list(stated)], wrong) or [{}]
    placer = _Placer(naming, renames, folders)
    placed = _each(placer.place_sheet, sheets, wrong)
    telemetry = _each(placer.place_telemetry, surveys, wrong)
    if not wrong:
        _each(lambda session: _check_use(session, placed, telemetry), naming.plain, wrong)
    wrong += [IdentifierError(text) for text in find_unsendable_ids(placer.sessions, placer.vehicles)]
    kept, copies = _without_copies(placed)
    notes = (*placer.sessions.notes, *placer.vehicles.notes)
    return ReplayPlan(tuple(telemetry), kept, (*copied, *copies), notes, tuple(wrong))


def _each(function: Callable[[Item], Result], items: Iterable[Item], problems: list[InputError]) -> list[Result]:
    """What a function makes of each item; where it refuses one, the error is added to the problems."""
    made = []
    for item in items:
        try:
            made.append(function(item))
        except InputError as error:
            problems.append(error)
    return made


def _read(file: tuple[SourceFile, SheetFormat]) -> Sheet:
    return read_sheet(*file)


def _stated_by_events(sheet: Sheet) -> list[Stated]:
    return [stated for event in sheet.events if (stated := parse_stated_session(event)) is not None]


def _find_renames(naming: Naming, stated: Collection[Stated]) -> dict[str, str]:
    """New ids of sessions by those that the files state.

    Raises:
        SessionError: If the user renames one that no file states, or it cannot be told which a plain id renames.
    """
    ids = [stated_id(each) for each in stated]
    unknown = sorted(naming.sessions.keys() - set(ids))
    if unknown:
        raise SessionError(
            f"--session '{unknown[0]}={naming.sessions[unknown[0]]}': no file says {unknown[0]}; they say "
            f"{', '.join(ids) or 'nothing of their sessions'}"
        )
    left = [each for each in stated if stated_id(each) not in naming.sessions]
    found = {session: find_renamed_session(session, left) for session in naming.plain}
    return {**naming.sessions, **{old: session for session, old in found.items() if old is not None}}


class _Placer:
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
        said = [parse_stated_session(event) for event in sheet.events]
        stated = list(dict.fromkeys(each for each in said if each is not None))
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


def _check_use(session: str, sheets: Sequence[PlacedSheet], telemetry: Sequence[PlacedTelemetry]) -> None:
    """Check that a session the user names is that of a file, and not that of several races.

    Raises:
        SessionError: If it is not.
    """
    placed = [*(each.sessions for each in sheets), *(each.sessions for each in telemetry)]
    sent = dict.fromkeys(each for sessions in placed for each in sessions)
    if sent and session not in sent:
        raise unused_session_error(session, sent)
    silent = [each.sheet.path for each in sheets if session in each.sessions and not _stated_by_events(each.sheet)]
    silent += [each.path for each in telemetry if session in each.sessions and not each.survey.stated]
    by_race = {race: path for path in silent for race in find_race_names(path.name)}
    if len(by_race) > 1:
        raise SessionError(
            f"--session {session} would put several races into one session "
            f"({', '.join(f'{race}: {path}' for race, path in by_race.items())}); replay one race at a time"
        )


def _without_copies(sheets: Sequence[PlacedSheet]) -> tuple[tuple[PlacedSheet, ...], list[Skipped]]:
    first: dict[tuple[str, tuple[str, ...]], PlacedSheet] = {}
    copies = []
    for each in sheets:
        original = first.setdefault((each.sheet.identity, each.sessions), each)
        if original is not each:
            copies.append((each.sheet.path, "; ".join([_copy_of(original.sheet.path, each.sheet.path), *each.notes])))
    return tuple(first.values()), copies


def _without_copied_files(telemetry: Sequence[SourceFile]) -> tuple[list[SourceFile], list[Skipped]]:
    """As :func:`_without_copies`; only files of equal size are read for it."""
    sizes = [source_size(path) for path in telemetry]
    first: dict[str, SourceFile] = {}
    kept, copies = [], []
    for path, size in zip(telemetry, sizes, strict=True):
        original = first.setdefault(file_digest(path) if sizes.count(size) > 1 else str(path), path)
        if original == path:
            kept.append(path)
        else:
            copies.append((path, _copy_of(original, path)))
    return kept, copies


def _copy_of(original: SourceFile, copy: SourceFile) -> str:
    return f"is a copy of {original.name if original.parent == copy.parent else original}"
