"""Gear and engine speed that belong to a ghost's speed, as the cars' own laps show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.laps.resample import interpolate_samples
from analysis.laps.trace import LapTrace
from conf.arrays import FloatArray, IndexArray, IntArray

_FEWEST: Final = 10  # instants of one gear
_LEAST_SHARE: Final = 0.01  # of all instants: a gear that is used less is a shift on the way
_ENGAGED: Final = 0.08  # a ratio further off its gear's belongs to a shift or a slipping clutch
_HYSTERESIS: Final = 0.03  # share of the speed between shifting up and down again


@dataclass(frozen=True)
class ObservedGearbox:
    """What laps showed of a gearbox; gears in rising order, each array shape (gears,).

    Attributes:
        gears: Their numbers.
        rpm_per_kmh: Engine speed per car's speed.
        rpm_low: Lowest engine speed used in each gear.
        rpm_high: Highest.
        up_kmh: Speed at which a ghost leaves a gear upwards; infinite for the highest.
        down_kmh: Speed below which it leaves a gear downwards; zero for the lowest.
    """

    gears: tuple[int, ...]
    rpm_per_kmh: FloatArray
    rpm_low: FloatArray
    rpm_high: FloatArray
    up_kmh: FloatArray
    down_kmh: FloatArray

    def gear(self, speed_kmh: FloatArray) -> IntArray:
        """Gear at each point of a flying lap, shape as given.

        Up and down at different speeds, so that it cannot flicker; the first point follows on the last.
        """
        index = int(np.searchsorted(self.up_kmh, speed_kmh[0]))
        found = np.empty(2 * len(speed_kmh), dtype=np.int64)
        for k, speed in enumerate(np.concatenate([speed_kmh, speed_kmh])):
            while speed > self.up_kmh[index]:
                index += 1
            while speed < self.down_kmh[index]:
                index -= 1
            found[k] = index
        return np.array(self.gears, dtype=np.int64)[found[len(speed_kmh) :]]

    def rpm(self, speed_kmh: FloatArray, gear: IntArray) -> FloatArray:
        """Engine speed in a gear."""
        return np.asarray(self.rpm_per_kmh[self._index(gear)] * speed_kmh)

    def beyond_rpm(self, speed_kmh: FloatArray, gear: IntArray) -> FloatArray:
        """By how much the engine speed leaves what was seen in that gear: positive above, negative below, else 0."""
        k, rpm = self._index(gear), self.rpm(speed_kmh, gear)
        return np.asarray(np.maximum(rpm - self.rpm_high[k], 0.0) + np.minimum(rpm - self.rpm_low[k], 0.0))

    def _index(self, gear: IntArray) -> IndexArray:
        """Where each gear stands in the arrays; a gear that was never seen counts as the nearest."""
        return np.asarray(np.abs(np.array(self.gears)[:, None] - gear[None, :]).argmin(axis=0))


def learn_gearbox(traces: Sequence[LapTrace]) -> ObservedGearbox | None:
    """Ratios (median over all laps) and engine speeds used; ``None`` where the laps have no gear or engine speed.

    A ghost shifts up at the highest engine speed that drivers used in a gear, and down between where the lower gear
    fits again and where the higher one would turn more slowly than drivers let it.
    """
    seen = np.concatenate([np.empty((0, 3)), *(_readings(trace) for trace in traces)])
    fewest = max(_FEWEST, round(_LEAST_SHARE * len(seen)))
    of_gear = {int(g): _ratio(seen[seen[:, 0] == g], fewest) for g in np.unique(seen[:, 0])}
    found = [(gear, *ratio) for gear, ratio in of_gear.items() if ratio is not None]
    if not found:
        return None
    gears, ratio, low, high = (np.array(x) for x in zip(*found, strict=True))
    up = np.append(high[:-1] / ratio[:-1], np.inf)
    # A lower gear is taken when it fits with room to spare, and at the latest where the engine would turn too slowly.
    fits = np.concatenate([[0.0], (1.0 - _HYSTERESIS) * high[:-1] / ratio[:-1]])
    down = np.concatenate([[0.0], np.clip((fits + low / ratio)[1:] / 2.0, (low / ratio)[1:], fits[1:])])
    return ObservedGearbox(tuple(int(g) for g in gears), ratio, low, high, up, down)


def _readings(trace: LapTrace) -> FloatArray:
    """Gear, engine speed and speed (km/h) at the samples of the engine speed, shape (n, 3)."""
    none = np.full(len(trace.t_s), np.nan)
    rpm = trace.channels.get("rpm", none)
    at = np.flatnonzero(np.isfinite(rpm))
    gear = interpolate_samples(trace.t_s, trace.channels.get("gear", none), trace.t_s[at], held=True)
    speed = interpolate_samples(trace.t_s, trace.channels.get("speed_kmh", none), trace.t_s[at])
    rows = np.stack([gear, rpm[at], speed], axis=1)
    return np.asarray(rows[np.isfinite(rows).all(axis=1) & (gear >= 1) & (speed > 1.0)])


def _ratio(rows: FloatArray, fewest: int) -> tuple[float, float, float] | None:
    """Ratio and range of the engine speed of one gear."""
    if len(rows) < fewest:
        return None
    per_kmh = rows[:, 1] / rows[:, 2]
    ratio = float(np.median(per_kmh))
    engaged = np.abs(per_kmh / ratio - 1.0) < _ENGAGED
    if engaged.sum() < fewest:
        return None
    # A car's speed and engine speed are not read at the same instant: while it brakes either may show the extreme.
    used = rows[engaged, 1], ratio * rows[engaged, 2]
    return ratio, float(min(x.min() for x in used)), float(rows[engaged, 1].max())


def find_gear_shifts(gear: IntArray) -> Iterator[tuple[int, int, int]]:
    """Index, gear before and gear after of every shift."""
    for k in np.flatnonzero(np.diff(gear)):
        yield int(k) + 1, int(gear[k]), int(gear[k + 1])
