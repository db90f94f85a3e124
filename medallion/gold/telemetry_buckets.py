"""``gold.telemetry_buckets``: time per bucket of rpm, temperature and speed, lap by lap (V11)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from conf.contract import load_contract
from medallion.gold.vehicles import by_vehicle, channel_arrays
from physics.buckets import bucket_features

TABLE = "gold.telemetry_buckets"


def buckets(silver: DataFrame, run_id: str) -> DataFrame:
    """Buckets of every lap in ``silver`` (whole laps of ``silver.telemetry``)."""
    return by_vehicle(silver, _of_vehicle, load_contract(TABLE), run_id)


def _of_vehicle(frame: pd.DataFrame) -> dict[str, Any]:
    t_s = frame["t_us"].to_numpy(np.float64) / 1e6
    lap = frame["lap_number"].to_numpy(np.float64, na_value=np.nan)
    return dict(bucket_features(t_s, channel_arrays(frame), lap))
