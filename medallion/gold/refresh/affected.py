"""Which laps, drivers and sessions changed rows affect, and so are computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.laps.features import REACH_US
from conf.tables import SILVER_ENVIRONMENT, SILVER_LAPS, SILVER_TELEMETRY
from medallion.batching import batches_by_size
from medallion.gold.lap_features import laps_with_new_times
from medallion.gold.refresh.changed_rows import OF_VEHICLES, ChangedRows
from medallion.gold.refresh.changed_samples import VehicleChange, changes_by_vehicle
from medallion.gold.refresh.driven_laps import NOTHING_WAITS, PutOff, Waiting, laps_being_driven
from medallion.gold.timed_laps import TimedLap, finished_laps, laps_near, read_timed_laps
from medallion.io import Lake
from medallion.keys import LapKey, Vehicle, distinct_vehicles
from medallion.part import sessions_part
from medallion.silver.environment import NEAR_US


@dataclass(frozen=True)
class AffectedKeys:
    """Keys to compute again, each sorted.

    Attributes:
        features: Laps whose features are.
        analyses: Laps whose anomaly scores and 100 Hz traces are.
        vehicles: Sessions and vehicles that are summed up again, those of ``analyses`` among them.
        sessions: Sessions that are summed up, those of ``vehicles`` among them.
        samples: What changed of each vehicle's samples: its windows are computed again.
        buckets: Laps whose buckets are.
    """

    features: Sequence[LapKey]
    analyses: Sequence[LapKey]
    vehicles: Sequence[Vehicle]
    sessions: Sequence[str]
    samples: Sequence[VehicleChange] = ()
    buckets: Sequence[LapKey] = ()

    def split_by_session(self, most_laps: int) -> Iterator[AffectedKeys]:
        """The same in parts by session: of no more laps than ``most_laps``, or of one session."""
        laps = Counter(lap.session_id for lap in {*self.features, *self.analyses, *self.buckets})
        laps.update(change.session_id for change in self.samples)
        named = {*laps, *self.sessions, *(session for session, _ in self.vehicles)}
        for sessions in batches_by_size({session: laps[session] for session in named}, most_laps):
            yield self._within(sessions)

    def _within(self, sessions: Collection[str]) -> AffectedKeys:
        return AffectedKeys(
            [lap for lap in self.features if lap.session_id in sessions],
            [lap for lap in self.analyses if lap.session_id in sessions],
            [vehicle for vehicle in self.vehicles if vehicle[0] in sessions],
            [session for session in self.sessions if session in sessions],
            [change for change in self.samples if change.session_id in sessions],
            [lap for lap in self.buckets if lap.session_id in sessions],
        )


def find_affected(
    lake: Lake, changes: Sequence[ChangedRows], waiting: Waiting = NOTHING_WAITS
) -> tuple[AffectedKeys, PutOff]:
    """What changed rows of the sources affect.

    A lap takes its weather from measurements up to five minutes away. Samples affect a lap's features at once, and its
    analyses once the lap is over: those of a lap that is being driven come with its row in ``silver.laps``, not with
    every batch.

    Args:
        lake: Where the tables are.
        changes: What changed.
        waiting: What was put off before; nothing is, and nothing was, if left out.

    Returns:
        What to compute, and what is put off.
    """
    sessions = {r.session_id for r in changes} | {lap.session_id for lap in waiting.since}
    timed = read_timed_laps(lake, sessions_part(sessions))
    of_laps = {
        LapKey(r.session_id, str(r.vehicle_id), int(r.lap_number or 0)) for r in changes if r.source == SILVER_LAPS
    }
    samples = changes_by_vehicle(r for r in changes if r.source == SILVER_TELEMETRY)
    near_samples = laps_of_changed_samples((r for change in samples for r in change.samples), timed)
    weather_laps = _laps_in_weather((r for r in changes if r.source == SILVER_ENVIRONMENT), timed)
    bucket_laps = {lap for change in samples for lap in change.laps}
    over = finished_laps(timed)
    changed = of_laps | near_samples | weather_laps | bucket_laps
    driven = laps_being_driven(timed, changed | waiting.since.keys())
    put_off = waiting.put_off(changed, driven, sessions)
    of_laps, near_samples, weather_laps, bucket_laps = map(
        put_off.select, (of_laps, near_samples, weather_laps, bucket_laps)
    )
    others = {(r.session_id, r.vehicle_id) for r in changes if r.source in OF_VEHICLES and r.vehicle_id}
    analyses = sorted(of_laps | (near_samples & over))
    vehicles = sorted(others | set(distinct_vehicles(analyses)))
    named = {r.session_id for r in changes if r.source == SILVER_ENVIRONMENT} | {session for session, _ in vehicles}
    features = laps_with_new_times(lake, sorted(of_laps), timed) | weather_laps | near_samples
    affected = AffectedKeys(sorted(features), analyses, vehicles, sorted(named), samples, sorted(bucket_laps))
    return affected, put_off


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
