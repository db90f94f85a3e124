"""Silver to gold: find what changed, recompute it with the batch functions, and write the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from conf.tables import (
    GOLD_LAP_FEATURES,
    GOLD_TELEMETRY_BUCKETS,
    GOLD_TELEMETRY_WINDOWS,
    SILVER_TELEMETRY_100HZ,
)
from medallion.gold import dptad, drivers, lap_features
from medallion.gold.refresh.affected import AffectedKeys, find_affected
from medallion.gold.refresh.changed_rows import ChangedRows
from medallion.gold.refresh.changed_samples import VehicleChange, changed_windows, window_samples
from medallion.gold.refresh.driven_laps import NOTHING_WAITS, Waiting
from medallion.gold.telemetry_buckets import vehicle_buckets
from medallion.gold.telemetry_windows import vehicle_windows
from medallion.io import Lake
from medallion.keys import LapKey, Vehicle
from medallion.part import laps_part
from medallion.per_vehicle import sync_by_vehicle
from medallion.side_by_side import run_side_by_side
from medallion.silver import telemetry_100hz

TABLES: Final = (GOLD_TELEMETRY_WINDOWS, GOLD_TELEMETRY_BUCKETS, GOLD_LAP_FEATURES)
LAP_TABLES: Final = (SILVER_TELEMETRY_100HZ, *dptad.TABLES, *drivers.TABLES)
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
        lake, run_id = self.lake, self.run_id
        *_, calibrated = run_side_by_side(
            (
                lambda: self._windows(affected.samples),
                lambda: self._buckets(affected.buckets),
                lambda: lap_features.update_lap_features(lake, affected.features, run_id),
                lambda: telemetry_100hz.update_100hz(lake, affected.analyses, run_id),
                lambda: dptad.update_dptad(lake, affected.analyses, run_id),
            ),
            at_once=2 if few else 1,  # many laps are Spark's work, which takes all cores by itself
        )
        vehicles = set(affected.vehicles)
        if calibrated:
            vehicles |= drivers.vehicles_with_new_scores(lake)
        changed: dict[str, set[str]] = {session: set() for session in affected.sessions}
        for session, vehicle in vehicles:
            changed.setdefault(session, set()).add(vehicle)
        drivers.update_drivers(self.lake, changed, self.run_id)
        self.vehicles |= vehicles | {change.key for change in affected.samples}

    def _windows(self, changes: Sequence[VehicleChange]) -> None:
        if not changes:
            return
        samples, inside = window_samples(self.lake, changes), changed_windows(changes)
        sync_by_vehicle(self.lake, GOLD_TELEMETRY_WINDOWS, samples, inside, vehicle_windows, self.run_id)

    def _buckets(self, laps: Sequence[LapKey]) -> None:
        if laps:
            part = laps_part(laps)
            sync_by_vehicle(self.lake, GOLD_TELEMETRY_BUCKETS, part, part, vehicle_buckets, self.run_id)
