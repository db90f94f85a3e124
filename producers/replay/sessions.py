"""The session of a reading: as the data state it, else as the files beside it or the user do."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import polars as pl

from conf.errors import InputError
from conf.text_table import SourceFile

Stated = tuple[str, str]
"""An event and a session of it, as ``meta_event`` and ``meta_session`` name them."""

RACE = re.compile(r"(?<![a-z0-9])(?:race|r)[\s_-]*0*([0-9]{1,2})(?![a-z0-9])", re.IGNORECASE)
OTHER = re.compile(
    r"(?<![a-z0-9])(?:(?P<Q>qualifying|qualification|quali|q(?=[\s_-]*[0-9]))|(?P<P>practice|fp(?=[\s_-]*[0-9])))"
    r"(?:[\s_-]*0*(?P<number>[0-9]{1,2}))?(?![a-z0-9])",
    re.IGNORECASE,
)


class SessionError(InputError):
    """A session that is missing, or contradicts the data."""


@dataclass(frozen=True)
class Placement:
    """Under which ids the readings of a file are sent.

    Attributes:
        session: Session of readings that do not state theirs; of one that all others state where it is None.
        sessions: Ids to send by those that readings state; left out where they are the same.
        vehicles: Likewise of vehicles.
    """

    session: str | None = None
    sessions: Mapping[str, str] = field(default_factory=dict)
    vehicles: Mapping[str, str] = field(default_factory=dict)


def missing_session_error(path: SourceFile) -> SessionError:
    """The error for a file that does not say its session when the user does not either."""
    return SessionError(f"{path}: the file does not say which session it is from; name it with --session ID")


def assign_ids(path: SourceFile, readings: pl.DataFrame, placement: Placement) -> tuple[pl.DataFrame, list[int]]:
    """Add ``session_id``, ``<meta_event>-<meta_session>`` or as the placement has it, and rename vehicles.

    The id that a renamed vehicle had is kept in ``original_vehicle_id``, where that is empty.

    Args:
        path: The file, for messages.
        readings: Rows with ``line``, ``vehicle_id``, ``original_vehicle_id``, ``meta_event`` and ``meta_session``.
        placement: The ids.

    Returns:
        The rows that have a session, and the lines of those that have none: rows without event or session in a file
        whose other rows are of several.

    Raises:
        SessionError: If neither the rows nor the placement name a session.
    """
    stated = readings.with_columns(
        session_id=pl.format("{}-{}", "meta_event", "meta_session").replace(dict(placement.sessions))
    )
    found = stated["session_id"].drop_nulls().unique().to_list()
    silent = placement.session or (found[0] if len(found) == 1 else None)
    if silent is None and not found:
        raise missing_session_error(path)
    renamed = pl.col("vehicle_id").replace(dict(placement.vehicles)) if placement.vehicles else pl.col("vehicle_id")
    old = pl.when(renamed != pl.col("vehicle_id")).then("vehicle_id")
    named = stated.with_columns(
        session_id=pl.coalesce("session_id", pl.lit(silent, dtype=pl.String)).cast(pl.Categorical),
        vehicle_id=renamed,
        original_vehicle_id=pl.coalesce("original_vehicle_id", old),
    )
    unplaced = named.filter(pl.col("session_id").is_null())["line"].to_list()
    return (named.filter(pl.col("session_id").is_not_null()) if unplaced else named), unplaced


def unused_session_error(session: str, found: Collection[str]) -> SessionError:
    """The error for a session that the user names and that is none of the files'."""
    first = next(iter(found))
    return SessionError(
        f"--session {session} contradicts the data, which say {', '.join(found)}; leave --session out, or rename with "
        f"--session '{first}={session}'"
    )


def stated_id(stated: Stated) -> str:
    """The id of a session as it is stated."""
    return f"{stated[0]}-{stated[1]}"


def find_race_names(text: str) -> tuple[str, ...]:
    """The races that a name speaks of, as ``R1``: from ``Race 1``, ``race_1``, ``R1`` or ``r01``.

    One without races may speak of a qualifying or practice, as ``Q``, ``Q1`` or ``P2``: from ``Qualifying``,
    ``Quali 1`` or ``Practice 2``.
    """
    races = [f"R{number}" for number in RACE.findall(text)]
    others = [f"{'Q' if each['Q'] else 'P'}{each['number'] or ''}" for each in OTHER.finditer(text)]
    return tuple(dict.fromkeys(races or others))


def infer_session(path: SourceFile, stated: Collection[Stated]) -> str:
    """The session of a file that does not say its own: race by its name, event by the files beside it.

    Args:
        path: The file.
        stated: What the files in its folder state.

    Raises:
        SessionError: If they state no event or several, or the name no race or several while they state several
            sessions.
    """
    races, events = find_race_names(path.name), {event for event, _ in stated}
    sessions = sorted(map(stated_id, stated))
    if not events:
        raise _unplaced(path, "no file beside it says of which event it is")
    if len(events) > 1:
        raise _unplaced(path, f"the files beside it are of several events ({', '.join(sorted(events))})")
    if len(races) > 1:
        raise _unplaced(path, f"its name speaks of several races ({', '.join(races)})")
    if not races:
        if len(sessions) == 1:
            return sessions[0]
        raise _unplaced(path, f"its name does not say which race of {', '.join(sessions)} it is")
    written = [session for _, session in sorted(stated) if find_race_names(session) == races]
    written = written or [session for _, session in sorted(stated) if _is_alike(find_race_names(session), races[0])]
    if len(written) > 1:
        raise _unplaced(path, f"its name does not say which of {', '.join(written)} it is")
    return f"{events.pop()}-{written[0] if written else races[0]}"


def _is_alike(names: tuple[str, ...], name: str) -> bool:
    """Whether two sessions are of one kind, and but one of them has a number: ``Q`` and ``Q1``."""
    return len(names) == 1 and names[0][0] == name[0] and (len(names[0]) == 1) != (len(name) == 1)


def choose_session(
    path: SourceFile,
    beside: Callable[[SourceFile], Collection[Stated]],
    session: str | None,
    renamed: str | None = None,
) -> str:
    """The session of a file that does not say its own: the one the user names, else the inferred one.

    A file whose name speaks of another race than the user's session does, or than the one that it renames, keeps its
    own where it can be inferred: the folder holds a whole weekend, and the user's session is meant for others of its
    files.

    Args:
        path: The file.
        beside: Gives what the files beside one state; asked only where that matters, since it may take long.
        session: The session the user names, if any.
        renamed: The stated session that it is a new id of, if any.

    Returns:
        The user's session, or one as it would be stated.

    Raises:
        SessionError: If the user names none and none can be inferred.
    """
    if session is None:
        return infer_session(path, beside(path))
    named, meant = find_race_names(path.name), find_race_names(session)
    if not named:
        return session
    of_event = any(is_same_event(session, event) for event, _ in beside(path))
    if not (renamed or meant or of_event):
        return session
    try:
        own = infer_session(path, beside(path))
    except SessionError:
        return session
    if renamed:
        return session if own == renamed else own
    return own if of_event or named != meant else session


def is_same_event(session: str, event: str) -> bool:
    """Whether a session id is that of a session of an event."""
    return session.startswith(f"{event}-")


def _unplaced(path: SourceFile, reason: str) -> SessionError:
    return SessionError(
        f"{path}: the file does not say which session it is from, and {reason}; name it with --session ID"
    )
