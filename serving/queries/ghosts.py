"""Ghost laps of the lake without a JVM: which there are, and one as a lap to be held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.tables import GOLD_GHOST_LAPS, GOLD_GHOST_SUMMARY
from serving.lake.reader import LakeReader
from serving.lake.rows import Row
from serving.queries.lap_traces import doubles
from serving.queries.laps import LapError, LapName

GHOST: Final = "ghost"


_CHANNELS: Final = ("speed_kmh", "throttle_pct", "brake_front_bar", "steering_deg", "x_m", "y_m")


@dataclass(frozen=True)
class GhostRow:
    """A ghost as ``gold.ghost_summary`` has it.

    Attributes:
        uid: ``session/ghost/number``.
        lap_time_s: Lap time.
        is_feasible: Whether a car could drive it.
        notes: Why not.
    """

    uid: str
    session_id: str
    track_id: str | None
    lap_time_s: float
    is_feasible: bool
    notes: tuple[str, ...]


def list_ghosts(lake: LakeReader, session_id: str) -> tuple[GhostRow, ...]:
    """Ghosts of a session, the newest first; none where there is no such table yet."""
    rows = lake.rows(GOLD_GHOST_SUMMARY, {"session_id": session_id}, missing_ok=True)
    return tuple(_ghost_of(row) for row in sorted(rows, key=_sort_by_age, reverse=True))


def find_newest_ghost(lake: LakeReader, session_id: str) -> GhostRow:
    """The newest ghost of a session that a car could drive.

    Raises:
        LapError: If there is none; the message says why the newest could not be driven.
    """
    found = list_ghosts(lake, session_id)
    feasible = [ghost for ghost in found if ghost.is_feasible]
    if feasible:
        return feasible[0]
    if not found:
        raise LapError(f"{session_id} has no ghost lap yet: compare with --target best, or with a lap by its name")
    raise LapError(
        f"no car could drive a ghost of {session_id}; {found[0].uid}: {_why(found[0])}. To see it all the same, give "
        f"--target {found[0].uid}"
    )


def find_ghost(lake: LakeReader, name: LapName) -> GhostRow:
    """A ghost by its name; ``session/ghost/best`` is the newest that a car could drive.

    Raises:
        LapError: If there is none of that name; the message names those there are.
    """
    if name.lap_number is None:
        return find_newest_ghost(lake, name.session_id)
    found = list_ghosts(lake, name.session_id)
    uid = f"{name.session_id}/{GHOST}/{name.lap_number}"
    for ghost in found:
        if ghost.uid == uid:
            return ghost
    raise LapError(f"no ghost {uid}: {_describe_ghosts(found)}")


def load_ghost(lake: LakeReader, ghost: GhostRow, circuit: Circuit) -> LapTrace:
    """A ghost's samples on the circuit's scale.

    Raises:
        LapError: If it has none.
    """
    columns = ("t_s", "lap_distance_m", *_CHANNELS)
    found = lake.frame(GOLD_GHOST_LAPS, {"lap_uid": ghost.uid}, columns=columns, order_by=("sample_idx",))
    if found.height < 2:
        raise LapError(f"{ghost.uid} has no samples in {GOLD_GHOST_LAPS}: make it anew")
    values = {name: doubles(found[name]) for name in columns}
    return LapTrace(
        t_s=values["t_s"],
        distance_m=values["lap_distance_m"],
        channels={name: values[name] for name in _CHANNELS},
        lap_time_s=ghost.lap_time_s,
        length_m=circuit.length_m,
    )


def feasibility_note(ghost: GhostRow) -> str | None:
    """A warning where no car could drive it."""
    return None if ghost.is_feasible else f"no car could drive {ghost.uid}: {_why(ghost)}"


def _why(ghost: GhostRow) -> str:
    return "; ".join(ghost.notes) or "nothing says why"


def _sort_by_age(row: Row) -> tuple[int, int]:
    number = str(row["lap_uid"]).rpartition("/")[2]
    return row["created_ts"] or 0, int(number) if number.isdecimal() else 0


def _ghost_of(row: Row) -> GhostRow:
    return GhostRow(
        uid=row["lap_uid"],
        session_id=row["session_id"],
        track_id=row["track_id"],
        lap_time_s=row["ghost_lap_time_s"],
        is_feasible=bool(row["feasible"]),
        notes=tuple(row["feasibility_notes"] or ()),
    )


def _describe_ghosts(found: Sequence[GhostRow]) -> str:
    return f"ghosts are {', '.join(ghost.uid for ghost in found)}" if found else "there are none yet"
