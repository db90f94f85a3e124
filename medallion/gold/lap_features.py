"""``gold.lap_features``: one row per lap, by the car's counter until official timing is joined (B32, K5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.contract import load_contract
from medallion.gold.vehicles import by_vehicle, channel_arrays, last_known
from physics.lap_features import lap_features

TABLE = "gold.lap_features"


def laps(silver: DataFrame, run_id: str) -> DataFrame:
    """Features of every lap in ``silver`` (whole laps of ``silver.telemetry``)."""
    rows = by_vehicle(silver.where("lap_number is not null"), _of_vehicle, load_contract(TABLE), run_id)
    return rows.withColumn("updated_ts", F.current_timestamp())


def _of_vehicle(frame: pd.DataFrame) -> dict[str, Any]:
    rows = [_of_lap(int(str(lap)), rows) for lap, rows in frame.astype({"lap_number": int}).groupby("lap_number")]
    return pd.DataFrame(rows).to_dict(orient="series")  # type: ignore[return-value]


def _of_lap(lap: int, rows: pd.DataFrame) -> dict[str, Any]:
    t_us = rows["t_us"].to_numpy(np.int64)
    features = lap_features(t_us / 1e6, channel_arrays(rows))
    return {
        **features,
        "lap_number": lap,
        "lap_start_ts": pd.Timestamp(int(t_us.min()), unit="us"),
        "lap_end_ts": pd.Timestamp(int(t_us.max()), unit="us"),
        "is_synthetic": bool(last_known(rows["is_synthetic"])),
        "driver_profile": last_known(rows["driver_profile"]),
        "air_temp_c": rows["ambient_temp_c"].astype(float).mean(),
        "track_temp_c": rows["track_temp_c"].astype(float).mean(),
    }
