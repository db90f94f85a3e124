"""The gold tables over the drivers of sessions, brought up to date vehicle by vehicle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from statistics import fmean
from typing import Final

from analysis.pace.driver_laps import Row
from conf.tables import (
    GOLD_DPTAD_SCORES,
    GOLD_DRIVER_COMPARISON,
    GOLD_DRIVER_SUMMARY,
    GOLD_FLEET_SUMMARY,
    GOLD_SIWTL,
    GOLD_STINTS,
)
from medallion.exchange import exchange_rows
from medallion.gold import driver_comparison, driver_summary, fleet_summary, siwtl, stints
from medallion.gold.session_drivers import SessionDrivers, aggressive_shares, last_karma, load_session_drivers
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import EVERYTHING, Part, group_by_session, pairs_part, sessions_part, vehicles_part
from medallion.per_vehicle import VEHICLE
from medallion.reading import read_rows
from medallion.side_by_side import run_side_by_side

Rows = Callable[[SessionDrivers, Collection[str]], list[Row]]
Where = Callable[[Mapping[str, Collection[str]]], Part]
_OF_VEHICLES: Final[tuple[tuple[str, Rows, Where], ...]] = (
    (GOLD_SIWTL, siwtl.siwtl_rows, vehicles_part),
    (GOLD_STINTS, stints.stint_rows, vehicles_part),
    (GOLD_DRIVER_SUMMARY, driver_summary.driver_summary_rows, vehicles_part),
    (GOLD_DRIVER_COMPARISON, driver_comparison.driver_comparison_rows, pairs_part),
)
TABLES: Final = (*(table for table, _, _ in _OF_VEHICLES), GOLD_FLEET_SUMMARY)

_ROUNDING: Final = 1e-9


def update_drivers(lake: Lake, changed: Mapping[str, Collection[str]], run_id: str) -> None:
    """Recompute the summaries of vehicles and of their sessions, and write what differs.

    Args:
        lake: Where the tables are.
        changed: Vehicles by session; one that has no lap any more loses its rows. A session without vehicles is
            summed up as a whole only.
        run_id: Job run.
    """
    if not changed:
        return
    sessions = load_session_drivers(lake, sorted(changed))
    vehicles = {session: sorted(found) for session, found in sorted(changed.items()) if found}

    def write_vehicles(table: str, rows_of: Rows, part_of: Where) -> None:
        rows = [row for session, found in vehicles.items() for row in rows_of(sessions[session], found)]
        exchange_rows(lake, table, rows, part_of(vehicles), run_id)

    def write_fleets() -> None:
        fleets = [row for session in sessions.values() for row in fleet_summary.fleet_summary_rows(session)]
        exchange_rows(lake, GOLD_FLEET_SUMMARY, fleets, sessions_part(changed), run_id)

    steps: list[Callable[[], None]] = [partial(write_vehicles, *entry) for entry in _OF_VEHICLES if vehicles]
    run_side_by_side([*steps, write_fleets])


def sum_up_scored(lake: Lake, run_id: str) -> None:
    """Bring summaries up to date with what was scored since they were made.

    Whoever scores does this, so that it does not matter whether laps were summed up before they were scored or after.
    """
    update_drivers(lake, group_by_session(vehicles_with_new_scores(lake)), run_id)


def vehicles_with_new_scores(lake: Lake) -> set[Vehicle]:
    """Vehicles of whose laps the scores say otherwise than their summary: anomalies, style, wear.

    A track's first calibration scores all laps that were ever driven there, whichever laps have changed.
    """
    anomalies: defaultdict[Vehicle, list[float]] = defaultdict(list)
    for row in read_rows(lake, GOLD_DPTAD_SCORES, EVERYTHING, (*VEHICLE, "overall_score")):
        if row.overall_score is not None:
            anomalies[row.session_id, row.vehicle_id].append(row.overall_score)
    scored: dict[str, Mapping[Vehicle, float]] = {
        "dptad_overall_avg": {vehicle: fmean(scores) for vehicle, scores in anomalies.items()},
        "style_aggressive_share": aggressive_shares(lake, EVERYTHING),
        "karma_overall_last": last_karma(lake, EVERYTHING),
    }
    return {
        (row.session_id, row.vehicle_id)
        for row in read_rows(lake, GOLD_DRIVER_SUMMARY, EVERYTHING, (*VEHICLE, *scored))
        if any(_differ(now.get((row.session_id, row.vehicle_id)), row[name]) for name, now in scored.items())
    }


def _differ(one: float | None, other: float | None) -> bool:
    return one != other if one is None or other is None else abs(one - other) > _ROUNDING
