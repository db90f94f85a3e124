"""Keys of laps, vehicles and sessions, and the SQL conditions that select their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

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
