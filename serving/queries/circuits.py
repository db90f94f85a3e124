"""What the lake knows of tracks and of who drove there, without a JVM: our own files, then ``silver.tracks``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.track_build.rows import LapRow, TrackError, circuit_from, own_circuit
from analysis.tracks.circuit import Circuit
from conf.errors import InputError
from conf.settings import AppConfig
from conf.tables import SILVER_LAPS, SILVER_SESSIONS, SILVER_TRACKS
from conf.track import is_track, load_track, track_names
from serving.lake.rows import table_rows


@dataclass(frozen=True)
class KnownTrack:
    """A track: its circuit, and its row of ``silver.tracks`` where it was built."""

    circuit: Circuit
    title: str
    row: Mapping[str, Any] | None


class CircuitError(InputError):
    """The circuit of a session is not known; the message says what to do."""


def track_of(settings: AppConfig, session_id: str) -> str | None:
    """Track that a session was driven on, ``None`` where nothing says."""
    rows = table_rows(SILVER_SESSIONS, settings, {"session_id": session_id}, columns=("track_id",), missing_ok=True)
    return rows[0]["track_id"] if rows else None


def title_of(settings: AppConfig, track_id: str) -> str:
    """A track's name for people; its id where it has none."""
    if is_track(track_id):
        return load_track(track_id).title
    rows = table_rows(SILVER_TRACKS, settings, {"track_id": track_id}, columns=("name",), missing_ok=True)
    return (rows[0]["name"] if rows else None) or track_id


def load_circuit(settings: AppConfig, track_id: str) -> Circuit:
    """A circuit by its track.

    Raises:
        CircuitError: If it has neither a file in ``conf/tracks`` nor a row in ``silver.tracks``.
    """
    if (own := own_circuit(track_id)) is not None:
        return own
    rows = table_rows(SILVER_TRACKS, settings, {"track_id": track_id}, missing_ok=True)
    if not rows:
        raise CircuitError(
            f"track '{track_id}' is not in {SILVER_TRACKS}: `slipstream track build` builds it from laps"
        )
    return circuit_from(rows[0])


def known_tracks(settings: AppConfig) -> list[KnownTrack]:
    """All tracks: those of our own, then those built in this lake."""
    own = [
        KnownTrack(circuit, load_track(name).title, None) for name in track_names() if (circuit := own_circuit(name))
    ]
    rows = table_rows(SILVER_TRACKS, settings, order_by=("track_id",), missing_ok=True)
    return own + [KnownTrack(circuit_from(row), row["name"], row) for row in rows]


def known_track(settings: AppConfig, name: str) -> KnownTrack:
    """A track by name.

    Raises:
        TrackError: If there is none of that name.
    """
    own = own_circuit(name)
    if own is not None:  # drawn circuits among them, which are in no list
        return KnownTrack(own, title_of(settings, name), None)
    found = {track.circuit.track_id: track for track in known_tracks(settings)}
    if name not in found:
        raise TrackError(f"no track '{name}': there are {', '.join(found)}; build one with `slipstream track build`")
    return found[name]


def sessions_by_track(settings: AppConfig) -> dict[str, list[str]]:
    """Sessions that were driven on each track."""
    found: dict[str, list[str]] = {}
    for row in table_rows(SILVER_SESSIONS, settings, order_by=("session_id",), missing_ok=True):
        if row["track_id"] is not None:
            found.setdefault(row["track_id"], []).append(row["session_id"])
    return found


def lap_rows(settings: AppConfig, sessions: Sequence[str]) -> list[LapRow]:
    """Rows of ``silver.laps`` of sessions.

    Raises:
        TrackError: If there is no such session.
        LakeError: If there are no sessions or laps yet.
    """
    known = {row["session_id"] for row in table_rows(SILVER_SESSIONS, settings, columns=("session_id",))}
    if missing := sorted(set(sessions) - known):
        raise TrackError(f"no session {', '.join(missing)}: the lake has {', '.join(sorted(known)) or 'none'}")
    rows = [row for session in sessions for row in table_rows(SILVER_LAPS, settings, {"session_id": session})]
    return [row | {"unfit_for": row["unfit_for"] or {}} for row in rows]
