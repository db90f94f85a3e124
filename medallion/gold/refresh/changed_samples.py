"""Which spans of time and which laps changed samples affect, and the parts of tables that these are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from conf.arrays import IntArray
from conf.tables import SILVER_TELEMETRY
from medallion.arrow_rows import FIRST_US, LAST_US
from medallion.gold.refresh.changed_rows import ChangedRows
from medallion.io import Lake
from medallion.keys import LapKey, Vehicle
from medallion.part import Part, Span, sessions_part, spans_part
from medallion.per_vehicle import VEHICLE
from medallion.reading import read_table
from medallion.samples import are_few

_MINUTE_US = 60_000_000
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
    """The last sample before each span, sought in the minute before it first, and the first one behind it."""
    minute = {key: Span(span.first_us - _MINUTE_US, span.first_us - 1) for key, span in spans.items()}
    before = _event_times(lake, minute)
    missing = {key: Span(FIRST_US, span.first_us - 1) for key, span in spans.items() if not before[key].size}
    before |= _event_times(lake, missing)
    after = _event_times(lake, {key: Span(span.last_us + 1, LAST_US) for key, span in spans.items()})
    for key in spans:
        if before[key].size:
            yield *key, int(before[key].max())
        if after[key].size:
            yield *key, int(after[key].min())


def _event_times(lake: Lake, spans: Mapping[Vehicle, Span]) -> dict[Vehicle, IntArray]:
    """Event times of samples within a span of each vehicle, in microseconds."""
    part = spans_part("event_ts", ((*key, span) for key, span in spans.items()))
    rows = read_table(lake, SILVER_TELEMETRY, part, (*VEHICLE, "event_ts"))
    frame = rows.set_column(2, "event_ts", rows["event_ts"].cast(pa.int64())).to_pandas()
    found = {key: own.to_numpy(np.int64) for key, own in frame.groupby(VEHICLE)["event_ts"]}
    return {key: found.get(key, np.empty(0, np.int64)) for key in spans}


def _beside_by_spark(lake: Lake, spans: Mapping[Vehicle, Span]) -> Iterator[tuple[str, str, int]]:
    rows = [(*key, span.first_us, span.last_us) for key, span in spans.items()]
    wanted = lake.spark.createDataFrame(rows, "session_id string, vehicle_id string, first bigint, last bigint")
    silver = lake.read(SILVER_TELEMETRY).where(sessions_part(session for session, _ in spans).sql())
    at = F.unix_micros("event_ts")
    before, after = F.max(F.when(at < F.col("first"), at)), F.min(F.when(at > F.col("last"), at))
    found = silver.join(F.broadcast(wanted), VEHICLE).groupBy(*VEHICLE)
    for row in found.agg(before.alias("before"), after.alias("after")).collect():
        for us in (row.before, row.after):
            if us is not None:
                yield row.session_id, row.vehicle_id, us
