"""The plan of a replay: each file once, every sheet read and assigned to its session before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from producers.replay.encode import Record
from producers.replay.files import Found, Skipped
from producers.replay.folder_sessions import Folders, stated_by
from producers.replay.formats import FileForm, SheetForm
from producers.replay.lines import Malformed, digest_of
from producers.replay.sessions import SessionError, Stated, choose_session, contradiction, races_in, same_event
from producers.replay.sheets import Sheet, read_sheet, record


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
    malformed: tuple[Malformed, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is sent.

    Attributes:
        telemetry: Telemetry files with their forms.
        sheets: The other files.
        copies: Files left out since they say what another one says, byte for byte.
    """

    telemetry: tuple[tuple[Path, FileForm], ...]
    sheets: tuple[PlacedSheet, ...]
    copies: tuple[Skipped, ...]


def make_plan(found: Sequence[Found], session: str | None) -> Plan:
    """Read the sheets among the files, find their sessions, and drop copies.

    Args:
        found: Files with their forms, see :func:`producers.replay.files.find_files`.
        session: Session id for files that do not say theirs.

    Raises:
        ReplayFileError: If a sheet cannot be read.
        SessionError: If a sheet's session cannot be found, ``session`` contradicts the data, or it would put sheets of
            several races into one session.
    """
    telemetry = [(path, form) for path, form in found if isinstance(form, FileForm)]
    folders = Folders()
    sheets = [place(read_sheet(path, form), folders, session) for path, form in found if isinstance(form, SheetForm)]
    if session is not None:
        _check_use(session, sheets, alone=not telemetry)
    kept, copies = _without_copies(sheets)
    files, more = _without_copied_files(telemetry)
    return Plan(files, kept, (*more, *copies))


def place(sheet: Sheet, folders: Folders, session: str | None) -> PlacedSheet:
    """Give each event of a sheet its session.

    Args:
        sheet: The sheet.
        folders: What the files beside it state.
        session: The session the user names, if any.

    Raises:
        SessionError: If none can be found, or ``session`` is of another event than the sheet says.
    """
    said = [stated_by(event) for event in sheet.events]
    stated = dict.fromkeys(each for each in said if each is not None)
    own = [_id(each) for each in stated]
    if own and session is not None and not any(same_event(session, event) for event, _ in stated):
        raise contradiction(sheet.path, session, own)
    default = session if own == [session] else None
    if not own:
        default = choose_session(sheet.path, folders.stated, session)
    ids = [default if each is None else _id(each) for each in said]
    placed = [(event, where) for event, where in zip(sheet.events, ids, strict=True) if where is not None]
    silent = [
        Malformed(event.line, "no meta_event or meta_session")
        for event, where in zip(sheet.events, ids, strict=True)
        if where is None
    ]
    return PlacedSheet(
        sheet=sheet,
        sessions=tuple(dict.fromkeys(where for _, where in placed)),
        records=tuple(record(sheet, event, where) for event, where in placed),
        malformed=tuple(sorted([*sheet.malformed, *silent], key=lambda bad: bad.line)),
        notes=(*sheet.notes, *_disagreement(sheet.path.name, list(stated))),
    )


def _id(stated: Stated) -> str:
    return f"{stated[0]}-{stated[1]}"


def _disagreement(name: str, stated: Sequence[Stated]) -> list[str]:
    """A note where a file's name speaks of another race than its lines, which count."""
    named, said = races_in(name), races_in(" ".join(session for _, session in stated))
    if not named or not said or set(named) & set(said):
        return []
    return [f"named {', '.join(named)}, but its lines say {', '.join(map(_id, stated))}"]


def _check_use(session: str, sheets: Sequence[PlacedSheet], *, alone: bool) -> None:
    """Check that a session the user names is that of a file, and not that of several races."""
    taken = [sheet for sheet in sheets if session in sheet.sessions]
    if alone and not taken:
        raise contradiction(sheets[0].sheet.path, session, dict.fromkeys(s for sheet in sheets for s in sheet.sessions))
    silent = [sheet for sheet in taken if not any(stated_by(event) for event in sheet.sheet.events)]
    by_race = {race: sheet.sheet.path for sheet in silent for race in races_in(sheet.sheet.path.name)}
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
    telemetry: Sequence[tuple[Path, FileForm]],
) -> tuple[tuple[tuple[Path, FileForm], ...], list[Skipped]]:
    """As :func:`_without_copies`; only files of equal size are read for it."""
    sizes = [path.stat().st_size for path, _ in telemetry]
    first: dict[str, Path] = {}
    kept, copies = [], []
    for (path, form), size in zip(telemetry, sizes, strict=True):
        original = first.setdefault(digest_of(path) if sizes.count(size) > 1 else str(path), path)
        if original == path:
            kept.append((path, form))
        else:
            copies.append((path, _copy_of(original, path)))
    return tuple(kept), copies


def _copy_of(original: Path, copy: Path) -> str:
    return f"is a copy of {original.name if original.parent == copy.parent else original}"
