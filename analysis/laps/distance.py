"""Distance of a car into its lap at every sample: by its distance sensor, else its position, else its speed (G17).

A reading may be older than its sample: GR Cup's lap distance comes at 4.6 Hz and lags by up to 0.2 s (10 m), in a beat
of about 2.6 s. Distance therefore follows the integral of speed, moved by what the readings say beyond it, smoothed
over that beat. All sources end up on one scale: zero at the line, the circuit's length at the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter1d, median_filter

from analysis.laps.trace import ChannelGap, DistanceSource, LapTrace, PassedSource
from analysis.tracks.circuit import Circuit
from analysis.tracks.projection import project_on_line, read_fixes
from conf.arrays import FloatArray
from conf.reasons import ReasonCode, RefusalError
from conf.units import KMH_PER_MPS

MAX_SPEED_GAP_S = 1.0
"""A longer interval without speed is reported."""
MAX_SILENCE_S = 5.0
"""A source without a reading for longer is passed over."""

_SENSOR_SMOOTHING_S = 1.3
_GPS_SMOOTHING_S = 0.2
_OUTLIER_FIXES = 5
_MAX_JUMP_M = 60.0
_MAX_START_M = 60.0
_MAX_BESIDE_M = 60.0
_LENGTH_TOLERANCE = 0.1
_GRID_S = 0.05


@dataclass(frozen=True)
class _LapSamples:
    """A lap's samples and the ends of the lap."""

    t_s: FloatArray
    channels: Mapping[str, FloatArray]
    lap_time_s: float
    circuit: Circuit | None

    @cached_property
    def speed(self) -> tuple[FloatArray, FloatArray]:
        """Times and values (m/s) of the samples of speed."""
        known = np.isfinite(values := self.channels.get("speed_kmh", np.full(len(self.t_s), np.nan)))
        return self.t_s[known], values[known] / KMH_PER_MPS

    @cached_property
    def instants_s(self) -> FloatArray:
        """The start, every sample, the end."""
        return np.concatenate([[0.0], self.t_s, [self.lap_time_s]])

    @cached_property
    def driven_m(self) -> FloatArray:
        """Integral of speed at ``instants_s``, speed being linear between its samples and held before and after them.

        At a steady pace of 1 m/s where there is no speed at all.
        """
        at_s, speed_mps = self.speed
        if not at_s.size:
            return self.instants_s
        speed = np.interp(self.instants_s, at_s, speed_mps)
        return np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2.0 * np.diff(self.instants_s))])


def place_samples(
    t_s: ArrayLike, channels: Mapping[str, ArrayLike], lap_time_s: float, circuit: Circuit | None = None
) -> LapTrace:
    """One lap with distance.

    Sources in order: ``lap_distance_m``, which may reset a little before or after the lap's ends; position projected
    on the circuit's line (``lat_deg`` and ``lon_deg`` where the circuit is tied to the earth, else ``x_m`` and
    ``y_m``); ``speed_kmh`` integrated. A source that is silent for over ``MAX_SILENCE_S``, jumps or contradicts the
    circuit is passed over, and the trace says why.

    Args:
        t_s: Time since the start of the lap, rising, shape (n,). Samples outside the lap are left out.
        channels: Canonical channel name to values, shape (n,), NaN where a channel has no value at that instant.
        lap_time_s: Lap time.
        circuit: Gives the scale. Without it distance stays as its source measures it, and positions are not used.

    Raises:
        RefusalError: If no source can be used.
        ValueError: If the arrays do not fit.
    """
    lap = _cut(t_s, channels, lap_time_s, circuit)
    passed_over: list[PassedSource] = []
    sources: dict[DistanceSource, Callable[[_LapSamples], FloatArray]] = {
        "sensor": _by_sensor,
        "gps": _by_position,
        "integrated": _by_speed,
    }
    for source, measure in sources.items():
        try:
            measured = measure(lap)
        except RefusalError as error:
            passed_over.append(PassedSource(source, error.refusal))
        else:
            return _on_scale(lap, source, measured, tuple(passed_over))
    raise RefusalError(ReasonCode.NO_DISTANCE, passed_over="; ".join(passed.text for passed in passed_over))


def measure_by_position(trace: LapTrace, circuit: Circuit) -> LapTrace:
    """The lap with its distance taken from its positions on a circuit's line.

    Raises:
        RefusalError: If it has no positions there.
    """
    lap = _LapSamples(trace.t_s, trace.channels, trace.lap_time_s, circuit)
    return _on_scale(lap, "gps", _by_position(lap), ())


