"""``gold.driver_comparison``: every two drivers of a session, once, the lower vehicle id first (B27, B39)."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

from analysis.drivers.comparison import driver_figures
from analysis.drivers.head_to_head import build_head_to_head
from analysis.pace.driver_laps import Row
from medallion.gold.session_drivers import SessionDrivers


def driver_comparison_rows(session: SessionDrivers, vehicles: Collection[str]) -> list[Row]:
    """Rows of the pairs that some vehicles of a session are in."""
    if not vehicles:
        return []
    field = [driver_figures(d, session.scores.get(d.vehicle_id)) for d in session.drivers]
    pairs = combinations(field, 2)  # drivers are in the order of their vehicles
    return [build_head_to_head(a, b).row() for a, b in pairs if not {a.vehicle_id, b.vehicle_id}.isdisjoint(vehicles)]
