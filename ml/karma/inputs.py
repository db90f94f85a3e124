"""From columns of ``gold.lap_features`` to what a model of wear learns from.

Wear laws are products of powers, so a model works with logarithms: of the features and of the damage per km.
Temperatures stay as they are, for the laws are exponential in them; sums and counts of a lap are taken per km.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from conf.arrays import BoolArray, FloatArray

PER_KM: Final = frozenset(
    {
        "impact_count",
        "impact_sum_g",
        "gear_shift_count",
        "downshift_count",
        "skipped_gear_count",
        "shift_rpm_sum",
        "over_rev_rpm_s",
    }
)
_SELDOM: Final = 0.02  # share of laps without any of it from which a feature counts as one that most laps lack
_RANGE: Final = (0.5, 99.5)  # percentiles between which the training laps' values count as known
_EDGE: Final = 0.1  # how far beyond, as a share of that range, a value still does


@dataclass(frozen=True, eq=False)
class InputScaling:
    """How columns become inputs, fixed on the training laps; arrays of shape (n_columns,).

    Attributes:
        columns: Columns, in the order of the inputs.
        offset: Added before the logarithm is taken; NaN where none is.
        mean: Of the training inputs.
        std: Of the training inputs.
        low: Lower end of what training saw, as inputs.
        high: Upper end.
    """

    columns: tuple[str, ...]
    offset: FloatArray
    mean: FloatArray
    std: FloatArray
    low: FloatArray
    high: FloatArray

    def to_inputs(self, laps: pd.DataFrame) -> FloatArray:
        """Inputs, shape (n_laps, n_columns), of mean zero and spread one over the training laps."""
        return (_log_values(input_values(laps, self.columns), self.offset) - self.mean) / self.std

    def outside(self, inputs: FloatArray) -> FloatArray:
        """How far inputs lie outside what training saw, as a share of its range; zero within."""
        span = np.maximum(self.high - self.low, 1e-9)
        beyond = np.maximum(self.low - inputs, inputs - self.high) / span
        return np.maximum(beyond - _EDGE, 0.0)


def fit_scaling(laps: pd.DataFrame, columns: Sequence[str]) -> InputScaling:
    """Fix the scaling on training laps.

    Args:
        laps: Rows with the columns and ``distance_km``; none may be missing.
        columns: Columns to learn from.
    """
    values = input_values(laps, columns)
    offset = np.array([_log_offset(name, column) for name, column in zip(columns, values.T, strict=True)])
    logged = _log_values(values, offset)
    mean, std = logged.mean(axis=0), logged.std(axis=0)
    std = np.where(std > 1e-9, std, 1.0)
    low, high = (np.percentile((logged - mean) / std, at, axis=0) for at in _RANGE)
    return InputScaling(tuple(columns), offset, mean, std, low, high)


def input_values(laps: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    """Columns as numbers, sums and counts per km, shape (n_laps, n_columns); NaN where a lap lacks one."""
    km = laps["distance_km"].to_numpy(dtype=np.float64)
    values = laps[list(columns)].astype(np.float64).to_numpy()
    per_km = np.array([name in PER_KM for name in columns])
    return np.where(per_km, values / km[:, None], values)


def has_all_columns(laps: pd.DataFrame, columns: Sequence[str]) -> BoolArray:
    """Which laps have every column, shape (n_laps,)."""
    known: BoolArray = np.isfinite(laps[list(columns)].astype(np.float64).to_numpy()).all(axis=1)
    return known


def _log_offset(name: str, column: FloatArray) -> float:
    """What keeps the logarithm finite: next to nothing for a feature that every lap has, a third of its size else."""
    if name.endswith("_c"):
        return np.nan
    positive = column[column > 0]
    if not positive.size:
        return 1.0
    seldom = np.mean(column <= 0) > _SELDOM
    return float(np.median(positive) * (0.3 if seldom else 0.01))


def _log_values(values: FloatArray, offset: FloatArray) -> FloatArray:
    is_linear = np.isnan(offset)
    logged = np.log(np.maximum(values, 0.0) + np.where(is_linear, 1.0, offset))
    return np.where(is_linear, values, logged)
