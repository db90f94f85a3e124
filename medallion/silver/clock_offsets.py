"""``silver.clock_offsets``: every car's clock converted to UTC by the lower envelope of its delay.

Arrival minus car clock is the clock's offset plus a delay that is never negative, so the smallest differences of a
stretch show the offset. The envelope may drift (a line under all points) and steps where a clock was reset. Pure
numpy per vehicle; Spark only hands out the vehicles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.arrays import BoolArray, FloatArray, IntArray
from medallion.silver.clock_steps import find_clock_steps, number_segments

STILL_US = 2_000_000
"""One clock value that keeps arriving for longer than this means that the clock stands still."""
MIN_DRIFT_SPAN_US = 600_000_000
MAX_DRIFT = 200e-6


@dataclass(frozen=True, eq=False)
class ClockSegment:
    """A stretch of arrivals with one clock offset: ``event = ecu + offset + drift * (ecu - ecu_from)``.

    Attributes:
        first: Where it begins in the order of arrival.
        members: Samples that it is of, shape (m,); some may have come while another one lasted.
        offset_us: Offset at its first instant.
        drift: Seconds per second.
        spread_us: Median lateness over it.
    """

    first: int
    members: IntArray
    offset_us: int
    drift: float
    spread_us: int


def fit_lower_envelope(ecu_us: IntArray, lateness_us: IntArray) -> tuple[int, float]:
    """Offset at the segment's first instant and drift of the line that touches the lateness from below.

    Of all lines under the points, the one with the smallest mean distance runs along the edge of the lower convex hull
    over the mean abscissa. Short segments and implausible slopes get a level line: the minimum.

    Returns:
        Offset in microseconds at ``ecu_us.min()``, and drift (seconds per second).
    """
    origin = int(ecu_us.min())
    x = (ecu_us - origin).astype(float)
    level = int(lateness_us.min())
    if x.max() < MIN_DRIFT_SPAN_US:
        return level, 0.0
    hull = _lower_hull(x, (lateness_us - level).astype(float))
    hx = np.array([p[0] for p in hull])
    edge = int(np.clip(np.searchsorted(hx, x.mean()), 1, len(hull) - 1))
    (x0, y0), (x1, y1) = hull[edge - 1], hull[edge]
    drift = (y1 - y0) / (x1 - x0)
    if abs(drift) > MAX_DRIFT:
        return level, 0.0
    return level + round(y0 - drift * x0), float(drift)


def _lower_hull(x: FloatArray, y: FloatArray) -> list[tuple[float, float]]:
    order = np.lexsort((y, x))
    x, y = _drop_dents(x[order], y[order])
    hull: list[tuple[float, float]] = []
    for px, py in zip(x, y, strict=True):
        if hull and hull[-1][0] == px:
            continue
        while len(hull) > 1 and _turns_right(hull[-2], hull[-1], (px, py)):
            hull.pop()
        hull.append((float(px), float(py)))
    return hull


def _drop_dents(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points in order, less most of those that lie on or above the line between their neighbours: no corners.

    Args:
        x: Abscissas, ascending, shape (n,).
        y: Ordinates, ascending where abscissas are equal, shape (n,).
    """
    first = np.concatenate([[True], np.diff(x) > 0])  # of equal abscissas the lowest counts
    x, y = x[first], y[first]
    while len(x) > 2:
        a, b, c = slice(0, -2), slice(1, -1), slice(2, None)
        above = (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) <= 0
        if above.sum() <= len(x) // 10:
            break
        kept = np.concatenate([[True], ~above, [True]])
        x, y = x[kept], y[kept]
    return x, y


