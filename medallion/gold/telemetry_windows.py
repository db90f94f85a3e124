"""``gold.telemetry_windows``: ten-second windows, one a second (V11, V20-V22)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.signals.windows import WINDOW_S, window_ends, window_features
from medallion.per_vehicle import AGGRESSIVE, channel_arrays, last_known_value


def vehicle_windows(frame: pd.DataFrame) -> dict[str, Any]:
    """Windows of a vehicle, from its samples in order of time."""
    t_s = frame["t_us"].to_numpy(np.float64) / 1e6
    ends_s = window_ends(t_s)
    features = window_features(t_s, channel_arrays(frame), ends_s)
    profile, synthetic = last_known_value(frame["driver_profile"]), last_known_value(frame["is_synthetic"])
    n = len(ends_s)
    label = None if profile is None else ("AGGRESSIVE" if profile == AGGRESSIVE else "NORMAL")
    return {
        **features,
        "window_end_ts": pd.to_datetime((ends_s * 1e6).astype(np.int64), unit="us"),
        "window_start_ts": pd.to_datetime(((ends_s - WINDOW_S) * 1e6).astype(np.int64), unit="us"),
        "style_label": np.full(n, label, dtype=object),
        "label_source": np.full(n, None if label is None else "simulator", dtype=object),
        "is_synthetic": np.full(n, bool(synthetic), dtype=bool),
    }
