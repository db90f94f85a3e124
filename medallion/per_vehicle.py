"""Hand one vehicle's rows to the pure functions in ``analysis``: on the driver where they are few, else by Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.laps.features import LAP_CHANNELS
from analysis.signals.windows import CHANNELS
from conf.contract import Column, Contract, load_contract
from conf.tables import SILVER_TELEMETRY
from medallion.arrow_rows import arrow_columns, stamp_rows
from medallion.exchange import exchange_table
from medallion.io import Lake, sync_rows
from medallion.part import Part
from medallion.samples import are_few, read_samples

VEHICLE = ["session_id", "vehicle_id"]
OfVehicle: TypeAlias = Callable[[pd.DataFrame], Mapping[str, Any]]
"""Takes a vehicle's rows in order of time, returns column arrays less the vehicle's keys."""
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


def sync_by_vehicle(lake: Lake, table: str, samples: Part, inside: Part, function: OfVehicle, run_id: str) -> None:
    """Make a part of a table equal to what a function finds in each vehicle's samples.

    Args:
        lake: Where the tables are.
        table: Table to write.
        samples: What of ``silver.telemetry`` it is computed from.
        inside: The part of the table that is written; what the function finds beside it is left out.
        function: What to compute.
        run_id: Job run.
    """
    contract = load_contract(table)
    if are_few(lake, samples):
        frame = read_samples(lake, samples, LAP_CHANNELS, [*VEHICLE, "ecu_seq", *EXTRAS])
        rows = compute_by_vehicle(frame, function, contract)
        exchange_table(lake, table, stamp_rows(rows.filter(pa.array(inside.mask(rows))), run_id), inside)
    else:
        silver = lake.read(SILVER_TELEMETRY).where(samples.sql())
        sync_rows(lake, apply_by_vehicle(silver, function, contract, run_id).where(inside.sql()), table, inside.sql)


def compute_by_vehicle(samples: pd.DataFrame, function: OfVehicle, contract: Contract) -> pa.Table:
    """What a function finds in each vehicle's samples, as rows of a table.

    Args:
        samples: The columns of :func:`feature_inputs`.
        function: What to compute.
        contract: The table.
    """
    found = [arrow_columns(contract.name, {}, 0)]
    for vehicle, rows in samples.groupby(VEHICLE, sort=True):
        columns = function(order_by_time(rows))
        n = len(next(iter(columns.values()), ()))
        keys = {name: pa.repeat(key, n) for name, key in zip(VEHICLE, vehicle, strict=True)}
        found.append(arrow_columns(contract.name, {**columns, **keys}, n))
    return pa.concat_tables(found)


def apply_by_vehicle(silver: DataFrame, function: OfVehicle, contract: Contract, run_id: str) -> DataFrame:
    """Rows of a table that a function finds in each vehicle's samples, computed by Spark.

    Args:
        silver: Rows of ``silver.telemetry``.
        function: What to compute.
        contract: The table that the result is for.
        run_id: Job run.
    """
    names = [c.name for c in contract.columns if c.name not in _STAMPS]
    schema = feature_schema(contract, without=_STAMPS)
    numbers = [c.name for c in contract.columns if c.physical_type in ("DOUBLE", "INT", "BIGINT")]

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        return _vehicle_frame(frame, function).reindex(columns=names)

    features = feature_inputs(silver).groupBy(*VEHICLE).applyInPandas(apply, schema)
    nullable = [F.nanvl(F.col(c), F.lit(None)).alias(c) if c in numbers else F.col(c) for c in names]
    stamps = {"run_id": F.lit(run_id), "updated_ts": F.current_timestamp()}
    return features.select(*nullable, *(stamps[c].alias(c) for c in _STAMPS if c in contract.column_names))


def _vehicle_frame(samples: pd.DataFrame, function: OfVehicle) -> pd.DataFrame:
    found = pd.DataFrame(dict(function(order_by_time(samples))))
    for name in VEHICLE:
        found[name] = samples[name].iloc[0]
    return found
