"""``gold.microsector_traces``: what laps did in each micro-sector, on even steps of distance (G11).

A lap's rows follow from its even grid of 100 Hz, the segmentation of its track and the scaler. Micro-sectors in which a
lap's speed is missing for long have no rows. Laps that nothing can be learned from get none at all; why is told to the
caller, who notes it in ``gold.lap_registry``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.laps.trace import LapTrace
from analysis.segmentation.lap_segments import EXTRA, NEEDED, NORMALISED, STEPS, LapSegmentError, LapSegments, split_lap
from analysis.tracks.circuit import Circuit
from conf.contract import load_contract
from conf.tables import GOLD_MICROSECTOR_TRACES, SILVER_LAPS, SILVER_TELEMETRY_100HZ
from medallion.gold.microsectors import PURPOSE, TrackSegmentation
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.part import sessions_part
from medallion.silver.lap_traces import LAP

_STAMPS: Final = ("updated_ts", "run_id")
_PROBLEM: Final = "problem"


@dataclass(frozen=True)
class ChannelScaling:
    """How channels are normalised: ``(x - least) / span``, in the order of ``NEEDED``.

    Attributes:
        scaler_id: Where the fitted scaler is kept.
    """

    scaler_id: str
    least: tuple[float, ...]
    span: tuple[float, ...]


@dataclass(frozen=True)
class LapSegmentation:
    """Outcome for one lap.

    Attributes:
        integrated_s: Lap time by the integrator; ``None`` where nothing could be learned from the lap.
        problem: Why not.
    """

    lap: LapKey
    integrated_s: float | None
    problem: str | None


def update_traces(
    lake: Lake,
    made: TrackSegmentation,
    circuit: Circuit,
    sessions: Sequence[str],
    scaling: ChannelScaling,
    fast: set[LapKey],
    run_id: str,
) -> list[LapSegmentation]:
    """Write the traces of all laps of sessions that are fit for a ghost, in the place of those there are.

    Args:
        lake: Where the tables are.
        made: Segmentation of the track.
        circuit: The track.
        sessions: Sessions driven on it.
        scaling: The scaler.
        fast: Laps that count as fast.
        run_id: Job run.

    Returns:
        What became of each lap.
    """
    found = segment_laps(lake, made, circuit, sessions, scaling, fast).persist()
    try:
        outcomes = found.groupBy(*LAP).agg(F.max("t_s").alias("time_s"), F.max(_PROBLEM).alias(_PROBLEM)).collect()
        good = found.where(f"{_PROBLEM} is null").drop(_PROBLEM)
        stamped = good.withColumns({"updated_ts": F.current_timestamp(), "run_id": F.lit(run_id)})
        lake.replace(stamped, GOLD_MICROSECTOR_TRACES, sessions_part(sessions).sql())
    finally:
        found.unpersist()
    return sorted(
        (LapSegmentation(LapKey(r.session_id, r.vehicle_id, r.lap_number), r.time_s, r[_PROBLEM]) for r in outcomes),
        key=lambda cut: cut.lap,
    )


def segment_laps(
    lake: Lake,
    made: TrackSegmentation,
    circuit: Circuit,
    sessions: Sequence[str],
    scaling: ChannelScaling,
    fast: set[LapKey],
) -> DataFrame:
    """Build the table's rows for laps fit for a ghost; a lap that cannot be split is one row with a ``problem``."""
    fit = lake.read(SILVER_LAPS).where(sessions_part(sessions).sql()).where(F.array_contains("fit_for", PURPOSE))
    times = fit.select(*LAP, ((F.unix_micros("lap_end_ts") - F.unix_micros("lap_start_ts")) / 1e6).alias("lap_s"))
    even = (
        lake.read(SILVER_TELEMETRY_100HZ)
        .where(sessions_part(sessions).sql())
        .drop("run_id")
        .join(F.broadcast(times), LAP)
    )
    columns = [c for c in load_contract(GOLD_MICROSECTOR_TRACES).columns if c.name not in _STAMPS]
    names = [*(c.name for c in columns), _PROBLEM]

    def cut(frame: pd.DataFrame) -> pd.DataFrame:
        lap = segment_lap(frame, made, circuit, scaling, fast).reindex(columns=names)
        # As objects, so that a text that is missing is None: pandas would make it NaN, which is no text.
        return lap.astype(dict.fromkeys(texts, object)).where(lap.notna(), None)

    texts = [c.name for c in columns if c.physical_type == "STRING"] + [_PROBLEM]
    # The gear may be missing, and pandas has no null among integers.
    types = {c.name: "double" if c.name == "gear" else c.physical_type for c in columns} | {_PROBLEM: "string"}
    rows = even.groupBy(*LAP).applyInPandas(cut, ", ".join(f"{name} {types[name]}" for name in names))
    doubles = [name for name, kind in types.items() if kind.lower() == "double"]
    rows = rows.withColumns({name: F.nanvl(name, F.lit(None)) for name in doubles})
    return rows.withColumn("gear", F.col("gear").cast("int"))


