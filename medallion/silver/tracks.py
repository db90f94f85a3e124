"""``silver.tracks``: circuits built from the laps of sessions; and which session was driven on which circuit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from pyspark.sql import Row

from analysis.laps.distance import MAX_SILENCE_S
from analysis.laps.trace import LapTrace
from analysis.track_build.dead_reckoning import build_by_dead_reckoning
from analysis.track_build.from_positions import BuiltTrack, build_from_positions
from analysis.track_build.rows import (
    MOST_LAPS,
    LapRow,
    TrackError,
    choose_track_laps,
    circuit_from_row,
    circuit_row,
    fit_sector_ends,
    lap_key,
    load_own_circuit,
    measure_pit_loss,
    refuse_own_track,
    spread_evenly,
)
from analysis.tracks.circuit import Circuit, name_corners
from analysis.tracks.official_corners import number_corners
from analysis.tracks.projection import read_fixes
from conf.contract import load_contract
from conf.corners import OfficialCorners
from conf.tables import SILVER_LAPS, SILVER_RESULTS, SILVER_SESSIONS, SILVER_TRACKS
from medallion.exchange import put_rows
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.part import EVERYTHING, Part, sessions_part
from medallion.reading import read_rows
from medallion.silver.lap_traces import read_traces

_LENGTHS_APART: Final = 0.03  # positions in a wrong unit are further off; a speedometer that is 1 % off is common
_NOT_CONTENT: Final = ("version", "updated_ts", "run_id")


@dataclass(frozen=True)
class TrackPlan:
    """What to build.

    Attributes:
        track_id: Name of the track in tables.
        sessions: Sessions whose laps it is built from.
        title: Name for people; the track's id where there is none.
        corner_names: Names of corners by their numbers.
        official: The circuit's own corners, in place of those found on the line.
    """

    track_id: str
    sessions: tuple[str, ...]
    title: str | None = None
    corner_names: tuple[tuple[int, str], ...] = ()
    official: OfficialCorners | None = None


@dataclass(frozen=True)
class TrackRow:
    """A built track as it goes into the table.

    Attributes:
        circuit: The circuit.
        row: Columns of ``silver.tracks``.
        is_new: Whether the table holds something else, or nothing.
    """

    circuit: Circuit
    row: Mapping[str, Any]
    is_new: bool


def circuits_by_session(lake: Lake, sessions: Iterable[str]) -> dict[str, Circuit]:
    """Circuit of each session, by session; sessions whose track nobody has built or named are left out.

    The circuits can be pickled, and so be sent to executors.
    """
    tracks = tracks_by_session(lake, sessions)
    circuits = circuits_by_track(lake, set(tracks.values()))
    return {session: circuits[track] for session, track in tracks.items() if track in circuits}


def tracks_by_session(lake: Lake, sessions: Iterable[str]) -> dict[str, str]:
    """Track of each session, where it is known."""
    rows = read_rows(lake, SILVER_SESSIONS, sessions_part(sessions), ("session_id", "track_id"))
    return {row.session_id: row.track_id for row in rows if row.track_id is not None}


def sessions_on_track(lake: Lake, track_id: str) -> list[str]:
    """Sessions that were driven on a track, sorted."""
    rows = read_rows(lake, SILVER_SESSIONS, Part(({"track_id": [track_id]},)), ("session_id",))
    return sorted(row.session_id for row in rows)


def circuits_by_track(lake: Lake, tracks: Iterable[str]) -> dict[str, Circuit]:
    """Circuits by track: those of our own from their files, the others from ``silver.tracks``."""
    found = {track: circuit for track in tracks if (circuit := load_own_circuit(track)) is not None}
    others = sorted(set(tracks) - found.keys())
    if others:
        for row in read_rows(lake, SILVER_TRACKS, Part(({"track_id": others},))):
            found[row.track_id] = circuit_from_row(row.asDict(recursive=True))
    return found


def laps_with_telemetry(lake: Lake, sessions: Sequence[str]) -> list[LapKey]:
    """Keys of all laps of sessions that have telemetry, sorted."""
    columns = ("session_id", "vehicle_id", "lap_number", "sample_count")
    rows = read_rows(lake, SILVER_LAPS, sessions_part(sessions), columns)
    return sorted(LapKey(*row[:3]) for row in rows if row.sample_count)


def make_track(lake: Lake, plan: TrackPlan) -> TrackRow:
    """Build a track from the laps of sessions; nothing is written.

    Positions give its line, else speed and lateral acceleration do. Official sector times, where there are any, give
    the sector ends.

    Raises:
        TrackError: If the name is that of a track of our own, there is no such session, it names its track itself,
            no lap fits, or positions and driven distance contradict each other.
        InputError: If a name is for a corner that is not there, the line does not bend where a corner is said to be, or
            a lap lacks a channel.
    """
    refuse_own_track(plan.track_id)
    laps = _lap_rows(lake, plan.sessions)
    chosen = choose_track_laps(laps)
    built = _build(lake, plan, chosen)
    circuit = built.circuit
    if plan.official is not None:
        circuit = number_corners(circuit, plan.official.corners, plan.official.length_m)
    circuit = name_corners(circuit, dict(plan.corner_names))
    sectors = fit_sector_ends(_sector_laps(lake, laps, circuit))
    circuit = replace(circuit, sector_ends_m=sectors.ends_m if sectors else ())
    stops = measure_pit_loss(laps)
    row: dict[str, Any] = circuit_row(circuit) | {
        "name": plan.title or plan.track_id,
        "sector_residual_p95_s": sectors.residual_p95_s if sectors else None,
        "n_sector_laps": sectors.laps if sectors else None,
        "pit_loss_s": stops.seconds if stops else None,
        "n_pit_stops": stops.stops if stops else None,
        "n_laps_default": _race_laps(lake, plan.sessions),
        "spread_m": built.spread_m,
        "misclosure_m": built.misclosure_m,
        "driven_m": built.driven_m,
        "n_laps": built.laps,
        "sessions": sorted(plan.sessions),
        "is_synthetic": any(bool(lap["is_synthetic"]) for lap in chosen),
    }
    before = _previous_lap(lake, plan.track_id)
    if before is None:
        return TrackRow(circuit, row | {"version": 1}, is_new=True)
    is_new = any(before[name] != row.get(name) for name in _content())
    return TrackRow(circuit, row | {"version": before["version"] + is_new}, is_new)


def write_track(lake: Lake, made: TrackRow, run_id: str) -> None:
    """Write a built track, and the sessions that it was built from as driven on it."""
    put_rows(lake, SILVER_TRACKS, [made.row], run_id)
    assign_track(lake, made.circuit.track_id, made.row["sessions"], run_id)


def assign_track(lake: Lake, track_id: str, sessions: Sequence[str], run_id: str) -> None:
    """Note that sessions were driven on a track.

    Raises:
        TrackError: If there is no such session, or its messages name another track.
    """
    rows = _session_rows(lake, sessions)
    for session, row in rows.items():
        if row.track_id is not None and row.track_id != track_id and load_own_circuit(row.track_id):
            raise TrackError(f"session {session} was driven on {row.track_id}, as its messages say: leave it out")
    put_rows(lake, SILVER_SESSIONS, [row.asDict() | {"track_id": track_id} for row in rows.values()], run_id)


def _session_rows(lake: Lake, sessions: Sequence[str]) -> dict[str, Row]:
    found = {row.session_id: row for row in read_rows(lake, SILVER_SESSIONS, sessions_part(sessions))}
    if missing := sorted(set(sessions) - found.keys()):
        known = sorted(row.session_id for row in read_rows(lake, SILVER_SESSIONS, EVERYTHING, ["session_id"]))
        raise TrackError(f"no session {', '.join(missing)}: the lake has {', '.join(known) or 'none'}")
    return found


def _lap_rows(lake: Lake, sessions: Sequence[str]) -> list[LapRow]:
    for session, row in _session_rows(lake, sessions).items():
        if row.track_id is not None and load_own_circuit(row.track_id):
            raise TrackError(
                f"session {session} was driven on {row.track_id}, whose file is conf/tracks/{row.track_id}.yaml: "
                "there is nothing to build"
            )
    return [row.asDict(recursive=True) for row in read_rows(lake, SILVER_LAPS, sessions_part(sessions))]


def _build(lake: Lake, plan: TrackPlan, chosen: Sequence[LapRow]) -> BuiltTrack:
    keys = [LapKey(*lap_key(lap)) for lap in chosen]
    found = [trace for _, trace in read_traces(lake, keys, {})]
    if not found:
        raise TrackError(
            f"no lap fits: of {len(keys)} whole laps none has speed throughout and times of its own; "
            "name a session whose telemetry is complete"
        )
    placed = [trace for trace in found if _is_placed(trace)]
    if not placed:
        return build_by_dead_reckoning(found, plan.track_id)
    built = build_from_positions(placed, plan.track_id)
    length, driven = built.circuit.length_m, built.driven_m
    if abs(driven / length - 1.0) > _LENGTHS_APART:
        raise TrackError(
            f"by their positions the laps are {length:.0f} m long, by speed or distance sensor {driven:.0f} m: see "
            "the unit of the positions in conf/channels.yaml"
        )
    return built


def _is_placed(trace: LapTrace) -> bool:
    """Whether a lap has positions without a long silence."""
    for names, origin in ((("lat_deg", "lon_deg"), (0.0, 0.0)), (("x_m", "y_m"), None)):
        fixes = read_fixes(trace.t_s, {name: trace.channels[name] for name in names}, origin)
        if fixes is not None:
            edges = np.concatenate([[0.0], fixes.t_s, [trace.lap_time_s]])
            return float(np.diff(edges).max()) <= MAX_SILENCE_S
    return False


def _sector_laps(lake: Lake, laps: Sequence[LapRow], circuit: Circuit) -> list[tuple[LapTrace, LapRow]]:
    """Laps fit for sectors, on the circuit's scale of distance."""
    suited = sorted((lap for lap in laps if "sectors" in lap["fit_for"] and lap["sample_count"]), key=lap_key)
    if not suited:
        return []
    fit = {lap_key(lap): lap for lap in spread_evenly(suited, MOST_LAPS)}
    keys = [LapKey(*key) for key in fit]
    circuits = {key.session_id: circuit for key in keys}
    found = read_traces(lake, keys, circuits)
    return [(trace, fit[key.session_id, key.vehicle_id, key.lap_number]) for key, trace in found]


def _race_laps(lake: Lake, sessions: Sequence[str]) -> int | None:
    laps = [row.laps for row in read_rows(lake, SILVER_RESULTS, sessions_part(sessions), ["laps"])]
    return max((n for n in laps if n is not None), default=None)


def _previous_lap(lake: Lake, track_id: str) -> dict[str, Any] | None:
    rows = read_rows(lake, SILVER_TRACKS, Part(({"track_id": [track_id]},)))
    return rows[0].asDict(recursive=True) if rows else None


def _content() -> list[str]:
    return [name for name in load_contract(SILVER_TRACKS).column_names if name not in _NOT_CONTENT]
