"""``gold.telemetry_buckets``: time per bucket of rpm, temperature and speed, lap by lap (V11)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.signals.buckets import bucket_features
from medallion.per_vehicle import channel_arrays


def vehicle_buckets(frame: pd.DataFrame) -> dict[str, Any]:
    """Buckets of the laps of a vehicle, from the samples of whole laps in order of time."""
    # Each lap by itself: a value held from the lap before would make a lap depend on which others are recomputed.
    laps = [_lap_buckets(rows) for _, rows in frame.groupby("lap_number", sort=True)]
    return {name: np.concatenate([lap[name] for lap in laps]) for name in laps[0]} if laps else {}


def _lap_buckets(rows: pd.DataFrame) -> dict[str, Any]:
    t_s = rows["t_us"].to_numpy(np.float64) / 1e6
    return dict(bucket_features(t_s, channel_arrays(rows), rows["lap_number"].to_numpy(np.float64)))
