"""One of two aligned laps as it is compared: time, speed and pedals about every metre from line to line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.comparison.aligned_laps import AlignedLaps
from analysis.laps.distance import distance_at_time_m, driven_length_m, time_at_distance_s
from analysis.laps.full_throttle import DOWN_SHARE, is_full_throttle, throttle_plateau_pct
from analysis.laps.resample import interpolate_samples
from analysis.laps.trace import ChannelGap, LapTrace
from conf.arrays import BoolArray, FloatArray, IndexArray

_FEWEST_SPEEDS = 2


@dataclass(frozen=True)
class PlacedGap:
    """A stretch without speed, and where on the track it lies."""

    gap: ChannelGap
    start_m: float
    end_m: float


@dataclass(frozen=True)
class LapInputs:
    """A lap on an even grid; arrays of shape (n + 1,), the last point being the line again; NaN in gaps.

    Attributes:
        step_m: Grid step.
        time_s: Time since the line, by the timing at both ends.
        speed_kmh: Speed.
        throttle_pct: Throttle.
        brake_bar: Front brake pressure.
        gear: Gear.
        plateau_pct: What the throttle reads at full throttle; NaN where that is not known.
        speed_scale: Factor that brings the speed to the circuit's length: wheels and positions differ by a percent.
        gaps: Stretches without speed.
        own_plateau_pct: What the throttle reads at full throttle in this lap alone; ``plateau_pct`` if left out.
    """

    step_m: float
    time_s: FloatArray
    speed_kmh: FloatArray
    throttle_pct: FloatArray
    brake_bar: FloatArray
    gear: FloatArray
    plateau_pct: float
    speed_scale: float = 1.0
    gaps: tuple[PlacedGap, ...] = ()
    own_plateau_pct: float | None = None

    @classmethod
    def of(cls, aligned: AlignedLaps, trace: LapTrace, car_plateau_pct: float | None = None) -> LapInputs:
        """Read one of two aligned laps.

        Args:
            aligned: Both.
            trace: The one to read.
            car_plateau_pct: What the car's throttle reads at full throttle over the session, where that is known.
        """
        return cls.read(trace, aligned.length_m, aligned.throttle_channel, car_plateau_pct)

    @classmethod
    def read(
        cls, trace: LapTrace, length_m: float, throttle_channel: str, car_plateau_pct: float | None = None
    ) -> LapInputs:
        """Read a lap by itself.

        Args:
            trace: The lap.
            length_m: Length of the grid.
            throttle_channel: Which throttle.
            car_plateau_pct: What the car's throttle reads at full throttle over the session, where that is known.
        """
        n = round(length_m)
        scale = length_m / trace.end_m
        at_s = time_at_distance_s(trace, np.linspace(0.0, length_m, n + 1) / scale)
        none = np.full(len(trace.t_s), np.nan)

        def on_grid(channel: str, *, held: bool = False) -> FloatArray:
            return interpolate_samples(trace.t_s, trace.channels.get(channel, none), at_s, held=held)

        throttle = trace.channels.get(throttle_channel, none)
        placed = [
            PlacedGap(gap, *(distance_at_time_m(trace, [gap.start_s, gap.end_s]) * scale).tolist())
            for gap in trace.speed_gaps
        ]
        return cls(
            step_m=length_m / n,
            time_s=at_s,
            speed_kmh=on_grid("speed_kmh"),
            throttle_pct=on_grid(throttle_channel),
            brake_bar=on_grid("brake_front_bar"),
            gear=on_grid("gear", held=True),
            plateau_pct=throttle_plateau_pct(throttle, car_plateau_pct),
            speed_scale=_speed_scale(trace, length_m),
            gaps=tuple(placed),
            own_plateau_pct=throttle_plateau_pct(throttle),
        )

    @property
    def lap_plateau_pct(self) -> float:
        """What the throttle reads at full throttle in this lap, whatever the car's other laps do."""
        return self.plateau_pct if self.own_plateau_pct is None else self.own_plateau_pct

    @cached_property
    def scaled_kmh(self) -> FloatArray:
        """Speed on the circuit's scale, which two cars share."""
        return self.speed_kmh * self.speed_scale

    @property
    def distance_m(self) -> FloatArray:
        """Distance of the points from the line."""
        return np.arange(len(self.time_s), dtype=np.float64) * self.step_m

    @property
    def length_m(self) -> float:
        """Length of the lap."""
        return self.step_m * (len(self.time_s) - 1)

    @cached_property
    def is_down(self) -> BoolArray:
        """Where the foot is down on the throttle."""
        return is_full_throttle(self.throttle_pct, self.plateau_pct, DOWN_SHARE)

    def is_eased(self, brake_on_bar: float) -> BoolArray:
        """Where the foot is known to be off full throttle, or on the brakes."""
        eased = np.isfinite(self.throttle_pct) & np.isfinite(self.plateau_pct) & ~self.is_down
        return np.asarray(eased | (self.brake_bar >= brake_on_bar))

    def window(self, values: npt.NDArray[Any], start_m: float, end_m: float) -> tuple[FloatArray, npt.NDArray[Any]]:
        """Distances, counted on over the line, and values from ``start_m`` to ``end_m``."""
        index = np.arange(int(np.ceil(start_m / self.step_m - 1e-9)), int(np.floor(end_m / self.step_m + 1e-9)) + 1)
        return np.asarray(index * self.step_m, dtype=np.float64), values[self._on_ring(index)]

    def at(self, values: FloatArray, where_m: float) -> float | None:
        """A value at a place, ``None`` in a gap."""
        value = float(values[self._on_ring(np.array(round(where_m / self.step_m)))])
        return value if np.isfinite(value) else None

    def in_lap(self, where_m: float | None) -> float | None:
        """A place that may be counted on over the line, as its distance from the line."""
        return None if where_m is None else where_m % self.length_m

    def least_speed(self, start_m: float, end_m: float) -> tuple[float | None, float | None]:
        """Find the minimum speed: its distance, and the speed; ``None`` where a gap may hold it."""
        at_m, speed = self.window(self.speed_kmh, start_m, end_m)
        if not speed.size or not np.isfinite(speed).all():
            return None, None
        k = int(speed.argmin())
        return float(at_m[k]), float(speed[k])

    def passed_s(self, place_m: float) -> float:
        """Time since the line at a point of the grid, between 0 and the length."""
        return float(self.time_s[round(place_m / self.step_m)])

    def _on_ring(self, index: IndexArray) -> IndexArray:
        """Points of the grid: the lap's end is not its start; only what lies beyond either is counted over the line."""
        last = len(self.time_s) - 1
        return np.where((index >= 0) & (index <= last), index, index % last)


def _speed_scale(trace: LapTrace, length_m: float) -> float:
    speed = trace.channels.get("speed_kmh")
    if speed is None or np.isfinite(speed).sum() < _FEWEST_SPEEDS or not (driven_m := driven_length_m(trace)):
        return 1.0
    return length_m / driven_m
