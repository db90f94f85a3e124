"""Time a vehicle spends per bucket of engine speed, temperature and road speed, lap by lap (V11, GO-3).

Time is an integral: a value holds until the next sample, for up to ``MAX_GAP_S``, and where a channel has no sample for
longer nothing is told of its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.signals.held import (
    Channels,
    HeldSignal,
    align_signals,
    clip_signal,
    hold_samples,
    seconds_to_us,
    time_weighted_slope,
)
from analysis.signals.integrals import MAX_GAP_S, describe_gap, longest_gap_s
from analysis.signals.windows import ENGINE_TEMP_BIN_C, RPM_BIN, RPM_OVERFLOW_BIN, hold_channels
from conf.arrays import FloatArray

Columns = dict[str, NDArray[np.generic]]
_NO_LAP: Final = -1.0


@dataclass(frozen=True, slots=True)
class BucketKind:
    """Buckets ``[i * width, (i + 1) * width)`` of a channel; with an overflow, that bucket has no upper edge."""

    channel: str
    width: float
    overflow: int | None = None

    def bucket(self, value: FloatArray) -> FloatArray:
        """Bucket of each value."""
        index = np.floor(value / self.width)
        return index if self.overflow is None else np.clip(index, 0, self.overflow)


BUCKET_KINDS: Final = {
    "rpm": BucketKind("rpm", RPM_BIN, RPM_OVERFLOW_BIN),
    "engine_temp": BucketKind("engine_temp_c", ENGINE_TEMP_BIN_C),
    "brake_temp": BucketKind("brake_temp_c", 100.0),
    "speed": BucketKind("speed_kmh", 20.0),
}


def bucket_features(t_s: ArrayLike, channels: Channels, lap: ArrayLike) -> Columns:
    """Seconds, share of the lap and averages per lap and bucket, for one vehicle of one session.

    Args:
        t_s: Shape (n,), event time in seconds, in any order.
        channels: Canonical channel name to shape (n,), NaN where it has no value at that instant.
        lap: Shape (n,), lap number, NaN outside a lap. It holds between samples as a channel does.

    Returns:
        Column name to array, one entry per lap, kind and bucket in that order; ``bucket_high`` is NaN for the
        overflow, averages are NaN where the channel has no value there. ``seconds`` is NaN where the channel has no
        sample for too long, and ``reason`` says so. ``thermal_trend_c_per_s`` is the least-squares slope of the engine
        temperature over the lap. Kinds whose channel is missing yield no row.

    Raises:
        ValueError: If a channel's shape is not that of ``t_s``.
    """
    t_us = seconds_to_us(t_s) if np.size(t_s) else np.empty(0, np.int64)
    held = hold_channels(t_us, channels, MAX_GAP_S)
    laps = hold_samples(t_us, np.nan_to_num(np.asarray(lap, dtype=np.float64), nan=_NO_LAP), MAX_GAP_S)
    if t_us.size:
        laps = clip_signal(laps, int(t_us.min()), int(t_us.max()))
    trends = {
        number: time_weighted_slope(_seconds_during(held["engine_temp_c"], laps, number))
        for number in np.unique(laps.value)
    }
    names = [kind.channel for kind in BUCKET_KINDS.values()]
    start, end, (number, *values) = align_signals(laps, *(held[name] for name in names))
    seconds = (end - start) / 1e6
    inside = np.isfinite(number) & (number != _NO_LAP)
    number, seconds = number[inside], seconds[inside]
    by_name = {name: value[inside] for name, value in zip(names, values, strict=True)}
    spans = {
        each: (int(start[inside][number == each][0]), int(end[inside][number == each][-1]))
        for each in np.unique(number)
    }
    gaps = {
        kind: {each: longest_gap_s(held[BUCKET_KINDS[kind].channel], *span) for each, span in spans.items()}
        for kind in BUCKET_KINDS
    }
    parts = [_kind_rows(kind, number, seconds, by_name, trends, gaps[kind]) for kind in BUCKET_KINDS]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(columns["lap_number"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


def _kind_rows(
    name: str,
    lap: FloatArray,
    seconds: FloatArray,
    values: dict[str, FloatArray],
    trends: dict[float, float],
    gaps_s: dict[float, float],
) -> Columns:
    kind = BUCKET_KINDS[name]
    known = np.isfinite(values[kind.channel])
    keys = np.stack([lap[known], kind.bucket(values[kind.channel][known])])
    unique, group = np.unique(keys, axis=1, return_inverse=True)
    laps, bucket = unique
    group = group.reshape(-1)

    def average(channel: str) -> FloatArray:
        value = values[channel][known]
        weight = np.where(np.isfinite(value), seconds[known], 0.0)
        total = np.bincount(group, weight, bucket.size)
        summed = np.bincount(group, weight * np.nan_to_num(value), bucket.size)
        return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)

    spent = np.bincount(group, seconds[known], bucket.size)
    whole = {number: float(seconds[lap == number].sum()) for number in np.unique(laps)}
    return {
        "lap_number": laps.astype(np.int64),
        "bucket_kind": np.full(bucket.size, name, dtype=object),
        "bucket": bucket.astype(np.int64),
        "bucket_low": bucket * kind.width,
        "bucket_high": np.where(bucket == kind.overflow, np.nan, (bucket + 1) * kind.width),
        "seconds": np.where([gaps_s[number] > MAX_GAP_S for number in laps], np.nan, spent),
        "share": spent / np.array([whole[number] for number in laps]),
        "rpm_avg": average("rpm"),
        "engine_temp_avg_c": average("engine_temp_c"),
        "brake_temp_avg_c": average("brake_temp_c"),
        "thermal_trend_c_per_s": np.array([trends[number] for number in laps]),
        "reason": np.array([_gap_reason(kind.channel, gaps_s[number]) for number in laps], dtype=object),
    }


def _gap_reason(channel: str, gap_s: float) -> str | None:
    return describe_gap(channel, gap_s) if gap_s > MAX_GAP_S else None


def _seconds_during(signal: HeldSignal, laps: HeldSignal, number: float) -> HeldSignal:
    start, end, (value, lap) = align_signals(signal, laps)
    inside = np.isfinite(value) & (lap == number)
    return HeldSignal(start[inside], end[inside], value[inside])
