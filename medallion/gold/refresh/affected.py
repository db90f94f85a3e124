"""Which laps, drivers and sessions changed rows affect, and so are computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.tables import (
    GOLD_KARMA_SCORES,
    GOLD_STYLE_PREDICTIONS,
    SILVER_ENTRIES,
    SILVER_ENVIRONMENT,
    SILVER_LAPS,
    SILVER_RESULTS,
    SILVER_TELEMETRY,
)
from medallion.batching import batches_by_size
from medallion.gold.lap_features import REACH_US, laps_with_new_times
from medallion.gold.timed_laps import TimedLap, Vehicle, finished_laps, laps_near, read_timed_laps
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions, distinct_vehicles
from medallion.part import sessions_part
from medallion.silver.environment import NEAR_US

SOURCES: Final = (
    SILVER_LAPS,
    SILVER_TELEMETRY,
    SILVER_ENVIRONMENT,
    SILVER_RESULTS,
    SILVER_ENTRIES,
    GOLD_STYLE_PREDICTIONS,
    GOLD_KARMA_SCORES,
)


@dataclass(frozen=True)
class AffectedKeys:
    """Keys to compute again, each sorted.

    Attributes:
        features: Laps whose features are.
        analyses: Laps whose anomaly scores and 100 Hz traces are.
        vehicles: Sessions and vehicles that are summed up again, those of ``analyses`` among them.
        sessions: Sessions that are, those of all others among them.
    """

    features: Sequence[LapKey]
    analyses: Sequence[LapKey]
    vehicles: Sequence[Vehicle]
    sessions: Sequence[str]

    def split_by_session(self, most_laps: int) -> Iterator[AffectedKeys]:
        """The same in parts by session: of no more laps than ``most_laps``, or of one session."""
        laps = Counter(lap.session_id for lap in {*self.features, *self.analyses})
        named = {*laps, *self.sessions, *(session for session, _ in self.vehicles)}
        for sessions in batches_by_size({session: laps[session] for session in named}, most_laps):
            yield self._within(sessions)

    def _within(self, sessions: Collection[str]) -> AffectedKeys:
        return AffectedKeys(
            [lap for lap in self.features if lap.session_id in sessions],
            [lap for lap in self.analyses if lap.session_id in sessions],
            [vehicle for vehicle in self.vehicles if vehicle[0] in sessions],
            [session for session in self.sessions if session in sessions],
        )


def affected_by_laps(laps: Sequence[LapKey]) -> AffectedKeys:
    """What changed rows of ``silver.laps`` affect."""
    return AffectedKeys(laps, laps, distinct_vehicles(laps), distinct_sessions(laps))


def change_keys(source: str, rows: DataFrame) -> DataFrame:
    """Changed rows of one of ``SOURCES`` as :func:`find_affected` takes them, so that all of them make one stream."""
    at = F.unix_micros("event_ts") if source in (SILVER_TELEMETRY, SILVER_ENVIRONMENT) else F.lit(None).cast("bigint")
    vehicle = F.lit(None).cast("string") if source == SILVER_ENVIRONMENT else F.col("vehicle_id")
    lap = F.col("lap_number") if source in (SILVER_LAPS, SILVER_TELEMETRY) else F.lit(None).cast("int")
    return rows.select(
        F.lit(source).alias("source"),
        "session_id",
        vehicle.alias("vehicle_id"),
        lap.alias("lap_number"),
        at.alias("at_us"),
    )


def find_affected(lake: Lake, changes: DataFrame) -> AffectedKeys:
    """What changed rows of any of ``SOURCES`` affect.

    A lap takes its weather from measurements up to five minutes away. Samples affect a lap's analyses once the lap is
    over: those of a lap that is being driven come with its row in ``silver.laps``, not with every batch.

    Args:
        lake: Where the tables are.
        changes: Rows of :func:`change_keys`: added, removed, or before or after an update.
    """
    groups = changes.groupBy("source", "session_id", "vehicle_id", "lap_number").agg(
        F.min("at_us").alias("first_us"), F.max("at_us").alias("last_us")
    )
    rows = groups.where("session_id IS NOT NULL").collect()
    sessions = sorted({r.session_id for r in rows})
    timed = read_timed_laps(lake, sessions_part(sessions))
    of_laps = {LapKey(r.session_id, r.vehicle_id, r.lap_number) for r in rows if r.source == SILVER_LAPS}
    late = laps_of_changed_samples((r for r in rows if r.source == SILVER_TELEMETRY), timed) & finished_laps(timed)
    weather_laps = _laps_in_weather((r for r in rows if r.source == SILVER_ENVIRONMENT), timed)
    of_vehicles = (SILVER_RESULTS, SILVER_ENTRIES, GOLD_STYLE_PREDICTIONS, GOLD_KARMA_SCORES)
    others = {(r.session_id, r.vehicle_id) for r in rows if r.source in of_vehicles and r.vehicle_id}
    analyses = sorted(of_laps | late)
    vehicles = sorted(others | set(distinct_vehicles(analyses)))
    named = {r.session_id for r in rows if r.source == SILVER_ENVIRONMENT} | {session for session, _ in vehicles}
    features = laps_with_new_times(lake, sorted(of_laps), timed) | weather_laps
    return AffectedKeys(sorted(features), analyses, vehicles, sorted(named))


def laps_of_changed_samples(rows: Iterable[Any], timed: Mapping[Vehicle, Sequence[TimedLap]]) -> set[LapKey]:
    """Laps whose features changed samples may alter: by the number they carry, and by their time.

    Args:
        rows: ``session_id, vehicle_id, lap_number, first_us, last_us`` of groups of samples.
        timed: Laps by session and vehicle.
    """
    found: set[LapKey] = set()
    for r in rows:
        if r.lap_number is not None:
            found.add(LapKey(r.session_id, r.vehicle_id, r.lap_number))
        found.update(laps_near(timed.get((r.session_id, r.vehicle_id), ()), r.first_us, r.last_us, REACH_US))
    return found


def _laps_in_weather(rows: Iterable[Any], timed: Mapping[Vehicle, Sequence[TimedLap]]) -> set[LapKey]:
    return {
        key
        for r in rows
        for (session, _), laps in timed.items()
        if session == r.session_id
        for key in laps_near(laps, r.first_us, r.last_us, NEAR_US)
    }
