"""``gold.siwtl``: each driver's smart ideal weighted target lap (B19-B23)."""

from __future__ import annotations

from collections.abc import Collection

from analysis.pace.driver_laps import Row
from medallion.gold.session_drivers import SessionDrivers


def siwtl_rows(session: SessionDrivers, vehicles: Collection[str]) -> list[Row]:
    """Rows of some vehicles of a session."""
    return [d.target.row() for d in session.drivers if d.vehicle_id in vehicles]
