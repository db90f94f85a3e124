"""Hand one vehicle's rows to the pure functions in ``physics``, and their results back to Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.laps.features import LAP_CHANNELS
from analysis.signals.windows import CHANNELS
from conf.contract import Column, Contract

VEHICLE = ["session_id", "vehicle_id"]
EXTRAS = ["lap_number", "driver_profile", "is_synthetic", "ambient_temp_c", "track_temp_c"]
AGGRESSIVE = "aggressive"
_STAMPS = ("run_id", "updated_ts")  # added by Spark, not by the feature functions


def feature_inputs(silver: DataFrame) -> DataFrame:
    """The columns that features need: ``t_us``, the channels as doubles, and the row's attributes."""
    channels = [F.col(c).cast("double").alias(c) for c in LAP_CHANNELS]
    order = F.unix_micros("event_ts").alias("t_us")
    return silver.select(*VEHICLE, order, "ecu_seq", *channels, *EXTRAS)


def order_by_time(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort rows of one vehicle or lap by time; ties by sequence, so that the order never depends on partitions."""
    return frame.sort_values(["t_us", "ecu_seq"], kind="stable", ignore_index=True)


def channel_arrays(
    frame: pd.DataFrame, names: Sequence[str] = CHANNELS
) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Channel arrays, those of :mod:`analysis.signals.windows` unless others are named; NaN for no value."""
    return {c: frame[c].to_numpy(np.float64, na_value=np.nan) for c in names}


def last_known_value(values: pd.Series) -> Any:
    """Last value that is not null, ``None`` where there is none."""
    known = values.dropna()
    return known.iloc[-1] if len(known) else None


def feature_schema(contract: Contract, *, without: tuple[str, ...] = ()) -> str:
    """DDL of the columns that a feature function returns: doubles and text for what pandas carries losslessly."""
    return ", ".join(f"`{c.name}` {_carried(c)}" for c in contract.columns if c.name not in without)


def _carried(column: Column) -> str:
    kinds = {"INT": "double", "BIGINT": "double", "TIMESTAMP": "timestamp"}
    return kinds.get(column.physical_type, column.physical_type)


def apply_by_vehicle(
    silver: DataFrame, function: Callable[[pd.DataFrame], Mapping[str, Any]], contract: Contract, run_id: str
) -> DataFrame:
    """Apply a feature function to each vehicle of each session.

    Args:
        silver: Rows of ``silver.telemetry``.
        function: Takes a vehicle's ordered rows, returns column arrays (less the vehicle's keys).
        contract: The table that the result is for.
        run_id: Job run.
    """
    names = [c.name for c in contract.columns if c.name not in _STAMPS]
    schema = feature_schema(contract, without=_STAMPS)
    numbers = [c.name for c in contract.columns if c.physical_type in ("DOUBLE", "INT", "BIGINT")]

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        result = pd.DataFrame(dict(function(order_by_time(frame))))
        result["session_id"], result["vehicle_id"] = frame["session_id"].iloc[0], frame["vehicle_id"].iloc[0]
        return result.reindex(columns=names)

    features = feature_inputs(silver).groupBy(*VEHICLE).applyInPandas(apply, schema)
    nullable = [F.nanvl(F.col(c), F.lit(None)).alias(c) if c in numbers else F.col(c) for c in names]
    return features.select(*nullable, F.lit(run_id).alias("run_id"))
