"""Laps of ``silver.laps`` as the gold jobs need them: when they were driven, and what timing says of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.timing.session_laps import datetime_to_us
from conf.tables import SILVER_LAPS
from medallion.io import Lake
from medallion.keys import LapKey, Vehicle
from medallion.part import Part
from medallion.reading import read_rows


@dataclass(frozen=True)
class TimedLap:
    """A lap of ``silver.laps``; ``None`` where it says nothing.

    Attributes:
        key: Key.
        start_us: Start, microseconds since the epoch in the time of ``silver.telemetry.event_ts``.
        end_us: End, the same.
        is_complete: Whether it was driven from line to line.
        lap_time_ms: Lap time.
        sectors_s: Times of the three sectors.
        is_valid: Whether no reason speaks against it.
        samples: Rows of ``silver.telemetry`` within it.
    """

    key: LapKey
    start_us: int | None = None
    end_us: int | None = None
    is_complete: bool = True
    lap_time_ms: int | None = None
    sectors_s: tuple[float | None, ...] = (None, None, None)
    is_valid: bool | None = None
    samples: int = 0

    @property
    def interval_us(self) -> tuple[int, int] | None:
        """Start and end, ``None`` where either is unknown."""
        return None if self.start_us is None or self.end_us is None else (self.start_us, self.end_us)


def read_timed_laps(lake: Lake, part: Part) -> dict[Vehicle, list[TimedLap]]:
    """Laps of a part of ``silver.laps``, by session and vehicle in the order of their numbers."""
    sectors = [f"sector_{i}_time" for i in (1, 2, 3)]
    columns = (
        *("session_id", "vehicle_id", "lap_number", "lap_start_ts", "lap_end_ts"),
        *("invalid_reasons", "lap_time_ms", *sectors, "is_valid", "sample_count"),
    )
    laps: defaultdict[Vehicle, list[TimedLap]] = defaultdict(list)
    for r in read_rows(lake, SILVER_LAPS, part, columns):
        lap = TimedLap(
            LapKey(r.session_id, r.vehicle_id, r.lap_number),
            datetime_to_us(r.lap_start_ts),
            datetime_to_us(r.lap_end_ts),
            is_complete="incomplete" not in (r.invalid_reasons or ()),
            lap_time_ms=r.lap_time_ms,
            sectors_s=tuple(r[s] for s in sectors),
            is_valid=r.is_valid,
            samples=r.sample_count or 0,
        )
        laps[r.session_id, r.vehicle_id].append(lap)
    return {vehicle: sorted(found, key=lambda lap: lap.key) for vehicle, found in laps.items()}


def laps_near(laps: Iterable[TimedLap], first_us: int, last_us: int, reach_us: int) -> list[LapKey]:
    """Laps of which some instant lies within a span of time, or no further from it than ``reach_us``."""
    intervals = ((lap.key, lap.interval_us) for lap in laps)
    return [key for key, at in intervals if at and at[0] - reach_us <= last_us and first_us <= at[1] + reach_us]


def finished_laps(laps: Mapping[Vehicle, Sequence[TimedLap]]) -> set[LapKey]:
    """Return the finished laps: all but a vehicle's last one if it has not reached the line."""
    return {lap.key for found in laps.values() for lap in found if lap.is_complete or lap is not found[-1]}
