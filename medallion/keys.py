"""Keys of laps, vehicles and sessions, and the SQL conditions that select their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from medallion.schema import sql_literal

Vehicle = tuple[str, str]
"""Session and vehicle."""


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


def distinct_vehicles(laps: Iterable[LapKey]) -> list[Vehicle]:
    """Sessions and vehicles of laps, sorted."""
    return sorted({(lap.session_id, lap.vehicle_id) for lap in laps})


def distinct_sessions(laps: Iterable[LapKey]) -> list[str]:
    """Sessions of laps, sorted."""
    return sorted({lap.session_id for lap in laps})


def vehicle_condition(session_id: str, vehicle_id: str, prefix: str = "") -> str:
    """SQL condition that selects a vehicle's rows of a session."""
    return f"{prefix}session_id = {sql_literal(session_id)} AND {prefix}vehicle_id = {sql_literal(vehicle_id)}"
