"""The plan of a replay: each file once, every sheet read and assigned to its session before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from producers.replay.encode import Record
from producers.replay.files import Found, Skipped
from producers.replay.folder_sessions import FolderSessions, parse_stated_session
from producers.replay.formats import SheetFormat, TelemetryFormat
from producers.replay.lines import MalformedLine, file_digest
from producers.replay.sessions import (
    SessionError,
    Stated,
    choose_session,
    find_race_names,
    is_same_event,
    session_contradiction_error,
)
from producers.replay.sheets import Sheet, event_record, read_sheet


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
class ReplayPlan:
    """What is sent.

    Attributes:
        telemetry: Telemetry files with their forms.
        sheets: The other files.
        copies: Files left out since they say what another one says, byte for byte.
    """

    telemetry: tuple[tuple[Path, TelemetryFormat], ...]
    sheets: tuple[PlacedSheet, ...]
    copies: tuple[Skipped, ...]


def make_replay_plan(found: Sequence[Found], session: str | None) -> ReplayPlan:
    """Read the sheets among the files, find their sessions, and drop copies.

    Args:
        found: Files with their forms, see :func:`producers.replay.files.find_files`.
        session: Session id for files that do not say theirs.

    Raises:
        ReplayFileError: If a sheet cannot be read.
        SessionError: If a sheet's session cannot be found, ``session`` contradicts the data, or it would put sheets of
            several races into one session.
    """
    telemetry = [(path, form) for path, form in found if isinstance(form, TelemetryFormat)]
    folders = FolderSessions()
    sheets = [
        place_sheet(read_sheet(path, form), folders, session) for path, form in found if isinstance(form, SheetFormat)
    ]
    if session is not None:
        _check_use(session, sheets, alone=not telemetry)
    kept, copies = _without_copies(sheets)
    files, more = _without_copied_files(telemetry)
    return ReplayPlan(files, kept, (*more, *copies))


def place_sheet(sheet: Sheet, folders: FolderSessions, session: str | None) -> PlacedSheet:
    """Give each event of a sheet its session.

    Args:
        sheet: The sheet.
        folders: What the files beside it state.
        session: The session the user names, if any.

    Raises:
        SessionError: If none can be found, or ``session`` is of another event than the sheet says.
    """
    said = [parse_stated_session(event) for event in sheet.events]
    stated = dict.fromkeys(each for each in said if each is not None)
    own = [_id(each) for each in stated]
    if own and session is not None and not any(is_same_event(session, event) for event, _ in stated):
        raise session_contradiction_error(sheet.path, session, own)
    default = session if own == [session] else None
    if not own:
        default = choose_session(sheet.path, folders.stated, session)
    ids = [default if each is None else _id(each) for each in said]
    placed = [(event, where) for event, where in zip(sheet.events, ids, strict=True) if where is not None]
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
        notes=(*sheet.notes, *_race_mismatch_note(sheet.path.name, list(stated))),
    )


def _id(stated: Stated) -> str:
    return f"{stated[0]}-{stated[1]}"


def _race_mismatch_note(name: str, stated: Sequence[Stated]) -> list[str]:
    """A note where a file's name speaks of another race than its lines, which count."""
    named, said = find_race_names(name), find_race_names(" ".join(session for _, session in stated))
    if not named or not said or set(named) & set(said):
        return []
    return [f"named {', '.join(named)}, but its lines say {', '.join(map(_id, stated))}"]


def _check_use(session: str, sheets: Sequence[PlacedSheet], *, alone: bool) -> None:
    """Check that a session the user names is that of a file, and not that of several races."""
    taken = [sheet for sheet in sheets if session in sheet.sessions]
    if alone and not taken:
        raise session_contradiction_error(
            sheets[0].sheet.path, session, dict.fromkeys(s for sheet in sheets for s in sheet.sessions)
        )
    silent = [sheet for sheet in taken if not any(parse_stated_session(event) for event in sheet.sheet.events)]
    by_race = {race: sheet.sheet.path for sheet in silent for race in find_race_names(sheet.sheet.path.name)}
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


def _without_copied_files(
    telemetry: Sequence[tuple[Path, TelemetryFormat]],
) -> tuple[tuple[tuple[Path, TelemetryFormat], ...], list[Skipped]]:
    """As :func:`_without_copies`; only files of equal size are read for it."""
    sizes = [path.stat().st_size for path, _ in telemetry]
    first: dict[str, Path] = {}
    kept, copies = [], []
    for (path, form), size in zip(telemetry, sizes, strict=True):
        original = first.setdefault(file_digest(path) if sizes.count(size) > 1 else str(path), path)
        if original == path:
            kept.append((path, form))
        else:
            copies.append((path, _copy_of(original, path)))
    return tuple(kept), copies


def _copy_of(original: Path, copy: Path) -> str:
    return f"is a copy of {original.name if original.parent == copy.parent else original}"