def driven_length_m(trace: LapTrace) -> float:
    """Return the length of a lap as integrated from the car's own speed."""
    known = np.isfinite(trace.channels["speed_kmh"])
    t = np.concatenate([[0.0], trace.t_s[known], [trace.lap_time_s]])
    v = trace.channels["speed_kmh"][known] / KMH_PER_MPS
    return float(np.trapezoid(np.concatenate([v[:1], v, v[-1:]]), t))


def find_speed_gaps(t_s: FloatArray, speed_kmh: FloatArray, lap_time_s: float) -> tuple[ChannelGap, ...]:
    """Intervals of the lap without speed that are longer than ``MAX_SPEED_GAP_S``."""
    edges = np.concatenate([[0.0], t_s[np.isfinite(speed_kmh)], [lap_time_s]])
    long = np.flatnonzero(np.diff(edges) > MAX_SPEED_GAP_S)
    return tuple(ChannelGap(float(edges[k]), float(edges[k + 1])) for k in long)


def time_at_distance_s(trace: LapTrace, distance_m: ArrayLike) -> FloatArray:
    """Time since the start of the lap at which a car reaches given distances; the ends of the lap are exact."""
    along, at_s = distance_time_curve(trace)
    return np.interp(np.asarray(distance_m, dtype=np.float64), along, at_s)


def distance_at_time_m(trace: LapTrace, t_s: ArrayLike) -> FloatArray:
    """Distance that a car has reached at given times since the start of the lap."""
    along, at_s = distance_time_curve(trace)
    return np.interp(np.asarray(t_s, dtype=np.float64), at_s, along)


def distance_time_curve(trace: LapTrace) -> tuple[FloatArray, FloatArray]:
    """Return distance (not falling) and time (rising) from line to line, with exact ends."""
    inside = (trace.t_s > 0.0) & (trace.t_s < trace.lap_time_s)
    inside &= (trace.distance_m > 0.0) & (trace.distance_m < trace.end_m)
    return (
        np.concatenate([[0.0], trace.distance_m[inside], [trace.end_m]]),
        np.concatenate([[0.0], trace.t_s[inside], [trace.lap_time_s]]),
    )


def _cut(t_s: ArrayLike, channels: Mapping[str, ArrayLike], lap_time_s: float, circuit: Circuit | None) -> _LapSamples:
    t = np.asarray(t_s, dtype=np.float64)
    if not lap_time_s > 0.0:
        raise ValueError(f"lap_time_s is {lap_time_s}: give the time from line to line in seconds")
    if t.ndim != 1 or not bool(np.all(np.diff(t) >= 0.0)):
        raise ValueError("t_s must be one rising row of finite times: sort the lap's samples by event time")
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in channels.items()}
    for name, values in arrays.items():
        if values.shape != t.shape:
            raise ValueError(f"{name} has shape {values.shape} but t_s has {t.shape}: give one value (or NaN) a sample")
    inside = (t >= 0.0) & (t <= lap_time_s)
    return _LapSamples(t[inside], {name: values[inside] for name, values in arrays.items()}, lap_time_s, circuit)


def _on_scale(
    lap: _LapSamples, source: DistanceSource, measured_m: FloatArray, passed_over: tuple[PassedSource, ...]
) -> LapTrace:
    driven = float(measured_m[-1] - measured_m[0])
    length = driven if lap.circuit is None else lap.circuit.length_m
    distance = (measured_m[1:-1] - measured_m[0]) * (length / driven)
    return LapTrace(
        t_s=lap.t_s,
        distance_m=distance,
        channels=lap.channels,
        lap_time_s=lap.lap_time_s,
        length_m=length,
        distance_source=source,
        driven_m=driven,
        speed_gaps=find_speed_gaps(
            lap.t_s, lap.channels.get("speed_kmh", np.full(len(lap.t_s), np.nan)), lap.lap_time_s
        ),
        passed_over=passed_over,
    )


def _by_sensor(lap: _LapSamples) -> FloatArray:
    """Distance at the lap's instants by its sensor."""
    reading = lap.channels.get("lap_distance_m", lap.t_s[:0])
    known = np.flatnonzero(np.isfinite(reading))
    _refuse_silence(lap, lap.t_s[known])
    at_s, along, expected = lap.t_s[known], reading[known], lap.driven_m[1 + known]
    unwrapped = _unwrap(along, expected, at_s / lap.lap_time_s)
    jump = np.abs(np.diff(unwrapped - expected))
    if lap.speed[0].size and jump.max() > _MAX_JUMP_M:
        raise RefusalError(ReasonCode.SENSOR_JUMPS, jump_m=jump.max(), at_s=at_s[int(jump.argmax())])
    measured = _carry_by_speed(lap, at_s, unwrapped, _SENSOR_SMOOTHING_S)
    _refuse_other_length(lap, measured)
    return measured


