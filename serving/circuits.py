"""The circuit of a session, without a JVM: of our own track files, else of ``silver.tracks``."""

from __future__ import annotations

from typing import Final

from conf.settings import AppConfig
from conf.track import load_track, track_names
from medallion.silver.track_rows import circuit_from, own_circuit
from physics.circuit import Circuit
from serving.rows import table_rows
from serving.store import is_table

SESSIONS: Final = "silver.sessions"
TRACKS: Final = "silver.tracks"


class CircuitError(ValueError):
    """The circuit of a session is not known; the message says what to do."""


def track_of(settings: AppConfig, session_id: str) -> str | None:
    """Track that a session was driven on, ``None`` where nothing says."""
    if not is_table(SESSIONS, settings):
        return None
    rows = table_rows(SESSIONS, settings, {"session_id": session_id}, columns=("track_id",))
    return rows[0]["track_id"] if rows else None


def title_of(settings: AppConfig, track_id: str) -> str:
    """A track's name for people; its id where it has none."""
    if track_id in track_names():
        return load_track(track_id).title
    rows = table_rows(TRACKS, settings, {"track_id": track_id}, columns=("name",)) if is_table(TRACKS, settings) else []
    return (rows[0]["name"] if rows else None) or track_id


def load_circuit(settings: AppConfig, track_id: str) -> Circuit:
    """A circuit by its track.

    Raises:
        CircuitError: If it has neither a file in ``conf/tracks`` nor a row in ``silver.tracks``.
    """
    if (own := own_circuit(track_id)) is not None:
        return own
    rows = table_rows(TRACKS, settings, {"track_id": track_id}) if is_table(TRACKS, settings) else []
    if not rows:
        raise CircuitError(f"track '{track_id}' is not in {TRACKS}: `slipstream track build` builds it from laps")
    return circuit_from(rows[0])
