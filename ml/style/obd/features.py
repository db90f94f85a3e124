"""Features of trailing windows of rows.

The window of a row is that row and those before it in the same drive: nothing later, and nothing from another drive.
At the start of a drive the window is shorter. Nulls take the last value of the drive; before the first value they stay
null, which the forest handles as such. The label of a window is the label of its last row: the state the driver is in
now, which is what a live score is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from conf.arrays import IndexArray
from conf.units import KMH_PER_MPS
from ml.style.obd.order import TripOrder, restore_order, stored_order
from ml.style.obd.reader import ObdTrip

FeatureSet = Literal["v22", "motion", "no_engine_speed"]
RowOrder = Literal["stored", "driven"]
MIN_GEAR_SPEED_KMH = 5.0

Statistics = Mapping[str, tuple[str, ...]]
"""Which statistics of which channel are taken over each window."""

V22: Statistics = {
    "rpm": ("std", "min", "max", "range"),
    "engine_load_pct": ("mean", "max"),
    "power_factor": ("mean", "max"),
    "speed_kmh": ("mean", "std"),
}
MOTION: Statistics = {
    "accel_ms2": ("min", "max", "abs_mean"),
    "jerk_ms3": ("std",),
    "engine_load_pct": ("std",),
    "manifold_kpa": ("mean", "std"),
}
ENGINE: Statistics = {"rpm_change": ("abs_mean", "max"), "gear_rpm_per_kmh": ("mean", "std")}
ROAD: Statistics = {"engine_load_pct": ("mean", "max"), "speed_kmh": ("mean", "std", "range")}


def _merge(*parts: Statistics) -> Statistics:
    keys = {key: None for part in parts for key in part}
    return {key: tuple(stat for part in parts for stat in part.get(key, ())) for key in keys}


FEATURE_SETS: dict[FeatureSet, tuple[Statistics, tuple[str, ...]]] = {
    "v22": (V22, ("power_factor",)),
    "motion": (_merge(V22, MOTION, ENGINE), ("power_factor", "rpm", "speed_kmh", "accel_ms2")),
    "no_engine_speed": (_merge(ROAD, MOTION), ("engine_load_pct", "speed_kmh", "accel_ms2")),
}
"""Per set: statistics over each window, and channels whose last value is taken too (V22 and beyond)."""


@dataclass(frozen=True)
class TripWindows:
    """Windows of one trip, in the order of driving.

    Attributes:
        X: features (n_windows, n_features).
        row: file row (0-based) at which each window ends.
        drive: drive that each window belongs to.
        position: row within the drive at which the window ends.
    """

    X: pd.DataFrame
    row: IndexArray
    drive: IndexArray
    position: IndexArray


def make_windows(
    trip: ObdTrip, window_rows: Sequence[int], feature_set: FeatureSet, row_order: RowOrder, step_rows: int = 1
) -> TripWindows:
    """Windows of a trip at every `step_rows`-th row of each drive.

    Args:
        trip: a trip as read.
        window_rows: lengths of the trailing windows in rows; several lengths give features at several scales.
        feature_set: key of `FEATURE_SETS`.
        row_order: "driven" restores the order of driving first, "stored" takes the file as it stands.
        step_rows: rows from one window to the next.

    Raises:
        ValueError: a window shorter than 2 rows, a step below 1, no window length, an unknown set or order.
    """
    if feature_set not in FEATURE_SETS or row_order not in ("stored", "driven"):
        raise ValueError(f"unknown feature set {feature_set!r} or row order {row_order!r}; see FEATURE_SETS, RowOrder")
    if not window_rows or min(window_rows) < 2 or step_rows < 1:
        raise ValueError(f"window_rows {window_rows}, step_rows {step_rows}: give windows >= 2 rows and a step >= 1")
    order: TripOrder = restore_order(trip) if row_order == "driven" else stored_order(trip)
    frames = [drive_features(trip.signals.iloc[drive], window_rows, feature_set)[::step_rows] for drive in order.drives]
    sizes = [len(frame) for frame in frames]
    return TripWindows(
        X=pd.concat(frames, ignore_index=True),
        row=np.concatenate([drive[::step_rows] for drive in order.drives]),
        drive=np.repeat(np.arange(len(sizes)), sizes),
        position=np.concatenate([np.arange(size) * step_rows for size in sizes]),
    )


def drive_features(drive: pd.DataFrame, window_rows: Sequence[int], feature_set: FeatureSet) -> pd.DataFrame:
    """Features (n_rows, n_features) of one drive in time order, one row a second; columns are `channel_stat_rows`."""
    statistics, last = FEATURE_SETS[feature_set]
    channels = _channels(drive)
    columns = {f"{name}_last": channels[name] for name in last}
    for rows in window_rows:
        for name, wanted in statistics.items():
            columns |= {f"{name}_{stat}_{rows}": _STATISTICS[stat](channels[name], rows) for stat in wanted}
    return pd.DataFrame(columns)


def _channels(drive: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Measured and derived channels of a drive; speed steps are differences within the drive, never over a jump."""
    held = drive.ffill()
    speed, rpm, load = held["speed_kmh"], held["rpm"], held["engine_load_pct"]
    accel = speed.diff() / KMH_PER_MPS
    return {
        "rpm": rpm,
        "rpm_change": rpm.diff(),
        "engine_load_pct": load,
        "power_factor": rpm * load / 100.0,  # V22: engine speed times load fraction
        "speed_kmh": speed,
        "accel_ms2": accel,
        "jerk_ms3": accel.diff(),
        "manifold_kpa": held["manifold_kpa"],
        "gear_rpm_per_kmh": rpm / speed.clip(lower=MIN_GEAR_SPEED_KMH),
    }


def _range(values: pd.Series[float], rows: int) -> pd.Series[float]:
    window = values.rolling(rows, min_periods=1)
    return window.max() - window.min()


_STATISTICS: dict[str, Callable[[pd.Series[float], int], pd.Series[float]]] = {
    "mean": lambda values, rows: values.rolling(rows, min_periods=1).mean(),
    "std": lambda values, rows: values.rolling(rows, min_periods=1).std(ddof=0),
    "min": lambda values, rows: values.rolling(rows, min_periods=1).min(),
    "max": lambda values, rows: values.rolling(rows, min_periods=1).max(),
    "range": _range,
    "abs_mean": lambda values, rows: values.abs().rolling(rows, min_periods=1).mean(),
}
