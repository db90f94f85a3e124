"""The plan of a replay: each file once, looked at whole and assigned to its session before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from conf.errors import InputError
from conf.identifiers import IdentifierError
from conf.text_table import SourceFile, source_size
from producers.replay.files import Found, Skipped
from producers.replay.folder_sessions import FolderSessions
from producers.replay.formats import SheetFormat, TelemetryFormat
from producers.replay.lines import file_digest
from producers.replay.naming import Naming, find_renamed_session, find_unsendable_ids
from producers.replay.placing import PlacedSheet, PlacedTelemetry, Placer
from producers.replay.sessions import SessionError, Stated, find_race_names, stated_id, unused_session_error
from producers.replay.sheets import Sheet, read_sheet
from producers.replay.survey import TelemetrySurvey, survey_telemetry

AS_FOUND: Final = Naming()
Item = TypeVar("Item")
Result = TypeVar("Result")


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
    known: list[Sheet | TelemetrySurvey] = [*sheets, *surveys]
    stated = dict.fromkeys(each for file in known for each in file.stated)
    (renames,) = _each(partial(_find_renames, naming), [stated], wrong) or [{}]
    placer = Placer(naming, renames, FolderSessions(known))
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


def _check_use(session: str, sheets: Sequence[PlacedSheet], telemetry: Sequence[PlacedTelemetry]) -> None:
    """Check that a session the user names is that of a file, and not that of several races.

    Raises:
        SessionError: If it is not.
    """
    placed = [*(each.sessions for each in sheets), *(each.sessions for each in telemetry)]
    sent = dict.fromkeys(each for sessions in placed for each in sessions)
    if sent and session not in sent:
        raise unused_session_error(session, sent)
    silent = [each.sheet.path for each in sheets if session in each.sessions and not each.sheet.stated]
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
