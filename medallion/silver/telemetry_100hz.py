"""``silver.telemetry_100hz``: laps on an even grid of 100 Hz (G7), those fit to be compared or learned from.

A lap's rows follow from its samples and its circuit. They are many, so laps are compared with what the table holds by a
digest, and only those that differ are written, whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.laps.resample import RATE_HZ, EvenLap, resample_lap
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from analysis.tracks.projection import to_plane_metres
from conf.contract import load_contract
from conf.reasons import RefusalError
from conf.tables import SILVER_TELEMETRY_100HZ
from medallion.arrow_rows import arrow_frame, arrow_rows, stamp_rows
from medallion.exchange import exchange_table
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions
from medallion.part import laps_part, sessions_part
from medallion.samples import are_few
from medallion.silver.lap_traces import LAP, apply_by_lap, build_trace, is_synthetic, lap_samples, read_lap_frames
from medallion.silver.tracks import circuits_by_session

PURPOSES: Final = ("ghost", "pace")
_WHOLE: Final = ("gear", "sector_id")
_STEP_US: Final = 1_000_000 // RATE_HZ
_READ: Final = (
    "speed_kmh",
    "throttle_pct",
    "brake_front_bar",
    "brake_pct",
    "steering_deg",
    "gear",
    "rpm",
    "accel_long_g",
    "accel_lat_g",
)


def update_100hz(lake: Lake, laps: Sequence[LapKey], run_id: str) -> bool:
    """Bring the even grid of laps up to date; returns whether any was written or removed.

    Laps that are no longer fit for comparison lose their rows.
    """
    if not laps:
        return False
    known = sorted(set(laps))
    circuits = circuits_by_session(lake, distinct_sessions(known))
    if not are_few(lake, laps_part(known)):
        return _update_by_spark(lake, known, circuits, run_id)
    frames = (
        resample_lap_frame(lap, circuits.get(lap["session_id"].iloc[0]))
        for lap in read_lap_frames(lake, known, purposes=PURPOSES)
    )
    found = [arrow_frame(SILVER_TELEMETRY_100HZ, frame) for frame in frames if frame is not None]
    rows = pa.concat_tables([arrow_rows(SILVER_TELEMETRY_100HZ, ()), *found])
    return bool(exchange_table(lake, SILVER_TELEMETRY_100HZ, stamp_rows(rows, run_id), laps_part(known)))


def _update_by_spark(lake: Lake, known: Sequence[LapKey], circuits: Mapping[str, Circuit], run_id: str) -> bool:
    rows = resample_laps(lap_samples(lake, known), circuits).withColumn("run_id", F.lit(run_id)).persist()
    try:
        there = (
            lake.read(SILVER_TELEMETRY_100HZ)
            .where(sessions_part(distinct_sessions(known)).sql())
            .where(laps_part(known).sql())
        )
        now, before = _lap_digests(rows), _lap_digests(there)
        differ = [lap for lap in known if now.get(lap) != before.get(lap)]
        if differ:
            where = f"({sessions_part(distinct_sessions(differ)).sql()}) AND ({laps_part(differ).sql()})"
            lake.replace(rows.where(where), SILVER_TELEMETRY_100HZ, where)
        return bool(differ)
    finally:
        rows.unpersist()


def resample_laps(samples: DataFrame, circuits: Mapping[str, Circuit]) -> DataFrame:
    """Rows of ``silver.telemetry_100hz`` of the laps that are fit for one of ``PURPOSES`` and can be resampled.

    Args:
        samples: From :func:`~medallion.silver.lap_traces.lap_samples`.
        circuits: By session, where they are known.
    """
    columns = [c for c in load_contract(SILVER_TELEMETRY_100HZ).columns if c.name != "run_id"]
    names = [c.name for c in columns]
    known = dict(circuits)

    def even(frame: pd.DataFrame) -> pd.DataFrame:
        lap = resample_lap_frame(frame, known.get(frame["session_id"].iloc[0]))
        return pd.DataFrame(columns=names) if lap is None else lap.reindex(columns=names)

    # Whole numbers that may be missing travel as doubles: pandas has no null among integers.
    schema = ", ".join(f"{c.name} {'double' if c.name in _WHOLE else c.physical_type}" for c in columns)
    fit = samples.where(F.arrays_overlap("fit_for", F.array(*map(F.lit, PURPOSES))))
    doubles = [c.name for c in columns if c.physical_type == "DOUBLE" or c.name in _WHOLE]
    found = apply_by_lap(fit, even, schema).withColumns({name: F.nanvl(name, F.lit(None)) for name in doubles})
    return found.withColumns({name: F.col(name).cast("int") for name in _WHOLE})


def resample_lap_frame(frame: pd.DataFrame, circuit: Circuit | None) -> pd.DataFrame | None:
    """One lap on the grid, ``None`` where it has no distance or its times cannot be trusted.

    Args:
        frame: The lap's samples in order of time.
        circuit: Where it was driven.
    """
    try:
        trace = build_trace(frame, circuit)
    except RefusalError:
        return None
    even = resample_lap(trace)
    first = frame.iloc[0]
    at_us = int(first["start_us"]) + even.sample_idx * _STEP_US
    return pd.DataFrame(
        {
            **{name: first[name] for name in LAP},
            "sample_idx": even.sample_idx,
            "t_lap_s": even.t_lap_s,
            "event_ts": pd.to_datetime(at_us, unit="us"),
            "lap_distance_m": even.lap_distance_m,
            **{name: even.channels[name] for name in _READ},
            **_position_columns(even, trace, circuit),
            "is_interpolated": even.is_interpolated,
            "is_synthetic": is_synthetic(frame),
        }
    )


def _position_columns(even: EvenLap, trace: LapTrace, circuit: Circuit | None) -> dict[str, Any]:
    """Position on the circuit's plane, sector, and what the distance follows."""
    x, y = even.channels["x_m"], even.channels["y_m"]
    if circuit is not None and circuit.origin_deg is not None:
        x, y = to_plane_metres(even.channels["lat_deg"], even.channels["lon_deg"], circuit.origin_deg)
    sector: Any = np.nan
    if circuit is not None and circuit.sector_ends_m:
        sector = 1.0 + np.searchsorted(circuit.sector_ends_m, even.lap_distance_m, side="right")
    return {"x_m": x, "y_m": y, "sector_id": sector, "distance_source": trace.distance_source}


def _lap_digests(rows: DataFrame) -> dict[LapKey, tuple[int, str]]:
    """Number of rows and a sum over their contents, by lap."""
    content = [name for name in load_contract(SILVER_TELEMETRY_100HZ).column_names if name not in ("run_id", *LAP)]
    total = F.sum(F.xxhash64(*content).cast("decimal(38,0)")).cast("string").alias("digest")
    found = rows.groupBy(*LAP).agg(F.count(F.lit(1)).alias("n"), total).collect()
    return {LapKey(r.session_id, r.vehicle_id, r.lap_number): (r.n, r.digest) for r in found}
