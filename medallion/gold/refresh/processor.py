"""Silver to gold: find what changed, recompute it with the batch functions, and write the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final

from conf.tables import (
    GOLD_DPTAD_SCORES,
    GOLD_DRIVER_SUMMARY,
    GOLD_LAP_FEATURES,
    GOLD_TELEMETRY_BUCKETS,
    GOLD_TELEMETRY_WINDOWS,
    SILVER_TELEMETRY_100HZ,
)
from medallion.gold import drivers, lap_analyses, lap_features
from medallion.gold.refresh.affected import AffectedKeys, find_affected
from medallion.gold.refresh.changed_rows import ChangedRows
from medallion.gold.refresh.changed_samples import VehicleChange, changed_windows, window_samples
from medallion.gold.refresh.driven_laps import NOTHING_WAITS, Waiting
from medallion.gold.telemetry_buckets import vehicle_buckets
from medallion.gold.telemetry_windows import vehicle_windows
from medallion.io import Lake
from medallion.isolation import WHOLE_SESSION, isolate, record_failures
from medallion.keys import LapKey, Vehicle, distinct_vehicles
from medallion.part import laps_part
from medallion.per_vehicle import sync_by_vehicle
from medallion.side_by_side import run_side_by_side
from medallion.silver import telemetry_100hz

TABLES: Final = (GOLD_TELEMETRY_WINDOWS, GOLD_TELEMETRY_BUCKETS, GOLD_LAP_FEATURES)
LAP_TABLES: Final = (SILVER_TELEMETRY_100HZ, *lap_analyses.TABLES, *drivers.TABLES)
MOST_LAPS: Final = 500
"""Worked on at a time, as far as whole sessions allow."""
_FEW_LAPS: Final = 50


class GoldProcessor:
    """Keeps the gold tables in step with silver.

    Args:
        lake: Where the tables are.
        run_id: Job run that the rows will name.

    Attributes:
        vehicles: Sessions and vehicles that were brought up to date so far.
    """

    def __init__(self, lake: Lake, run_id: str) -> None:
        self.lake = lake
        self.run_id = run_id
        self.vehicles: set[Vehicle] = set()

    def process(self, changes: Sequence[ChangedRows], waiting: Waiting = NOTHING_WAITS) -> Mapping[LapKey, float]:
        """Recompute what changed rows affect, and write what differs (V11).

        Args:
            changes: What changed.
            waiting: What was put off before; nothing is, and nothing was, if left out.

        Returns:
            Laps that wait now, see :class:`~medallion.gold.refresh.driven_laps.PutOff`.
        """
        affected, put_off = find_affected(self.lake, changes, waiting)
        self.refresh(affected)
        return put_off.later

    def refresh(self, affected: AffectedKeys) -> None:
        """Recompute what is affected; laps come first, because the summaries read what the analyses found."""
        for portion in affected.split_by_session(MOST_LAPS):
            self._refresh(portion)

    def _refresh(self, affected: AffectedKeys) -> None:
        few = len(affected.features) + len(affected.analyses) <= _FEW_LAPS
        lake, run_id, scored = self.lake, self.run_id, list[int]()
        run_side_by_side(
            (
                lambda: self._by_vehicle(
                    GOLD_LAP_FEATURES,
                    affected.features,
                    lambda laps: lap_features.update_lap_features(lake, laps, run_id),
                ),
                lambda: self._by_vehicle(
                    GOLD_DPTAD_SCORES,
                    affected.analyses,
                    lambda laps: scored.append(lap_analyses.update_lap_analyses(lake, laps, run_id)),
                ),
                lambda: self._by_vehicle(
                    SILVER_TELEMETRY_100HZ,
                    affected.analyses,
                    lambda laps: telemetry_100hz.update_100hz(lake, laps, run_id),
                ),
                lambda: self._by_vehicle(GOLD_TELEMETRY_BUCKETS, affected.buckets, self._buckets),
                lambda: self._windows(affected.samples),
            ),
            at_once=2 if few else 1,  # many laps are Spark's work, which takes all cores by itself
        )
        vehicles = set(affected.vehicles)
        if any(scored):
            vehicles |= drivers.vehicles_with_new_scores(lake)
        self._drivers(vehicles, affected.sessions)
        self.vehicles |= vehicles | {change.key for change in affected.samples}

    def _by_vehicle(self, table: str, laps: Sequence[LapKey], work: Callable[[Sequence[LapKey]], object]) -> None:
        """Do work on laps, and leave those of a vehicle out for which it fails."""
        vehicles = distinct_vehicles(laps)

        def some(keys: Sequence[Vehicle]) -> None:
            chosen = set(keys)
            work([lap for lap in laps if (lap.session_id, lap.vehicle_id) in chosen])

        record_failures(self.lake, table, vehicles, isolate(vehicles, some), self.run_id)

    def _drivers(self, vehicles: Set[Vehicle], others: Iterable[str]) -> None:
        """Sum up vehicles and their sessions, and other sessions as a whole."""
        changed: dict[str, set[str]] = {session: set() for session in others}
        for session, vehicle in vehicles:
            changed.setdefault(session, set()).add(vehicle)

        def some(keys: Sequence[Vehicle]) -> None:
            drivers.update_drivers(self.lake, {session: changed[session] for session, _ in keys}, self.run_id)

        sessions = [(session, WHOLE_SESSION) for session in sorted(changed)]
        record_failures(self.lake, GOLD_DRIVER_SUMMARY, sessions, isolate(sessions, some), self.run_id)

    def _windows(self, changes: Sequence[VehicleChange]) -> None:
        by_key = {change.key: change for change in changes}

        def some(keys: Sequence[Vehicle]) -> None:
            own = [by_key[key] for key in keys]
            samples, inside = window_samples(self.lake, own), changed_windows(own)
            sync_by_vehicle(self.lake, GOLD_TELEMETRY_WINDOWS, samples, inside, vehicle_windows, self.run_id)

        failed = isolate(list(by_key), some)
        record_failures(self.lake, GOLD_TELEMETRY_WINDOWS, by_key.keys(), failed, self.run_id)

    def _buckets(self, laps: Sequence[LapKey]) -> None:
        part = laps_part(laps)
        sync_by_vehicle(self.lake, GOLD_TELEMETRY_BUCKETS, part, part, vehicle_buckets, self.run_id)
