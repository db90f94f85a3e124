"""From laps to their samples, and from a lap's samples to the trace that the analyses take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from analysis.laps.build_trace import STOPPED_CLOCK, TimedSamples, build_lap_trace
from analysis.laps.trace import LapTrace
from analysis.timing.session_laps import datetime_to_us
from analysis.tracks.circuit import Circuit
from conf.reasons import RefusalError
from conf.tables import SILVER_LAPS, SILVER_TELEMETRY
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions
from medallion.part import laps_part, sessions_part
from medallion.per_vehicle import order_by_time
from medallion.reading import read_rows
from medallion.samples import read_samples

LAP: Final = ["session_id", "vehicle_id", "lap_number"]
CHANNELS: Final = (
    "speed_kmh",
    "throttle_pct",
    "brake_front_bar",
    "brake_pct",
    "steering_deg",
    "gear",
    "rpm",
    "accel_long_g",
    "accel_lat_g",
    "lap_distance_m",
    "x_m",
    "y_m",
    "lat_deg",
    "lon_deg",
)

_SAMPLE: Final = ("ecu_seq", "clock_source", "is_synthetic")
OfLap = Callable[[pd.DataFrame], pd.DataFrame]


def lap_samples(lake: Lake, laps: Sequence[LapKey], *of_lap: Column) -> DataFrame:
    """Samples of laps that have a start and an end: ``t_us``, channels as doubles, and the lap's own columns.

    Args:
        lake: Where the tables are.
        laps: Which laps.
        of_lap: What to have of ``silver.laps`` beside ``start_us``, ``end_us`` and ``fit_for``.
    """
    wanted, sessions = laps_part(laps).sql(), sessions_part(distinct_sessions(laps)).sql()
    start, end = (F.unix_micros(f"lap_{side}_ts").alias(f"{side}_us") for side in ("start", "end"))
    own = lake.read(SILVER_LAPS).where(sessions).where(wanted).where("lap_start_ts < lap_end_ts")
    own = own.select(*LAP, start, end, "fit_for", *of_lap)
    channels = [F.col(name).cast("double").alias(name) for name in CHANNELS]
    samples = lake.read(SILVER_TELEMETRY).where(sessions).where(wanted)
    samples = samples.select(
        *LAP, F.unix_micros("event_ts").alias("t_us"), "ecu_seq", "clock_source", "is_synthetic", *channels
    )
    return samples.join(F.broadcast(own), LAP)


def read_lap_frames(
    lake: Lake, laps: Sequence[LapKey], columns: Sequence[str] = (), purposes: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Read laps that have a start, an end and samples: the columns of :func:`lap_samples`, in order of time.

    Args:
        lake: Where the tables are.
        laps: Which laps.
        columns: What to have of ``silver.laps`` beside ``start_us``, ``end_us`` and ``fit_for``.
        purposes: Only laps that are fit for one of these.
    """
    names = [*LAP, "lap_start_ts", "lap_end_ts", "fit_for", *columns]
    rows = {}
    for row in read_rows(lake, SILVER_LAPS, laps_part(laps), names) if laps else ():
        start, end = datetime_to_us(row.lap_start_ts), datetime_to_us(row.lap_end_ts)
        fit = purposes is None or not set(purposes).isdisjoint(row.fit_for or ())
        if start is not None and end is not None and start < end and fit:
            rows[LapKey(*row[:3])] = {"start_us": start, "end_us": end, **{c: row[c] for c in ("fit_for", *columns)}}
    if not rows:
        return
    samples = read_samples(lake, laps_part(sorted(rows)), CHANNELS, [*LAP, *_SAMPLE])
    for _, found in samples.groupby(LAP, sort=True):
        frame = order_by_time(found)
        first = frame.iloc[0]
        key = LapKey(first["session_id"], first["vehicle_id"], int(first["lap_number"]))
        for name, value in rows[key].items():
            frame[name] = pd.Series([value] * len(frame), dtype="int64" if isinstance(value, int) else object)
        yield frame


def apply_by_lap(samples: DataFrame, function: OfLap, schema: str) -> DataFrame:
    """Apply a function to the samples of each lap, in order of time; ties by sequence, whatever the partitions."""

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        return function(order_by_time(frame))

    return samples.groupBy(*LAP).applyInPandas(apply, schema)


def build_trace(frame: pd.DataFrame, circuit: Circuit | None) -> LapTrace:
    """Build the trace of one lap from its rows.

    Args:
        frame: The lap's samples of :func:`lap_samples`, in order of time.
        circuit: Gives the scale of distance; ``None`` leaves it as its source measures it.

    Raises:
        RefusalError: If rates and distances of this lap cannot be trusted, see
            :func:`~analysis.laps.build_trace.build_lap_trace`.
    """
    samples = TimedSamples(
        frame["t_us"].to_numpy(np.int64),
        (frame["clock_source"] != STOPPED_CLOCK).to_numpy(np.bool_),
        {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in CHANNELS},
        int(frame["start_us"].iloc[0]),
        int(frame["end_us"].iloc[0]),
    )
    return build_lap_trace(samples, circuit)


def read_traces(lake: Lake, laps: Sequence[LapKey], circuits: Mapping[str, Circuit]) -> list[tuple[LapKey, LapTrace]]:
    """Read laps and build their traces; see :func:`build_traces`."""
    return build_traces(read_lap_frames(lake, laps), circuits)


def build_traces(laps: Iterable[pd.DataFrame], circuits: Mapping[str, Circuit]) -> list[tuple[LapKey, LapTrace]]:
    """Build the traces of laps, in their order; laps without one are left out.

    Args:
        laps: As :func:`build_trace` takes them.
        circuits: Circuit of each session, where it is known.
    """
    found = []
    for frame in laps:
        first = frame.iloc[0]
        lap = LapKey(first["session_id"], first["vehicle_id"], int(first["lap_number"]))
        try:
            found.append((lap, build_trace(frame, circuits.get(lap.session_id))))
        except RefusalError:
            continue
    return found


def is_synthetic(frame: pd.DataFrame) -> bool:
    """Whether any sample of the lap is simulated."""
    return bool(frame["is_synthetic"].eq(True).any())
