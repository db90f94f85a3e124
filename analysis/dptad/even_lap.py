"""One lap on an even 20 Hz grid, on which the rules search for incidents.

Literal delta counts keep the 10 Hz grid of :mod:`analysis.signals.held`; incidents need a finer one, and channels that
come at 4.6 Hz need values in between. Between two samples at most ``MAX_AGE_S`` apart a channel is read off the
straight line through them (a held speed would lag by a tenth of a second, three metres at 30 m/s); across a longer gap
it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from analysis.laps.trace import LapTrace
from analysis.signals.held import MAX_AGE_S, US_PER_S, hold_samples, seconds_to_us
from conf.arrays import FloatArray, IntArray

STEP_US: Final = 50_000
STEP_S: Final = STEP_US / US_PER_S

# Columns of a lap and the channels that they hold.
CHANNEL_OF: Final[Mapping[str, str]] = {
    "speed_kmh": "speed_kmh",
    "throttle_pct": "throttle_pct",
    "brake_bar": "brake_front_bar",
    "steering_deg": "steering_deg",
    "rpm": "rpm",
    "gear": "gear",
    "long_g": "accel_long_g",
    "lat_g": "accel_lat_g",
}


@dataclass(frozen=True, eq=False)
class DptadLap:
    """Channels of a lap every 0.05 s from its first sample; NaN where one has no value, shape (n,) each.

    Attributes:
        t_s: Time since the start of the lap.
        distance_m: Distance from the line.
        speed_kmh: Speed.
        throttle_pct: Throttle.
        brake_bar: Front brake pressure.
        steering_deg: Steering wheel angle, positive to the left.
        rpm: Engine speed.
        gear: Gear engaged.
        long_g: Longitudinal acceleration.
        lat_g: Lateral acceleration, of unknown sign (:mod:`analysis.dptad.handling`).
    """

    t_s: FloatArray
    distance_m: FloatArray
    speed_kmh: FloatArray
    throttle_pct: FloatArray
    brake_bar: FloatArray
    steering_deg: FloatArray
    rpm: FloatArray
    gear: FloatArray
    long_g: FloatArray
    lat_g: FloatArray

    @property
    def length_km(self) -> float:
        """Distance covered."""
        return float(self.distance_m[-1] - self.distance_m[0]) / 1000.0


def grid_steps(seconds: float) -> int:
    """Grid steps of a time, rounded."""
    return round(seconds / STEP_S)


def resample_to_grid(trace: LapTrace) -> DptadLap:
    """Resample a lap to the grid; the order of its samples does not matter.

    Raises:
        ValueError: If the lap has no sample, or a channel's shape is not that of ``t_s``.
    """
    if np.size(trace.t_s) == 0:
        raise ValueError("t_s is empty: a lap needs at least one sample; skip laps without any")
    t_us = seconds_to_us(trace.t_s)
    grid = np.arange(t_us.min(), t_us.max() + 1, STEP_US, dtype=np.int64)

    def channel(name: str) -> FloatArray:
        values = trace.channels.get(name)
        if values is None:
            return np.full(grid.shape, np.nan)
        try:
            return interpolate_channel(t_us, values, grid)
        except ValueError as error:
            raise ValueError(f"channel {name}: {error}") from error

    columns = {column: channel(name) for column, name in CHANNEL_OF.items()}
    return DptadLap(
        t_s=grid / US_PER_S,
        distance_m=np.interp(grid, *_strictly_rising(t_us, trace.distance_m)),
        **{**columns, "gear": np.round(columns["gear"])},
    )


def sort_by_time(trace: LapTrace) -> LapTrace:
    """The lap with its samples in order of time."""
    order = np.argsort(trace.t_s, kind="stable")
    channels = {name: values[order] for name, values in trace.channels.items()}
    return replace(trace, t_s=trace.t_s[order], distance_m=trace.distance_m[order], channels=channels)


def interpolate_channel(
    t_us: IntArray, values: FloatArray, grid_us: IntArray, max_gap_s: float = MAX_AGE_S
) -> FloatArray:
    """A channel at grid instants, linear between samples at most ``max_gap_s`` apart, else NaN.

    Raises:
        ValueError: If the shapes differ.
    """
    held = hold_samples(t_us, values, max_gap_s)
    if held.start_us.size == 0:
        return np.full(grid_us.shape, np.nan)
    after = np.searchsorted(held.start_us, grid_us)
    before = np.searchsorted(held.start_us, grid_us, side="right") - 1
    inside = (before >= 0) & (after < held.start_us.size)
    safe_before, safe_after = np.maximum(before, 0), np.minimum(after, held.start_us.size - 1)
    close = held.start_us[safe_after] - held.start_us[safe_before] <= max_gap_s * US_PER_S
    return np.where(inside & close, np.interp(grid_us, held.start_us, held.value), np.nan)


def _strictly_rising(t_us: IntArray, distance_m: FloatArray) -> tuple[IntArray, FloatArray]:
    order = np.lexsort((distance_m, t_us))
    return t_us[order], np.maximum.accumulate(distance_m[order])


def rate_of_change(x: FloatArray) -> FloatArray:
    """Rate of change over 0.1 s around each grid point, unit per second; NaN beside a gap."""
    out = np.full(x.shape, np.nan)
    out[1:-1] = (x[2:] - x[:-2]) / (2 * STEP_S)
    return out


def rolling_mean(x: FloatArray, width: int) -> FloatArray:
    """Mean over ``width`` (odd) grid points around each; NaN beside a gap and at the ends."""
    out = np.full(x.shape, np.nan)
    if x.size >= width:
        out[width // 2 : x.size - width // 2] = np.lib.stride_tricks.sliding_window_view(x, width).mean(axis=1)
    return out


def root_mean_square(x: FloatArray) -> float:
    """Root mean square of the values that are known; NaN where none is."""
    known = x[np.isfinite(x)]
    return float(np.sqrt(np.mean(known**2))) if known.size else np.nan