def _turns_right(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0


def find_stopped_clock(ecu_us: IntArray, arrival_us: IntArray) -> BoolArray:
    """Mark samples whose clock value kept arriving for more than two seconds in several samples.

    A clock that was put back says each value again, too, but other values in between.

    Args:
        ecu_us: Car clock per sample, shape (n,).
        arrival_us: Arrival per sample, shape (n,).
    """
    _, inverse, counts = np.unique(ecu_us, return_inverse=True, return_counts=True)
    low = np.full(len(counts), np.iinfo(np.int64).max)
    high = np.full(len(counts), np.iinfo(np.int64).min)
    np.minimum.at(low, inverse, arrival_us)
    np.maximum.at(high, inverse, arrival_us)
    in_order = np.sort(arrival_us)
    meanwhile = np.searchsorted(in_order, high, side="right") - np.searchsorted(in_order, low)
    still: BoolArray = ((counts > 1) & (high - low > STILL_US) & (meanwhile <= 2 * counts))[inverse]
    return still


def normalise_clock(ecu_us: IntArray, arrival_us: IntArray) -> tuple[IntArray, BoolArray, list[ClockSegment]]:
    """Event time of every sample of one vehicle.

    Args:
        ecu_us: Car clock in microseconds, in order of arrival, shape (n,).
        arrival_us: Arrival in microseconds, ascending, shape (n,).

    Returns:
        Event time (shape (n,)), which samples use arrival time, and the segments (indices into the input).
    """
    still = find_stopped_clock(ecu_us, arrival_us)
    event = arrival_us.copy()
    moving = np.flatnonzero(~still)
    segments: list[ClockSegment] = []
    if len(moving) == 0:
        return event, still, [ClockSegment(0, moving, int((arrival_us - ecu_us).min()), 0.0, 0)]
    lateness = (arrival_us - ecu_us)[moving]
    steps = find_clock_steps(arrival_us[moving], lateness)
    number = number_segments(arrival_us[moving], lateness, steps)
    for i, first in enumerate([0, *steps]):
        members = moving[number == i]
        ecu, late = ecu_us[members], lateness[number == i]
        offset, drift = fit_lower_envelope(ecu, late)
        shift = offset + np.round(drift * (ecu - ecu.min())).astype(np.int64)
        event[members] = ecu + shift
        segments.append(ClockSegment(int(moving[first]), members, offset, drift, int(np.median(late - shift))))
    return event, still, segments


ROW_SCHEMA = (
    "session_id string, vehicle_id string, ecu_ts timestamp, ecu_seq int, event_ts timestamp, clock_source string, "
    "segment int, offset_us bigint, drift_ppm double, spread_us bigint"
)


def compute_event_times(samples: DataFrame) -> DataFrame:
    """Event time of every row of some vehicles, with the segment it belongs to.

    Args:
        samples: ``session_id, vehicle_id, ecu_ts, ecu_seq, arrival_ts`` of whole vehicles.
    """
    micros = samples.select(
        "session_id",
        "vehicle_id",
        "ecu_seq",
        F.unix_micros("ecu_ts").alias("ecu_us"),
        F.unix_micros("arrival_ts").alias("arrival_us"),
    )
    return micros.groupBy("session_id", "vehicle_id").applyInPandas(restate_vehicle, ROW_SCHEMA)


def in_order_of_arrival(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of one vehicle in the order in which they arrived, see :func:`fill_arrivals` for those that do not say."""
    frame = frame.assign(arrival_us=fill_arrivals(frame["ecu_us"].to_numpy(np.int64), frame["arrival_us"]))
    return frame.sort_values(["arrival_us", "ecu_us", "ecu_seq"], kind="stable", ignore_index=True)


def fill_arrivals(ecu_us: IntArray, arrival_us: pd.Series) -> IntArray:
    """Arrival of every sample: where it is not known, as late as that of the sample next to it by the car's clock.

    Args:
        ecu_us: Car clock per sample, in any order, shape (n,).
        arrival_us: Arrival, null where it is not known, shape (n,).

    Returns:
        Shape (n,); the car's clock itself where no arrival is known at all.
    """
    known = arrival_us.notna().to_numpy()
    filled = arrival_us.where(known, 0).to_numpy(np.int64)
    if known.all():
        return filled
    at = np.flatnonzero(known)
    if not at.size:
        return ecu_us.copy()
    at = at[np.argsort(ecu_us[at], kind="stable")]
    clock = ecu_us[at]
    after = np.clip(np.searchsorted(clock, ecu_us[~known]), 0, len(at) - 1)
    before = np.clip(after - 1, 0, None)
    nearer = np.abs(clock[before] - ecu_us[~known]) <= np.abs(clock[after] - ecu_us[~known])
    beside = at[np.where(nearer, before, after)]
    filled[~known] = ecu_us[~known] + (filled - ecu_us)[beside]
    return filled


def restate_vehicle(frame: pd.DataFrame) -> pd.DataFrame:
    """Event time of every row of one vehicle, with the segment it belongs to, in the order of arrival.

    Args:
        frame: ``session_id, vehicle_id, ecu_us, ecu_seq, arrival_us`` of all its rows.
    """
    frame = in_order_of_arrival(frame)
    ecu = frame["ecu_us"].to_numpy(np.int64)
    arrival = frame["arrival_us"].to_numpy(np.int64)
    event, still, segments = normalise_clock(ecu, arrival)
    number = np.searchsorted([s.first for s in segments], np.arange(len(ecu)), side="right") - 1
    number = np.clip(number, 0, len(segments) - 1)
    for i, segment in enumerate(segments):
        number[segment.members] = i
    return pd.DataFrame(
        {
            "session_id": frame["session_id"],
            "vehicle_id": frame["vehicle_id"],
            "ecu_ts": pd.to_datetime(ecu, unit="us"),
            "ecu_seq": frame["ecu_seq"],
            "event_ts": pd.to_datetime(event, unit="us"),
            "clock_source": np.where(still, "arrival", "car"),
            "segment": number.astype(np.int32),
            "offset_us": np.array([s.offset_us for s in segments])[number],
            "drift_ppm": np.array([s.drift * 1e6 for s in segments])[number],
            "spread_us": np.array([s.spread_us for s in segments])[number],
        }
    )
