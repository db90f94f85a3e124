"""Silver to gold: find what changed, recompute it with the batch functions, and write the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.tables import (
    GOLD_LAP_FEATURES,
    GOLD_TELEMETRY_BUCKETS,
    GOLD_TELEMETRY_WINDOWS,
    SILVER_TELEMETRY,
    SILVER_TELEMETRY_100HZ,
)
from medallion.batching import batches_by_size
from medallion.gold import dptad, drivers, lap_features, telemetry_buckets, telemetry_windows
from medallion.gold.refresh.affected import AffectedKeys, affected_by_laps, laps_of_changed_samples
from medallion.gold.refresh.changed_samples import (
    VehicleChange,
    find_changes,
    window_samples_condition,
    windows_condition,
)
from medallion.gold.timed_laps import Vehicle, read_timed_laps
from medallion.io import Lake, sync_rows
from medallion.keys import lap_keys
from medallion.part import laps_part, sessions_part
from medallion.silver import telemetry_100hz

TABLES: Final = (GOLD_TELEMETRY_WINDOWS, GOLD_TELEMETRY_BUCKETS, GOLD_LAP_FEATURES)
LAP_TABLES: Final = (SILVER_TELEMETRY_100HZ, *dptad.TABLES, *drivers.TABLES)
MOST_LAPS: Final = 500
"""Worked on at a time, as far as whole sessions allow."""


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

    def aggregate_telemetry(self, changed_rows: DataFrame) -> int:
        """Recompute the windows, buckets and features of laps that changed rows affect (V11).

        Args:
            changed_rows: Rows of ``silver.telemetry`` that were added, or were before or after an update.

        Returns:
            Number of vehicles affected.
        """
        changes = find_changes(changed_rows)
        laps = Counter[str]()
        for change in changes:
            laps[change.session_id] += len(change.samples)
        for sessions in batches_by_size(laps, MOST_LAPS):
            portion = [change for change in changes if change.session_id in sessions]
            self._windows(portion)
            self._buckets(portion)
            self._features(portion)
        self.vehicles.update((c.session_id, c.vehicle_id) for c in changes)
        return len(changes)

    def aggregate_laps(self, changed_rows: DataFrame) -> int:
        """Recompute what changed laps affect: the laps, their drivers' sessions, and the sessions as a whole.

        Args:
            changed_rows: Rows of ``silver.laps`` that were added or removed, or were before or after an update.

        Returns:
            Number of laps.
        """
        laps = lap_keys(changed_rows)
        self.refresh(affected_by_laps(laps))
        return len(laps)

    def refresh(self, affected: AffectedKeys) -> None:
        """Recompute what is affected; laps come first, because the summaries read what the analyses found."""
        for portion in affected.split_by_session(MOST_LAPS):
            self._refresh(portion)

    def _refresh(self, affected: AffectedKeys) -> None:
        lap_features.update_lap_features(self.lake, affected.features, self.run_id)
        telemetry_100hz.update_100hz(self.lake, affected.analyses, self.run_id)
        vehicles = set(affected.vehicles)
        if dptad.update_dptad(self.lake, affected.analyses, self.run_id):
            vehicles |= drivers.vehicles_with_new_scores(self.lake)
        changed: dict[str, set[str]] = {session: set() for session in affected.sessions}
        for session, vehicle in vehicles:
            changed.setdefault(session, set()).add(vehicle)
        drivers.update_drivers(self.lake, changed, self.run_id)
        self.vehicles |= vehicles

    def _windows(self, changes: Sequence[VehicleChange]) -> None:
        silver = self._silver(changes)
        rows = telemetry_windows.window_rows(silver.where(window_samples_condition(silver, changes)), self.run_id)
        inside = partial(windows_condition, changes)
        sync_rows(self.lake, rows.where(inside()), GOLD_TELEMETRY_WINDOWS, inside)

    def _buckets(self, changes: Sequence[VehicleChange]) -> None:
        laps = [lap for change in changes for lap in change.laps]
        if laps:
            rows = telemetry_buckets.bucket_rows(self._silver(changes).where(laps_part(laps).sql()), self.run_id)
            sync_rows(self.lake, rows, GOLD_TELEMETRY_BUCKETS, laps_part(laps).sql)

    def _features(self, changes: Sequence[VehicleChange]) -> None:
        timed = read_timed_laps(self.lake, sessions_part(c.session_id for c in changes))
        laps = laps_of_changed_samples((s for c in changes for s in c.samples), timed)
        lap_features.update_lap_features(self.lake, sorted(laps), self.run_id)

    def _silver(self, changes: Sequence[VehicleChange]) -> DataFrame:
        sessions = sorted({c.session_id for c in changes})
        return self.lake.read(SILVER_TELEMETRY).where(F.col("session_id").isin(*sessions))
