"""``gold.stints``: each driver's stints and pace segments."""

from __future__ import annotations

from collections.abc import Collection

from analysis.pace.driver_laps import Row
from medallion.gold.session_drivers import SessionDrivers


def stint_rows(session: SessionDrivers, vehicles: Collection[str]) -> list[Row]:
    """Rows of some vehicles of a session."""
    return [s.row() for d in session.drivers if d.vehicle_id in vehicles for s in d.segments]
