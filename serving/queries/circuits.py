"""Tracks of the lake and the sessions driven there, without a JVM: our own files, then ``silver.tracks``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.track_build.rows import LapRow, TrackError, circuit_from_row, load_own_circuit
from analysis.tracks.circuit import Circuit, Corner
from conf.drawn_track import parse_drawn_number
from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.tables import SILVER_LAPS, SILVER_SESSIONS, SILVER_TRACKS
from conf.track import is_track, load_track, track_names
from serving.lake.reader import LakeReader
from serving.lake.rows import Row


class TrackAnswer(FrozenModel):
    """A track as programs read it; what is known only of a built one is ``None`` of one of ours.

    Attributes:
        source: What the line was built from, ``file`` for a track of ours.
        spread_m: How far the lines of single laps lie beside it, in the median.
        sector_residual_p95_s: Within how much the official sector times are met.
        sessions: Sessions that it was built from.
    """

    track_id: str
    name: str
    length_m: float
    n_corners: int
    sector_ends_m: tuple[float, ...]
    source: str
    origin_deg: tuple[float, float] | None
    version: int | None = None
    n_laps: int | None = None
    spread_m: float | None = None
    misclosure_m: float | None = None
    sector_residual_p95_s: float | None = None
    n_sector_laps: int | None = None
    pit_loss_s: float | None = None
    n_laps_default: int | None = None
    sessions: tuple[str, ...] | None = None


class ListedTrack(TrackAnswer):
    """A track with the sessions that were driven on it."""

    driven: tuple[str, ...]


class TrackDetail(TrackAnswer):
    """A track with its corners, and the events of a lap there if one was named (rows of ``gold.dptad_events``)."""

    corners: tuple[Corner, ...]
    events: tuple[Row, ...] | None


@dataclass(frozen=True)
class KnownTrack:
    """A track: its circuit, and its row of ``silver.tracks`` where it was built."""

    circuit: Circuit
    title: str
    row: Mapping[str, Any] | None

    @property
    def headline(self) -> str:
        """Name, length and corners."""
        return f"{self.title}, {self.circuit.length_m:,.0f} m, {len(self.circuit.corners)} corners"

    @property
    def origin(self) -> str:
        """What the circuit is known from, and how well."""
        name, row = self.circuit.track_id, self.row
        if row is None:
            is_drawn = parse_drawn_number(name) is not None
            return f"{name}: drawn by its number" if is_drawn else f"{name}: from its file, conf/tracks/{name}.yaml"
        dead_reckoning = "speed and lateral acceleration (dead reckoning: a map, not a survey)"
        how = "positions" if row["source"] == "gps" else dead_reckoning
        parts = [f"{row['track_id']} version {row['version']}: from {how} of {row['n_laps']} laps"]
        parts.append(f"lines of single laps {row['spread_m']:.1f} m beside it in the median")
        if row["sector_residual_p95_s"] is not None:
            within_s, n_laps = row["sector_residual_p95_s"], row["n_sector_laps"]
            parts.append(f"sector times within {within_s:.3f} s (p95 of {n_laps} laps)")
        return "; ".join(parts)

    def listed(self, driven: Sequence[str]) -> ListedTrack:
        """The track in a list, with the sessions that were driven on it."""
        return ListedTrack(**self._figures(), driven=tuple(driven))

    def detail(self, events: Sequence[Row] | None = None) -> TrackDetail:
        """The track with its corners, and the events of a lap."""
        return TrackDetail(
            **self._figures(), corners=self.circuit.corners, events=None if events is None else tuple(events)
        )

    def _figures(self) -> dict[str, Any]:
        circuit, row = self.circuit, self.row or {}
        of_build = set(TrackAnswer.model_fields) & set(row) - {"track_id", "name", "length_m", "source"}
        return {name: row[name] for name in of_build} | {
            "track_id": circuit.track_id,
            "name": self.title,
            "length_m": circuit.length_m,
            "n_corners": len(circuit.corners),
            "sector_ends_m": circuit.sector_ends_m,
            "source": circuit.source if self.row else "file",
            "origin_deg": circuit.origin_deg,
        }


class CircuitError(InputError):
    """The circuit of a session is not known; the message says what to do."""


def session_track(lake: LakeReader, session_id: str) -> str | None:
    """Track that a session was driven on, ``None`` where nothing says."""
    rows = lake.rows(SILVER_SESSIONS, {"session_id": session_id}, columns=("track_id",), missing_ok=True)
    return rows[0]["track_id"] if rows else None


def track_title(lake: LakeReader, track_id: str) -> str:
    """A track's name for people; its id where it has none."""
    if is_track(track_id):
        return load_track(track_id).title
    rows = lake.rows(SILVER_TRACKS, {"track_id": track_id}, columns=("name",), missing_ok=True)
    return (rows[0]["name"] if rows else None) or track_id


