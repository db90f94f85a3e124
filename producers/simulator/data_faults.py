"""What the way from the sensor to the logger does to the data; each fault has a random generator of its own.

So switching one off removes it and leaves the others exactly as they were. All is drawn for a car's whole session
before its first sample: how many samples it will send must be known by then (see ``docs/adr/0022``).
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray
from producers.simulator.cars.sensors import FULL_SCALE, NOT_NEGATIVE, SENSORS
from producers.simulator.config import LOST_LAP, DataFaults
from producers.simulator.frames import Columns
from producers.simulator.rng import generator

_BURST = 4.0  # mean length of a burst of lost values or late frames
_LATENCY_S = 0.05


@dataclass(frozen=True, eq=False)
class FrameDelivery:
    """When each frame of a car arrives and which are sent again, arrays of shape (frames,)."""

    arrival_us: IntArray
    again_us: IntArray
    sent_twice: BoolArray


class DataFaultPlan:
    """What befalls the samples and frames of one car.

    Args:
        faults: How much of which.
        seed: The session's.
        car: Place in the grid, from 0.
        true_us: True time of each sample, shape (samples,).
        samples_per_frame: Samples sent together.

    Attributes:
        t_us: Time of each sample by the car's clock, shape (samples,).
        delivery: When its frames arrive.
    """

    def __init__(self, faults: DataFaults, seed: int, car: int, true_us: IntArray, samples_per_frame: int) -> None:
        n = len(true_us)
        self._share = faults.lost_lap_counter_share
        noise, lost, repeat = (generator(seed, car, name) for name in ("noise", "dropout", "repeat"))
        self._size, self._noise = faults.noise, dict[str, np.random.Generator]()
        for name in SENSORS:  # each sensor's noise begins in the generator where that of the one before ends
            self._noise[name] = deepcopy(noise)
            noise.normal(size=n)
        self._lost = {name: burst_mask(faults.dropout_share, n, lost) for name in SENSORS}
        contact = generator(seed, car, "full_scale")
        self._full = {name: burst_mask(faults.full_scale_share / len(FULL_SCALE), n, contact) for name in FULL_SCALE}
        self.t_us = car_clock_us(true_us, faults, seed, car)
        self._lap_rng, self._laps = generator(seed, car, "lap"), list[tuple[float, float]]()
        draw, self._shift = repeat.random(n), repeat.choice([-1.0, 1.0], n) * repeat.uniform(0.5, 3.0, n)
        self._conflict = draw < faults.conflict_share
        self._twice = self._conflict | ((draw >= 0.5) & (draw < 0.5 + faults.repeat_share))
        last = np.minimum(np.arange(0, n, samples_per_frame) + samples_per_frame, n) - 1
        self.delivery = draw_delivery(true_us[last], faults, seed, car)

    def read_sensors(self, truth: dict[str, FloatArray], first: int) -> dict[str, FloatArray]:
        """True values as the sensors give them: noise, resolution, drop-outs, full scale. ``gear`` counts, it has none.

        To be called once for each sample, in order.

        Args:
            truth: Values of the samples from ``first`` on.
            first: Number of the first of them in the session.
        """
        rows = slice(first, first + len(truth["gear"]))
        out = dict(truth)
        for name, (sigma, digits) in SENSORS.items():
            value = truth[name] + self._size * sigma * self._noise[name].normal(size=len(truth[name]))
            if name in NOT_NEGATIVE:
                value = np.maximum(value, 0.0)
            if name.endswith("_pct"):
                value = np.minimum(value, 100.0)
            value = np.round(value, digits) + 0.0
            value[self._lost[name][rows]] = np.nan
            if name in FULL_SCALE:
                value[self._full[name][rows]] = FULL_SCALE[name]
            out[name] = value
        return out

    def loses_counter(self, lap: int) -> bool:
        """Whether a lap's number gets lost on the way."""
        return self._lap(lap)[0] < self._share

    def lose_counter(self, lap: int, numbers: IntArray) -> None:
        """Lose the number of a lap from a random point to the line, in place.

        Args:
            lap: The lap, one that :meth:`loses_counter`.
            numbers: Lap numbers of all its samples.
        """
        numbers[int(self._lap(lap)[1] * len(numbers)) :] = LOST_LAP

    def repeat_samples(self, columns: Columns, first: int) -> tuple[Columns, IntArray]:
        """Insert samples that stand twice, equal or with another speed.

        Args:
            columns: Samples from ``first`` on.
            first: Number of the first of them in the session.

        Returns:
            The longer columns and, for each of their rows, the row it came from.
        """
        rows = slice(first, first + len(columns["t_us"]))
        source = np.repeat(np.arange(len(columns["t_us"])), 1 + self._twice[rows])
        out: Columns = {name: values[source] for name, values in columns.items()}
        second = np.flatnonzero(source[1:] == source[:-1]) + 1
        second = second[self._conflict[rows][source[second]]]
        speed = out["speed_kmh"]
        speed[second] = np.round(np.abs(speed[second] + self._shift[rows][source[second]]), 2)
        return out, source

    def _lap(self, lap: int) -> tuple[float, float]:
        """Draws of a lap: whether its number is lost, and from where."""
        while len(self._laps) < lap:
            lost, part = self._lap_rng.random(2)
            self._laps.append((float(lost), float(part)))
        return self._laps[lap - 1]


def burst_mask(share: float, n: int, rng: np.random.Generator) -> BoolArray:
    """Mask of ``n`` with about a ``share`` set, in bursts of geometric length."""
    starts = rng.random(n) < -np.log1p(-share) / _BURST
    lengths = rng.geometric(1.0 / _BURST, n)
    edges = np.zeros(n + 1)
    where = np.flatnonzero(starts)
    np.add.at(edges, where, 1)
    np.add.at(edges, np.minimum(where + lengths[where], n), -1)
    return np.asarray(np.cumsum(edges[:n]) > 0)


def car_clock_us(true_us: IntArray, faults: DataFaults, seed: int, car: int) -> IntArray:
    """True time as the car's clock shows it: offset, drift and at most one jump."""
    rng = generator(seed, car, "clock")
    offset, drift, jump = rng.uniform(-1.0, 1.0, 3)
    jumps, when = rng.random(2)
    since = (true_us - true_us[0]).astype(float)
    shown = offset * faults.clock_offset_max_s * 1e6 + since * drift * faults.clock_drift_ppm * 1e-6
    if jumps < faults.clock_step_probability:
        shown += jump * faults.clock_step_max_s * 1e6 * (since > when * since[-1])
    return np.asarray(true_us + np.rint(shown).astype(np.int64))


def draw_delivery(sent_us: IntArray, faults: DataFaults, seed: int, car: int) -> FrameDelivery:
    """Arrival of the frames sent at ``sent_us``: a short latency, bursts of long delays, duplicates a little later."""
    late, twice = generator(seed, car, "late"), generator(seed, car, "duplicate")
    n = len(sent_us)
    jitter, wait = late.exponential(0.03, n), late.uniform(0.05, 1.0, n)
    delayed = burst_mask(faults.late_share, n, late)
    latency = _LATENCY_S + (jitter if faults.late_share > 0 else 0.0) + delayed * wait * faults.late_max_s
    arrival = sent_us + np.rint(latency * 1e6).astype(np.int64)
    again = arrival + np.rint(twice.uniform(0.0, 3.0, n) * 1e6).astype(np.int64)
    return FrameDelivery(arrival, again, twice.random(n) < faults.duplicate_share)
