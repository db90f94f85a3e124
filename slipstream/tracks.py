"""What the lake knows of tracks and of laps driven on them, read without a JVM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.settings import AppConfig
from conf.track import load_track, track_names
from medallion.silver.track_rows import LapRow, TrackError, circuit_from, own_circuit
from physics.circuit import Circuit
from serving.sql import query
from serving.store import is_table
from slipstream.track_map import LapOnMap, is_braking

Row = dict[str, Any]


@dataclass(frozen=True)
class KnownTrack:
    """A track: its circuit, and its row of ``silver.tracks`` where it was built."""

    circuit: Circuit
    title: str
    row: Mapping[str, Any] | None


def known_tracks(settings: AppConfig) -> list[KnownTrack]:
    """All tracks: those of our own, then those built in this lake."""
    own = [
        KnownTrack(circuit, load_track(name).title, None) for name in track_names() if (circuit := own_circuit(name))
    ]
    rows = _rows(settings, "silver.tracks", "select * from silver.tracks order by track_id")
    return own + [KnownTrack(circuit_from(row), row["name"], row) for row in rows]


def known_track(settings: AppConfig, name: str) -> KnownTrack:
    """A track by name.

    Raises:
        TrackError: If there is none of that name.
    """
    found = {track.circuit.track_id: track for track in known_tracks(settings)}
    if name not in found:
        raise TrackError(f"no track '{name}': there are {', '.join(found)}; build one with `slipstream track build`")
    return found[name]


def sessions_by_track(settings: AppConfig) -> dict[str, list[str]]:
    """Sessions that were driven on each track."""
    sql = "select session_id, track_id from silver.sessions where track_id is not null order by 1"
    found: dict[str, list[str]] = {}
    for row in _rows(settings, "silver.sessions", sql):
        found.setdefault(row["track_id"], []).append(row["session_id"])
    return found


def lap_rows(settings: AppConfig, sessions: Sequence[str]) -> list[LapRow]:
    """Rows of ``silver.laps`` of sessions.

    Raises:
        TrackError: If there is no such session.
        MissingTableError: If there are no sessions yet.
    """
    known = {row["session_id"]: row["track_id"] for row in query("select * from silver.sessions", settings).to_pylist()}
    if missing := sorted(set(sessions) - known.keys()):
        raise TrackError(f"no session {', '.join(missing)}: the lake has {', '.join(sorted(known)) or 'none'}")
    listed = ", ".join(map(_text, sessions))
    rows = query(f"select * from silver.laps where session_id in ({listed})", settings).to_pylist()
    return [row | {"unfit_for": dict(row["unfit_for"] or ())} for row in rows]


def lap_on_map(settings: AppConfig, lap: tuple[str, str, int]) -> LapOnMap:
    """Events of a lap, and where it brakes if it is in ``silver.telemetry_100hz``.

    Raises:
        TrackError: If the lap was not judged.
    """
    session, vehicle, number = lap
    where = f"session_id = {_text(session)} and vehicle_id = {_text(vehicle)} and lap_number = {number}"
    judged = query(f"select * from gold.dptad_scores where {where}", settings).to_pylist()
    if not judged or judged[0]["event_count"] is None:
        why = "; ".join(judged[0]["insights"]) if judged else "gold.dptad_scores has no such lap"
        raise TrackError(f"no events of {session}/{vehicle}/{number}: {why}")
    events = query(f"select * from gold.dptad_events where {where} order by event_ts, event_type", settings).to_pylist()
    even = _rows(
        settings,
        "silver.telemetry_100hz",
        f"select lap_distance_m, brake_front_bar from silver.telemetry_100hz where {where} order by sample_idx",
    )
    along, bar = (np.array([row[name] for row in even], dtype=np.float64) for name in _BRAKE)
    label = f"{session}\n{vehicle}, lap {number}\nthresholds {judged[0]['thresholds_version']}"
    return LapOnMap(label, events, along[is_braking(bar)])


_BRAKE = ("lap_distance_m", "brake_front_bar")


def _rows(settings: AppConfig, table: str, sql: str) -> list[Row]:
    """Rows of a query, none where its table does not exist yet."""
    return list(query(sql, settings).to_pylist()) if is_table(table, settings) else []


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
