"""The session of a reading: as the data state it, else as the user does; a contradiction is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

import polars as pl

from conf.errors import InputError

Stated = tuple[str, str]
"""An event and a session of it, as ``meta_event`` and ``meta_session`` name them."""

SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
RACE = re.compile(r"(?<![a-z0-9])(?:race|r)[\s_-]*0*([0-9]{1,2})(?![a-z0-9])", re.IGNORECASE)


class SessionError(InputError):
    """A session id that is missing, malformed, or contradicts the data."""


def check_session(session: str | None) -> None:
    """Check the form of a session id.

    Raises:
        SessionError: If it is not one that the contract of ``reading/1`` admits.
    """
    if session is not None and not SESSION_ID.fullmatch(session):
        raise SessionError(
            f"session '{session}': a session id is 1 to 100 letters, digits, dots, underscores, colons and hyphens, "
            "and begins with a letter or digit"
        )


def missing_session_error(path: Path) -> SessionError:
    """The error for a file that does not say its session when the user does not either."""
    return SessionError(f"{path}: the file does not say which session it is from; name it with --session ID")


def assign_session(path: Path, readings: pl.DataFrame, session: str | None) -> tuple[pl.DataFrame, list[int]]:
    """Add ``session_id``: ``<meta_event>-<meta_session>`` where a reading names both, else the given session.

    Args:
        path: The file, for messages.
        readings: Rows with ``line``, ``meta_event`` and ``meta_session``.
        session: The session the user names, if any.

    Returns:
        The rows that have a session, and the lines of those that have none: rows without event or session in a file
        whose other rows have both, with no session given.

    Raises:
        SessionError: If ``session`` is not a valid id or differs from what the data say, or if neither they nor the
            user say anything.
    """
    check_session(session)
    stated = readings.with_columns(session_id=pl.format("{}-{}", "meta_event", "meta_session"))
    found = stated["session_id"].drop_nulls().unique(maintain_order=True).to_list()
    if session is None and not found:
        raise missing_session_error(path)
    if session is not None and set(found) - {session}:
        raise session_contradiction_error(path, session, found)
    if session is not None:
        return stated.with_columns(pl.col("session_id").fill_null(session)), []
    silent = stated.filter(pl.col("session_id").is_null())["line"].to_list()
    return stated.filter(pl.col("session_id").is_not_null()), silent


def session_contradiction_error(path: Path, session: str, found: Collection[str]) -> SessionError:
    """The error for a session that the user names and the data do not."""
    return SessionError(
        f"{path}: --session {session} contradicts the data, which say {', '.join(found)}; leave --session out"
    )


def find_race_names(text: str) -> tuple[str, ...]:
    """The races that a name speaks of, as ``R1``: from ``Race 1``, ``race_1``, ``R1`` or ``r01``."""
    return tuple(dict.fromkeys(f"R{number}" for number in RACE.findall(text)))


def infer_session(path: Path, stated: Collection[Stated]) -> str:
    """The session of a file that does not say its own: race by its name, event by the files beside it.

    Args:
        path: The file.
        stated: What the files in its folder state.

    Raises:
        SessionError: If they state no event or several, or the name no race or several while they state several
            sessions.
    """
    races, events = find_race_names(path.name), {event for event, _ in stated}
    sessions = sorted(f"{event}-{session}" for event, session in stated)
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
    return f"{events.pop()}-{written[0] if written else races[0]}"


def choose_session(path: Path, beside: Callable[[Path], Collection[Stated]], session: str | None) -> str:
    """The session of a file that does not say its own: the one the user names, else the inferred one.

    A file whose name speaks of another race of the event that the user's session belongs to keeps its own: the folder
    holds a whole weekend, and the user's session is meant for others of its files.

    Args:
        path: The file.
        beside: Gives what the files beside one state; asked only where that matters, since it may take long.
        session: The session the user names, if any.

    Raises:
        SessionError: If the user names none and none can be inferred.
    """
    if session is None:
        return infer_session(path, beside(path))
    if not find_race_names(path.name) or not any(is_same_event(session, event) for event, _ in beside(path)):
        return session
    try:
        return infer_session(path, beside(path))
    except SessionError:
        return session


def is_same_event(session: str, event: str) -> bool:
    """Whether a session id is that of a session of an event."""
    return session.startswith(f"{event}-")


def _unplaced(path: Path, reason: str) -> SessionError:
    return SessionError(
        f"{path}: the file does not say which session it is from, and {reason}; name it with --session ID"
    )
