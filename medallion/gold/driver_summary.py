"""``gold.driver_summary``: each driver of a session in one row (B7, B33, B34)."""

from __future__ import annotations

from collections.abc import Collection

from analysis.pace.driver_laps import Row
from medallion.gold.session_drivers import SessionDrivers


def driver_summary_rows(session: SessionDrivers, vehicles: Collection[str]) -> list[Row]:
    """Rows of some vehicles of a session."""
    return [d.row() for d in session.drivers if d.vehicle_id in vehicles]
