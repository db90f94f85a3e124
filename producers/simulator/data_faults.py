"""What the way from the sensor to the logger does to the data; each fault has a random stream of its own.

So switching one off removes it and leaves the others exactly as they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray
from producers.simulator.cars.sensors import NOT_NEGATIVE, SENSORS
from producers.simulator.config import LOST_LAP, FaultConfig
from producers.simulator.frames import Columns
from producers.simulator.rng import stream

_BURST = 4.0  # mean length of a burst of lost values or late frames
_LATENCY_S = 0.05


def bursts(share: float, n: int, rng: np.random.Generator) -> BoolArray:
    """Mask of ``n`` with about a ``share`` set, in bursts of geometric length."""
    starts = rng.random(n) < -np.log1p(-share) / _BURST
    lengths = rng.geometric(1.0 / _BURST, n)
    edges = np.zeros(n + 1)
    where = np.flatnonzero(starts)
    np.add.at(edges, where, 1)
    np.add.at(edges, np.minimum(where + lengths[where], n), -1)
    return np.asarray(np.cumsum(edges[:n]) > 0)


def read_sensors(truth: dict[str, FloatArray], faults: FaultConfig, seed: int, car: int) -> dict[str, FloatArray]:
    """True values as the sensors give them: noise, resolution, drop-outs. ``gear`` is a counter and has none."""
    noise, lost = stream(seed, car, "noise"), stream(seed, car, "dropout")
    out = dict(truth)
    for name, (sigma, digits) in SENSORS.items():
        value = truth[name] + faults.noise * sigma * noise.normal(size=len(truth[name]))
        if name in NOT_NEGATIVE:
            value = np.maximum(value, 0.0)
        if name.endswith("_pct"):
            value = np.minimum(value, 100.0)
        value = np.round(value, digits) + 0.0
        value[bursts(faults.dropout_share, len(value), lost)] = np.nan
        out[name] = value
    return out


def car_clock_us(true_us: IntArray, faults: FaultConfig, seed: int, car: int) -> IntArray:
    """True time as the car's clock shows it: offset, drift and at most one jump."""
    rng = stream(seed, car, "clock")
    offset, drift, jump = rng.uniform(-1.0, 1.0, 3)
    jumps, when = rng.random(2)
    since = (true_us - true_us[0]).astype(float)
    shown = offset * faults.clock_offset_max_s * 1e6 + since * drift * faults.clock_drift_ppm * 1e-6
    if jumps < faults.clock_step_probability:
        shown += jump * faults.clock_step_max_s * 1e6 * (since > when * since[-1])
    return np.asarray(true_us + np.rint(shown).astype(np.int64))


def lose_lap_counter(lap: IntArray, faults: FaultConfig, seed: int, car: int) -> IntArray:
    """Lap counter that in some laps is lost from a random point until the line."""
    rng = stream(seed, car, "lap")
    out = lap.copy()
    for number in np.unique(lap):
        lost, part = rng.random(2)
        rows = np.flatnonzero(lap == number)
        if lost < faults.lost_lap_counter_share:
            out[rows[int(part * len(rows)) :]] = LOST_LAP
    return out


def repeat_samples(columns: Columns, faults: FaultConfig, seed: int, car: int) -> tuple[Columns, IntArray]:
    """Insert samples that stand twice, equal or with another speed.

    Returns:
        The longer columns and, for each of their rows, the row it came from.
    """
    rng = stream(seed, car, "repeat")
    n = len(columns["t_us"])
    draw, shift = rng.random(n), rng.choice([-1.0, 1.0], n) * rng.uniform(0.5, 3.0, n)
    conflict = draw < faults.conflict_share
    twice = conflict | ((draw >= 0.5) & (draw < 0.5 + faults.repeat_share))
    source = np.repeat(np.arange(n), 1 + twice)
    out: Columns = {name: values[source] for name, values in columns.items()}
    second = np.flatnonzero(source[1:] == source[:-1]) + 1
    second = second[conflict[source[second]]]
    out["speed_kmh"][second] = np.round(np.abs(out["speed_kmh"][second] + shift[source[second]]), 2)
    return out, source


@dataclass(frozen=True)
class Delivery:
    """When each frame of a car arrives and which are sent again, arrays of shape (frames,)."""

    arrival_us: IntArray
    again_us: IntArray
    sent_twice: BoolArray


def deliver(sent_us: IntArray, faults: FaultConfig, seed: int, car: int) -> Delivery:
    """Arrival of the frames sent at ``sent_us``: a short latency, bursts of long delays, duplicates a little later."""
    late, twice = stream(seed, car, "late"), stream(seed, car, "duplicate")
    n = len(sent_us)
    jitter, wait = late.exponential(0.03, n), late.uniform(0.05, 1.0, n)
    delayed = bursts(faults.late_share, n, late)
    latency = _LATENCY_S + (jitter if faults.late_share > 0 else 0.0) + delayed * wait * faults.late_max_s
    arrival = sent_us + np.rint(latency * 1e6).astype(np.int64)
    again = arrival + np.rint(twice.uniform(0.0, 3.0, n) * 1e6).astype(np.int64)
    return Delivery(arrival, again, twice.random(n) < faults.duplicate_share)
