"""Which spans of time and which laps changed samples affect, and the parts of tables that these are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from conf.tables import SILVER_TELEMETRY
from medallion.gold.refresh.changed_rows import ChangedRows
from medallion.io import Lake
from medallion.keys import LapKey, Vehicle, vehicle_condition
from medallion.part import Part, Span, group_by_session, sessions_part, spans_part, vehicles_part
from medallion.per_vehicle import VEHICLE
from medallion.reading import read_table
from medallion.samples import are_few

WINDOW_REACH_US = 11_000_000  # a window of 10 s, a value at most 0.3 s old, rounded up to whole seconds


@dataclass(frozen=True)
class VehicleChange:
    """What changed of one vehicle.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        samples: The samples of each lap number, those without one among them.
    """

    session_id: str
    vehicle_id: str
    samples: tuple[ChangedRows, ...]

    @property
    def key(self) -> Vehicle:
        """Session and vehicle."""
        return self.session_id, self.vehicle_id

    @property
    def first_us(self) -> int:
        """First instant."""
        return min(s.first_us for s in self.samples if s.first_us is not None)

    @property
    def last_us(self) -> int:
        """Last instant."""
        return max(s.last_us for s in self.samples if s.last_us is not None)

    @property
    def laps(self) -> list[LapKey]:
        """Laps by the numbers that the samples carry."""
        numbers = sorted(s.lap_number for s in self.samples if s.lap_number is not None)
        return [LapKey(self.session_id, self.vehicle_id, number) for number in numbers]


def changes_by_vehicle(rows: Iterable[ChangedRows]) -> list[VehicleChange]:
    """What changed of each vehicle in ``silver.telemetry``."""
    samples: defaultdict[Vehicle, list[ChangedRows]] = defaultdict(list)
    for row in rows:
        if row.vehicle_id is not None and row.first_us is not None:
            samples[row.session_id, row.vehicle_id].append(row)
    return [VehicleChange(*vehicle, tuple(found)) for vehicle, found in sorted(samples.items())]


def changed_windows(changes: Iterable[VehicleChange]) -> Part:
    """The windows which saw a changed sample: they end up to a window's length after it."""
    return spans_part("window_end_ts", ((*c.key, Span(c.first_us, c.last_us + WINDOW_REACH_US)) for c in changes))


def window_samples(lake: Lake, changes: Sequence[VehicleChange]) -> Part:
    """The samples which those windows are computed from.

    The samples next to each span are among them: whether a window in a gap exists depends on where the gap ends.
    """
    spans = {c.key: Span(c.first_us - 2 * WINDOW_REACH_US, c.last_us + WINDOW_REACH_US) for c in changes}
    read = spans_part("event_ts", ((*key, span) for key, span in spans.items()))
    beside = _beside_on_driver if are_few(lake, read) else _beside_by_spark
    instants = ((*key, Span(us, us)) for *key, us in beside(lake, spans))
    return read | spans_part("event_ts", instants)  # type: ignore[arg-type]


def _beside_on_driver(lake: Lake, spans: Mapping[Vehicle, Span]) -> Iterator[tuple[str, str, int]]:
    rows = read_table(lake, SILVER_TELEMETRY, vehicles_part(group_by_session(spans)), (*VEHICLE, "event_ts"))
    for (session, vehicle), span in spans.items():
        own = rows.filter(vehicles_part({session: [vehicle]}).expression())
        at_us = np.sort(own["event_ts"].cast(pa.int64()).to_numpy())
        before, after = np.searchsorted(at_us, span.first_us), np.searchsorted(at_us, span.last_us, side="right")
        for place in (before - 1, after):
            if 0 <= place < len(at_us):
                yield session, vehicle, int(at_us[place])


def _beside_by_spark(lake: Lake, spans: Mapping[Vehicle, Span]) -> Iterator[tuple[str, str, int]]:
    silver = lake.read(SILVER_TELEMETRY).where(sessions_part(session for session, _ in spans).sql())
    mine = [(F.expr(vehicle_condition(*key)), span) for key, span in spans.items()]
    at = F.unix_micros("event_ts")
    first = F.coalesce(*(F.when(own, span.first_us) for own, span in mine))
    last = F.coalesce(*(F.when(own, span.last_us) for own, span in mine))
    before, after = F.max(F.when(at < first, at)), F.min(F.when(at > last, at))
    for row in silver.groupBy(*VEHICLE).agg(before.alias("before"), after.alias("after")).collect():
        for us in (row.before, row.after):
            if us is not None:
                yield row.session_id, row.vehicle_id, us
