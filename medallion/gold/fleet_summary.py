"""``gold.fleet_summary``: the whole field of a session in one row (B26, B28, B40)."""

from __future__ import annotations

from analysis.drivers.fleet import summarise_fleet
from analysis.pace.driver_laps import Row
from medallion.gold.session_drivers import SessionDrivers


def fleet_summary_rows(session: SessionDrivers) -> list[Row]:
    """The session's row; none where no one has driven a lap."""
    return [summarise_fleet(session.session_id, session.drivers, session.conditions).row()] if session.drivers else []
