"""Silver to gold: find what changed, compute it whole again with the batch's own functions, write the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from medallion.gold import lap_features, telemetry_buckets, telemetry_windows
from medallion.gold.vehicles import VEHICLE
from medallion.io import Lake
from medallion.silver import telemetry

TABLES: Final = (telemetry_windows.TABLE, telemetry_buckets.TABLE, lap_features.TABLE)
_REACH_US = 11_000_000  # a window of 10 s, a value at most 0.3 s old, rounded up to whole seconds


@dataclass(frozen=True)
class Change:
    """What changed of one vehicle: a span of event time (microseconds since the epoch), and laps."""

    session_id: str
    vehicle_id: str
    first_us: int
    last_us: int
    laps: tuple[int, ...]

    @property
    def where(self) -> str:
        """SQL condition on the vehicle's keys."""
        return vehicle_is(self.session_id, self.vehicle_id)


class GoldProcessor:
    """Keeps the feature tables in step with silver.

    Args:
        lake: Where the tables are.
        run_id: Job run that the rows will name.
    """

    def __init__(self, lake: Lake, run_id: str) -> None:
        self.lake = lake
        self.run_id = run_id

    def aggregate_telemetry(self, changed_rows: DataFrame) -> int:
        """Recompute the windows, buckets and laps that changed rows touch (V11).

        Args:
            changed_rows: Rows of ``silver.telemetry`` that were added, or were before or after an update.

        Returns:
            Number of vehicles that were touched.
        """
        changes = find_changes(changed_rows)
        if changes:
            self._windows(changes)
            self._laps(changes)
        return len(changes)

    def _windows(self, changes: Sequence[Change]) -> None:
        silver = self._silver(changes)
        spans = [_span(c, "event_ts", 2 * _REACH_US, _REACH_US) for c in changes]
        rows = telemetry_windows.windows(silver.where(_any([*spans, *_beyond(silver, changes)])), self.run_id)
        # Windows that end up to a window's length after a changed sample saw it; others are as they were.
        inside = _any(_span(c, "window_end_ts", 0, _REACH_US) for c in changes)
        self._write(rows.where(inside), telemetry_windows.TABLE, inside)

    def _laps(self, changes: Sequence[Change]) -> None:
        touched = _any(_laps(c) for c in changes if c.laps)
        if not touched:
            return
        silver = self._silver(changes).where(touched).persist()
        try:
            for table, function in _LAP_TABLES:
                self._write(function(silver, self.run_id), table, touched)
        finally:
            silver.unpersist()

    def _silver(self, changes: Sequence[Change]) -> DataFrame:
        sessions = sorted({c.session_id for c in changes})
        return self.lake.read(telemetry.TABLE).where(F.col("session_id").isin(*sessions))

    def _write(self, rows: DataFrame, table: str, inside: str) -> None:
        """Make the part of ``table`` that ``inside`` describes equal to ``rows``; nothing else is touched."""
        rows = rows.persist()
        try:
            if self.lake.read(table).where(inside).limit(1).count():
                self.lake.upsert(rows, table, delete_where=_on_target(inside))
            elif rows.limit(1).count():
                self.lake.append(rows, table)
        finally:
            rows.unpersist()


_LAP_TABLES: Final[tuple[tuple[str, Callable[[DataFrame, str], DataFrame]], ...]] = (
    (lap_features.TABLE, lap_features.laps),
    (telemetry_buckets.TABLE, telemetry_buckets.buckets),
)


def vehicle_is(session_id: str, vehicle_id: str) -> str:
    """SQL condition on a vehicle's keys."""
    return f"session_id = '{session_id}' AND vehicle_id = '{vehicle_id}'"


def find_changes(rows: DataFrame) -> list[Change]:
    """Per vehicle the span of event time and the laps that rows touch."""
    spans = rows.groupBy(*VEHICLE).agg(
        F.unix_micros(F.min("event_ts")).alias("first_us"),
        F.unix_micros(F.max("event_ts")).alias("last_us"),
        F.collect_set("lap_number").alias("laps"),
    )
    return [_change(r) for r in spans.collect()]


def _change(row: Row) -> Change:
    return Change(row.session_id, row.vehicle_id, row.first_us, row.last_us, tuple(sorted(row.laps)))


def _span(change: Change, column: str, before_us: int, after_us: int) -> str:
    first, last = change.first_us - before_us, change.last_us + after_us
    return f"({change.where} AND {column} BETWEEN timestamp_micros({first}) AND timestamp_micros({last}))"


def _beyond(silver: DataFrame, changes: Sequence[Change]) -> list[str]:
    """The samples next to each span that is read: whether a window in a gap exists depends on where the gap ends."""
    mine = [F.expr(c.where) for c in changes]
    at = F.unix_micros("event_ts")
    first = F.coalesce(*(F.when(m, c.first_us - 2 * _REACH_US) for m, c in zip(mine, changes, strict=True)))
    last = F.coalesce(*(F.when(m, c.last_us + _REACH_US) for m, c in zip(mine, changes, strict=True)))
    before, after = F.max(F.when(at < first, at)), F.min(F.when(at > last, at))
    rows = silver.groupBy(*VEHICLE).agg(before.alias("before"), after.alias("after")).collect()
    found = [(r, us) for r in rows for us in (r.before, r.after) if us is not None]
    return [f"({vehicle_is(r.session_id, r.vehicle_id)} AND event_ts = timestamp_micros({us}))" for r, us in found]


def _laps(change: Change) -> str:
    return f"({change.where} AND lap_number IN ({', '.join(map(str, change.laps))}))"


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(conditions)


def _on_target(condition: str) -> str:
    for column in ("session_id", "vehicle_id", "window_end_ts", "lap_number"):
        condition = condition.replace(f"{column} ", f"t.{column} ")
    return condition
