"""Which session a reading belongs to: what the data say, else what the user says, never the two at odds."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class SessionError(ValueError):
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


def missing_session(path: Path) -> SessionError:
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
        raise missing_session(path)
    if session is not None and set(found) - {session}:
        raise SessionError(
            f"{path}: --session {session} contradicts the data, which say {', '.join(found)}; leave --session out"
        )
    if session is not None:
        return stated.with_columns(pl.col("session_id").fill_null(session)), []
    silent = stated.filter(pl.col("session_id").is_null())["line"].to_list()
    return stated.filter(pl.col("session_id").is_not_null()), silent
