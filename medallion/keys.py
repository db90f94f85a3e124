"""Keys of laps, vehicles and sessions, and the SQL conditions that select their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from analysis.comparison.rows import ComparedPair
from medallion.schema import sql_literal


@dataclass(frozen=True, order=True)
class LapKey:
    """Key of a lap."""

    session_id: str
    vehicle_id: str
    lap_number: int

    @property
    def uid(self) -> str:
        """``session/vehicle/lap``."""
        return f"{self.session_id}/{self.vehicle_id}/{self.lap_number}"


def lap_keys(rows: DataFrame) -> list[LapKey]:
    """Keys of the laps that rows name, each once, sorted."""
    keys = rows.select("session_id", "vehicle_id", "lap_number").distinct().collect()
    return sorted(LapKey(*key) for key in keys)


def distinct_vehicles(laps: Iterable[LapKey]) -> list[tuple[str, str]]:
    """Sessions and vehicles of laps, sorted."""
    return sorted({(lap.session_id, lap.vehicle_id) for lap in laps})


def distinct_sessions(laps: Iterable[LapKey]) -> list[str]:
    """Sessions of laps, sorted."""
    return sorted({lap.session_id for lap in laps})


def laps_condition(laps: Sequence[LapKey], prefix: str = "") -> str:
    """SQL condition that selects rows of these laps.

    Args:
        laps: Laps; none selects nothing.
        prefix: What stands before a column's name, e.g. ``t.``.
    """
    numbers: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for lap in laps:
        numbers[lap.session_id, lap.vehicle_id].append(lap.lap_number)
    parts = (
        f"({vehicle_condition(*vehicle, prefix)} AND {prefix}lap_number IN ({', '.join(map(str, found))}))"
        for vehicle, found in sorted(numbers.items())
    )
    return " OR ".join(parts) or "false"


def vehicle_condition(session_id: str, vehicle_id: str, prefix: str = "") -> str:
    """SQL condition that selects a vehicle's rows of a session."""
    return f"{prefix}session_id = {sql_literal(session_id)} AND {prefix}vehicle_id = {sql_literal(vehicle_id)}"


def sessions_condition(sessions: Iterable[str], prefix: str = "") -> str:
    """SQL condition that selects rows of these sessions."""
    listed = ", ".join(sql_literal(session) for session in sessions)
    return f"{prefix}session_id IN ({listed})" if listed else "false"


def comparison_condition(pair: ComparedPair, prefix: str = "") -> str:
    """SQL condition that selects rows of one lap held against one other."""
    names = ("session_id", "lap_uid", "reference_uid")
    return " AND ".join(f"{prefix}{name} = {sql_literal(getattr(pair, name))}" for name in names)


def vehicles_condition(session_id: str, vehicles: Collection[str], prefix: str = "") -> str:
    """SQL condition that selects rows of some vehicles of a session; none selects nothing."""
    return f"{sessions_condition([session_id], prefix)} AND {_in_condition('vehicle_id', vehicles, prefix)}"


def pairs_condition(session_id: str, vehicles: Collection[str], prefix: str = "") -> str:
    """SQL condition that selects rows of pairs that some vehicles of a session are in; none selects nothing."""
    sides = (_in_condition(f"vehicle_id_{side}", vehicles, prefix) for side in (1, 2))
    return f"{sessions_condition([session_id], prefix)} AND ({' OR '.join(sides)})"


def _in_condition(column: str, values: Collection[str], prefix: str) -> str:
    return f"{prefix}{column} IN ({', '.join(map(sql_literal, values))})" if values else "false"