def load_circuit(lake: LakeReader, track_id: str) -> Circuit:
    """A circuit by its track.

    Raises:
        CircuitError: If it has neither a file in ``conf/tracks`` nor a row in ``silver.tracks``.
    """
    if (own := load_own_circuit(track_id)) is not None:
        return own
    rows = lake.rows(SILVER_TRACKS, {"track_id": track_id}, missing_ok=True)
    if not rows:
        raise CircuitError(
            f"track '{track_id}' is not in {SILVER_TRACKS}: `slipstream track build` builds it from laps"
        )
    return circuit_from_row(rows[0])


def list_known_tracks(lake: LakeReader) -> list[KnownTrack]:
    """All tracks: those of our own, then those built in this lake."""
    own = [
        KnownTrack(circuit, load_track(name).title, None)
        for name in track_names()
        if (circuit := load_own_circuit(name))
    ]
    rows = lake.rows(SILVER_TRACKS, order_by=("track_id",), missing_ok=True)
    return own + [KnownTrack(circuit_from_row(row), row["name"], row) for row in rows]


def find_known_track(lake: LakeReader, name: str) -> KnownTrack:
    """A track by name.

    Raises:
        TrackError: If there is none of that name.
    """
    own = load_own_circuit(name)
    if own is not None:  # drawn circuits among them, which are in no list
        return KnownTrack(own, track_title(lake, name), None)
    found = {track.circuit.track_id: track for track in list_known_tracks(lake)}
    if name not in found:
        raise TrackError(f"no track '{name}': there are {', '.join(found)}; build one with `slipstream track build`")
    return found[name]


def sessions_by_track(lake: LakeReader) -> dict[str, list[str]]:
    """Sessions that were driven on each track."""
    found: dict[str, list[str]] = {}
    for row in lake.rows(SILVER_SESSIONS, order_by=("session_id",), missing_ok=True):
        if row["track_id"] is not None:
            found.setdefault(row["track_id"], []).append(row["session_id"])
    return found


def read_lap_rows(lake: LakeReader, sessions: Sequence[str]) -> list[LapRow]:
    """Rows of ``silver.laps`` of sessions.

    Raises:
        TrackError: If there is no such session.
        LakeError: If there are no sessions or laps yet.
    """
    known = {row["session_id"] for row in lake.rows(SILVER_SESSIONS, columns=("session_id",))}
    if missing := sorted(set(sessions) - known):
        raise TrackError(f"no session {', '.join(missing)}: the lake has {', '.join(sorted(known)) or 'none'}")
    rows = [row for session in sessions for row in lake.rows(SILVER_LAPS, {"session_id": session})]
    return [row | {"unfit_for": row["unfit_for"] or {}} for row in rows]


def find_session_circuit(lake: LakeReader, session_id: str, track_id: str | None) -> Circuit:
    """The circuit that a session was driven on.

    Args:
        lake: The lake.
        session_id: Session.
        track_id: Its track; ``None`` where nothing says.

    Raises:
        CircuitError: If it is not known.
    """
    if track_id is None:
        raise CircuitError(
            f"nothing says on which track {session_id} was driven: `slipstream track build` builds it from laps, "
            "`slipstream track assign` names one that is built"
        )
    return load_circuit(lake, track_id)