def segment_lap(
    frame: pd.DataFrame, made: TrackSegmentation, circuit: Circuit, scaling: ChannelScaling, fast: set[LapKey]
) -> pd.DataFrame:
    """One lap's rows, or one row that says why there are none.

    Args:
        frame: Its rows of ``silver.telemetry_100hz``, with ``lap_s``, the time from line to line.
        made: Segmentation of the track.
        circuit: The track.
        scaling: The scaler.
        fast: Laps that count as fast.
    """
    frame = frame.sort_values("sample_idx", ignore_index=True)
    first = frame.iloc[0]
    key = LapKey(first["session_id"], first["vehicle_id"], int(first["lap_number"]))
    own = {"session_id": key.session_id, "vehicle_id": key.vehicle_id, "lap_number": key.lap_number}
    try:
        found = split_lap(_trace(frame, circuit), circuit, made.track.pieces)
    except LapSegmentError as error:
        return pd.DataFrame([own | {_PROBLEM: str(error)}])
    shared: dict[str, Any] = own | {
        "lap_uid": key.uid,
        "track_id": made.track_id,
        "segmentation_version": made.version,
        "scaler_id": scaling.scaler_id,
        "is_fast_lap": key in fast,
        "is_synthetic": bool(frame["is_synthetic"].eq(True).any()),
    }
    whole = pd.DataFrame(_columns(found, made, scaling)).assign(**shared)
    return whole[np.repeat(found.is_seen, STEPS)]


def _trace(frame: pd.DataFrame, circuit: Circuit) -> LapTrace:
    channels = {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in (*NEEDED, *EXTRA)}
    t_s, distance_m = (frame[name].to_numpy(np.float64) for name in ("t_lap_s", "lap_distance_m"))
    return LapTrace(t_s, distance_m, channels, float(frame["lap_s"].iloc[0]), length_m=circuit.length_m)


def _columns(found: LapSegments, made: TrackSegmentation, scaling: ChannelScaling) -> dict[str, npt.NDArray[Any]]:
    """Columns of one lap, a row each step of each micro-sector."""
    n = len(made.track.pieces)

    def per_piece(values: npt.ArrayLike) -> npt.NDArray[Any]:
        return np.repeat(np.asarray(values), STEPS)

    speed = found.channels["speed_kmh"]
    channels = {name: values.ravel() for name, values in found.channels.items()}
    normalised = {
        name: (channels[channel] - least) / span
        for name, channel, least, span in zip(NORMALISED, NEEDED, scaling.least, scaling.span, strict=True)
    }
    return {
        "microsector_id": per_piece(np.arange(n)),
        "step": np.tile(np.arange(STEPS), n),
        "zone_type": per_piece([piece.kind for piece in made.track.pieces]),
        "frac_distance": np.tile(np.linspace(0.0, 1.0, STEPS), n),
        "distance_m": found.distance_m.ravel(),
        "t_s": found.t_s.ravel(),
        "duration_s": per_piece(found.t_s[:, -1] - found.t_s[:, 0]),
        "entry_speed_kmh": per_piece(speed[:, 0]),
        "exit_speed_kmh": per_piece(speed[:, -1]),
        **channels,
        **normalised,
    }