def _unwrap(along_m: FloatArray, expected_m: FloatArray, share: FloatArray) -> FloatArray:
    """Readings without the resets that the sensor makes a little after the lap's start or before its end."""
    unwrapped = along_m.copy()
    for reset in np.flatnonzero(np.diff(along_m) < -0.5 * np.ptp(along_m)):
        fall = along_m[reset] - along_m[reset + 1] + expected_m[reset + 1] - expected_m[reset]
        if share[reset] < 0.1:
            unwrapped[: reset + 1] -= fall
        elif share[reset] > 0.9:
            unwrapped[reset + 1 :] += fall
        else:
            raise RefusalError(ReasonCode.SENSOR_RESETS, percent=100 * share[reset])
    return unwrapped


def _by_position(lap: _LapSamples) -> FloatArray:
    """Distance at the lap's instants by its positions on the circuit's line."""
    if lap.circuit is None:
        raise RefusalError(ReasonCode.NO_CIRCUIT_TO_PROJECT_ON)
    fixes = read_fixes(lap.t_s, lap.channels, lap.circuit.origin_deg)
    if fixes is None:
        raise RefusalError(ReasonCode.NO_POSITIONS)
    _refuse_silence(lap, fixes.t_s)
    length = lap.circuit.length_m
    driven = np.interp(fixes.t_s, lap.instants_s, lap.driven_m)
    seen = project_on_line(lap.circuit.line, fixes.x_m, fixes.y_m, driven * (length / lap.driven_m[-1]))
    if (beside := float(np.median(np.abs(seen.offset_m)))) > _MAX_BESIDE_M:
        raise RefusalError(ReasonCode.POSITIONS_BESIDE_LINE, beside_m=beside)
    along = driven + median_filter(seen.s_m - driven, _OUTLIER_FIXES, mode="nearest")
    measured = _carry_by_speed(lap, fixes.t_s, along, _GPS_SMOOTHING_S)
    miss = max(abs(measured[0]), abs(measured[-1] - length))
    if miss > _MAX_START_M:
        raise RefusalError(ReasonCode.POSITIONS_MISS_LINE, miss_m=miss)
    return measured


def _by_speed(lap: _LapSamples) -> FloatArray:
    """Distance at the lap's instants by its speed."""
    if lap.speed[0].size < 2 or lap.driven_m[-1] <= 0.0:
        raise RefusalError(ReasonCode.NO_SPEED)
    _refuse_other_length(lap, lap.driven_m)
    return lap.driven_m


def _refuse_other_length(lap: _LapSamples, measured_m: FloatArray) -> None:
    """Refuse what is not a lap of the circuit: part of one, brought to its length, would be anywhere on it."""
    driven = measured_m[-1] - measured_m[0]
    length = lap.circuit.length_m if lap.circuit else driven
    if not driven > 0.0 or abs(driven / length - 1.0) > _LENGTH_TOLERANCE:
        raise RefusalError(ReasonCode.SENSOR_LENGTH_WRONG, driven_m=driven, length_m=length)


def _refuse_silence(lap: _LapSamples, at_s: FloatArray) -> None:
    """Refuse a source whose readings, at these times, are too few."""
    if at_s.size < 2:
        raise RefusalError(ReasonCode.NO_READINGS)
    longest = float(np.diff(np.concatenate([[0.0], at_s, [lap.lap_time_s]])).max())
    if longest > MAX_SILENCE_S:
        raise RefusalError(ReasonCode.SOURCE_SILENT, longest_s=longest)


def _carry_by_speed(lap: _LapSamples, at_s: FloatArray, along_m: FloatArray, smoothing_s: float) -> FloatArray:
    """Readings carried to all instants by the speed between them; never falls.

    Args:
        lap: The lap.
        at_s: Times of the readings, shape (k,).
        along_m: Readings, shape (k,).
        smoothing_s: Standard deviation of the Gaussian over what the readings say beyond the speed; without speed
            nothing is smoothed.
    """
    beyond = along_m - np.interp(at_s, lap.instants_s, lap.driven_m)
    if lap.speed[0].size:
        grid = np.arange(0.0, lap.lap_time_s + _GRID_S, _GRID_S)
        smooth = gaussian_filter1d(np.interp(grid, at_s, beyond), smoothing_s / _GRID_S, mode="nearest", truncate=3.0)
        everywhere = np.interp(lap.instants_s, grid, smooth)
    else:
        everywhere = np.interp(lap.instants_s, at_s, beyond)
    return np.asarray(np.maximum.accumulate(lap.driven_m + everywhere), dtype=np.float64)
