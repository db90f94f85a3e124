"""Which spans of time and which laps changed samples affect, and the conditions that select them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from medallion.keys import LapKey, vehicle_condition
from medallion.per_vehicle import VEHICLE

_REACH_US = 11_000_000  # a window of 10 s, a value at most 0.3 s old, rounded up to whole seconds


@dataclass(frozen=True)
class VehicleChange:
    """What changed of one vehicle.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        samples: ``session_id, vehicle_id, lap_number, first_us, last_us`` of the samples of each lap number, those
            without one among them: where they lie in event time, microseconds since the epoch.
    """

    session_id: str
    vehicle_id: str
    samples: tuple[Row, ...]

    @property
    def first_us(self) -> int:
        """First instant."""
        return min(int(s.first_us) for s in self.samples)

    @property
    def last_us(self) -> int:
        """Last instant."""
        return max(int(s.last_us) for s in self.samples)

    @property
    def laps(self) -> list[LapKey]:
        """Laps by the numbers that the samples carry."""
        numbers = sorted(s.lap_number for s in self.samples if s.lap_number is not None)
        return [LapKey(self.session_id, self.vehicle_id, number) for number in numbers]


def find_changes(rows: DataFrame) -> list[VehicleChange]:
    """Per vehicle what rows of ``silver.telemetry`` affect."""
    spans = rows.groupBy(*VEHICLE, "lap_number").agg(
        F.unix_micros(F.min("event_ts")).alias("first_us"), F.unix_micros(F.max("event_ts")).alias("last_us")
    )
    samples: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in spans.collect():
        samples[row.session_id, row.vehicle_id].append(row)
    return [VehicleChange(*vehicle, tuple(found)) for vehicle, found in sorted(samples.items())]


def windows_condition(changes: Iterable[VehicleChange], prefix: str = "") -> str:
    """SQL condition that selects the windows which saw a changed sample: they end up to a window's length after it."""
    return " OR ".join(_span(c, f"{prefix}window_end_ts", 0, _REACH_US, prefix) for c in changes)


def window_samples_condition(silver: DataFrame, changes: Sequence[VehicleChange]) -> str:
    """SQL condition that selects the samples which those windows are computed from."""
    spans = [_span(c, "event_ts", 2 * _REACH_US, _REACH_US) for c in changes]
    return " OR ".join([*spans, *_neighbouring_samples(silver, changes)])


def _span(change: VehicleChange, column: str, before_us: int, after_us: int, prefix: str = "") -> str:
    first, last = change.first_us - before_us, change.last_us + after_us
    vehicle = vehicle_condition(change.session_id, change.vehicle_id, prefix)
    return f"({vehicle} AND {column} BETWEEN timestamp_micros({first}) AND timestamp_micros({last}))"


def _neighbouring_samples(silver: DataFrame, changes: Sequence[VehicleChange]) -> list[str]:
    """The samples next to each span that is read: whether a window in a gap exists depends on where the gap ends."""
    mine = [F.expr(vehicle_condition(c.session_id, c.vehicle_id)) for c in changes]
    at = F.unix_micros("event_ts")
    first = F.coalesce(*(F.when(m, c.first_us - 2 * _REACH_US) for m, c in zip(mine, changes, strict=True)))
    last = F.coalesce(*(F.when(m, c.last_us + _REACH_US) for m, c in zip(mine, changes, strict=True)))
    before, after = F.max(F.when(at < first, at)), F.min(F.when(at > last, at))
    rows = silver.groupBy(*VEHICLE).agg(before.alias("before"), after.alias("after")).collect()
    found = [(r, us) for r in rows for us in (r.before, r.after) if us is not None]
    return [
        f"({vehicle_condition(r.session_id, r.vehicle_id)} AND event_ts = timestamp_micros({us}))" for r, us in found
    ]
