"""What a batch of telemetry holds of each vehicle, where in the table its rows are, and what is known of its clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Row

from analysis.timing.session_laps import datetime_to_us
from conf.tables import SILVER_CLOCK_OFFSETS
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import Part, Span, group_by_session, vehicles_part
from medallion.reading import read_rows
from medallion.silver.telemetry import KEY, KnownClock

_MOST_PLACES: Final = 100


@dataclass(frozen=True)
class VehicleUnits:
    """What a batch holds of one vehicle.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        n: Units.
        n_bad: Refused ones among them.
        first_us: First instant of the others by the car's clock, since the epoch; ``None`` where there are none.
        last_us: Last instant.
        late_us: Lowest arrival delay.
    """

    session_id: str
    vehicle_id: str
    n: int
    n_bad: int
    first_us: int | None
    last_us: int | None
    late_us: int | None


def units_part(cars: Iterable[VehicleUnits]) -> Part:
    """Where in the table a batch's keys are: by vehicle and car clock; of many vehicles, by session."""
    known = [car for car in cars if car.first_us is not None and car.last_us is not None]
    by_vehicle = len(known) <= _MOST_PLACES
    spans: dict[tuple[str, ...], list[VehicleUnits]] = {}
    for car in known:
        key = (car.session_id, car.vehicle_id) if by_vehicle else (car.session_id,)
        spans.setdefault(key, []).append(car)
    return Part(
        tuple(
            dict(zip(KEY, ([name] for name in key), strict=False)) | {"ecu_ts": _span(found)}
            for key, found in sorted(spans.items())
        )
    )


def _span(cars: Sequence[VehicleUnits]) -> Span:
    first, last = zip(*((car.first_us, car.last_us) for car in cars), strict=True)
    return Span(min(first), max(last))


def best_clocks(lake: Lake, cars: Iterable[VehicleUnits]) -> list[KnownClock]:
    """Best clock known per vehicle: the latest segment's, or the lowest delay seen in this batch."""
    good = [car for car in cars if car.first_us is not None]  # the ids of others may be anything
    mine = vehicles_part(group_by_session((car.session_id, car.vehicle_id) for car in good))
    segments = sorted(read_rows(lake, SILVER_CLOCK_OFFSETS, mine), key=lambda r: r.segment)
    best = {(r.session_id, r.vehicle_id): _clock_of_segment(r) for r in segments}
    seen: dict[Vehicle, int] = {}
    for car in good:
        if car.late_us is not None:
            key = (car.session_id, car.vehicle_id)
            seen[key] = min(car.late_us, seen.get(key, car.late_us))
    return [*({key: KnownClock(*key, us) for key, us in seen.items()} | best).values()]


def _clock_of_segment(row: Row) -> KnownClock:
    drifts = row.drift_ppm and not row.stood_still  # where it did, the first instant says nothing of the drift
    drift, since_us = (row.drift_ppm / 1e6, datetime_to_us(row.ecu_from)) if drifts else (0.0, 0)
    return KnownClock(row.session_id, row.vehicle_id, row.offset_us, drift, since_us)
