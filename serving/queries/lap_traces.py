"""The samples of one lap as the trace that the analyses take, without a JVM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from analysis.drivers.formatting import listed
from analysis.laps.build_trace import STOPPED_CLOCK, TimedSamples, build_lap_trace
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.reasons import RefusalError
from conf.settings import AppConfig
from conf.tables import SILVER_TELEMETRY
from serving.lake.rows import Value, columns_of
from serving.queries.laps import LapError, LapRow, read_laps

CHANNELS: Final = (
    "speed_kmh", "throttle_pct", "throttle_pedal_pct", "throttle_blade_pct", "brake_front_bar", "steering_deg", "gear",
    "rpm", "accel_long_g", "accel_lat_g", "lap_distance_m", "x_m", "y_m", "lat_deg", "lon_deg",
)  # fmt: skip


@dataclass(frozen=True)
class LoadedLap:
    """One lap with its samples.

    Attributes:
        row: The lap.
        trace: Its samples.
        throttle_source: ``pedal`` or ``blade``; ``None`` where there is no throttle.
    """

    row: LapRow
    trace: LapTrace
    throttle_source: str | None

    @property
    def time_s(self) -> float:
        """Lap time, line to line."""
        return self.trace.lap_time_s


def load_lap(
    settings: AppConfig, lap: LapRow, circuit: Circuit | None = None, channels: Sequence[str] = CHANNELS
) -> LoadedLap:
    """Read a lap's samples and say how far round each was taken.

    Args:
        settings: Whose lake to read.
        lap: The lap; its interval decides which samples are in it.
        circuit: Gives the scale of distance; without it distance stays as its source measures it.
        channels: Channels to read.

    Raises:
        LakeError: If ``silver.telemetry`` cannot be read.
        LapError: If the lap has no samples or no interval, or is refused by
            :func:`~analysis.laps.build_trace.build_lap_trace`.
    """
    if lap.start_us is None or lap.end_us is None or lap.end_us <= lap.start_us:
        raise LapError(f"{lap.uid}: nothing says when it began and ended in the time of the telemetry: choose another")
    found = _samples(settings, lap, channels)
    if not (found.num_rows and lap.is_covered):
        raise LapError(f"{lap.uid} has {_lack(lap)}: {_instead(settings, lap)}")
    samples = TimedSamples(
        _values(found, "event_ts").to_numpy(),
        np.array([source != STOPPED_CLOCK for source in found["clock_source"].to_pylist()], np.bool_),
        {name: _numbers(found, name) for name in channels},
        lap.start_us,
        lap.end_us,
    )
    try:
        trace = build_lap_trace(samples, circuit)
    except RefusalError as error:
        raise LapError(f"{lap.uid}: {error.refusal.text}") from error
    sources = [source for source in found["throttle_source"].to_pylist() if source is not None]
    return LoadedLap(lap, trace, sources[0] if sources else None)


def load_first(settings: AppConfig, laps: Iterable[LapRow], circuit: Circuit | None = None) -> LoadedLap | None:
    """The first of some laps that can be loaded, ``None`` where there is none."""
    for lap in laps:
        if lap.is_covered:
            try:
                return load_lap(settings, lap, circuit)
            except LapError:
                continue
    return None


def _lack(lap: LapRow) -> str:
    if not lap.sample_count or lap.telemetry_gap_s is None:
        return "no telemetry"
    return f"no telemetry for {lap.telemetry_gap_s:.1f} s of it"


def _instead(settings: AppConfig, lap: LapRow) -> str:
    """What to do about a lap without samples."""
    if lap.is_covered:
        return "its samples are not numbered yet, `slipstream stream silver` completes that"
    laps = read_laps(settings, lap.session_id)
    own = [str(one.lap_number) for one in laps if one.vehicle_id == lap.vehicle_id and one.is_covered]
    if own:
        return f"of {lap.car} {listed(own)} {'has' if len(own) == 1 else 'have'} it"
    cars = listed(sorted({one.car for one in laps if one.is_covered}))
    return f"in {lap.session_id} {cars} have it" if cars else f"no car of {lap.session_id} has it"


def _samples(settings: AppConfig, lap: LapRow, channels: Sequence[str]) -> pa.Table:
    where: dict[str, Value] = {"session_id": lap.session_id, "vehicle_id": lap.vehicle_id, "lap_number": lap.lap_number}
    columns = ("event_ts", "clock_source", "throttle_source", *channels)
    return columns_of(SILVER_TELEMETRY, settings, where, columns=columns, order_by=("event_ts", "ecu_seq"))


def _numbers(table: pa.Table, name: str) -> FloatArray:
    """A column as doubles, NaN for null, shape (n,); by polars, because pyarrow would load pandas for it."""
    return np.asarray(_values(table, name).cast(pl.Float64).fill_null(np.nan).to_numpy(), dtype=np.float64)


def _values(table: pa.Table, name: str) -> pl.Series:
    return pl.DataFrame({name: pl.from_arrow(table[name])})[name]
