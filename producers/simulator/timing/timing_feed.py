"""The timing feed: lap starts, lap ends and lap times as the loop at the line sends them, with its faults.

Each fault has a random generator of its own, drawn whether it is switched on or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray
from producers.simulator.config import LOST_LAP, DataFaults
from producers.simulator.rng import generator
from producers.simulator.simulator import GridCar, VehicleSimulator

_LATENCY_US = 50_000
_TAIL = 0.9  # of the logarithm of the delay, one standard deviation; nine in ten of published events come within 4 s
_AGAIN_US = (1_000, 900_000)  # a second report of one crossing comes so much later
_KINDS = ("lap_end", "lap_time", "lap_start")


@dataclass(frozen=True, eq=False)
class _Faults:
    """What goes wrong at each crossing of one car, shape (crossings,); ``missing`` (crossings, 2, kinds)."""

    lag_us: IntArray
    delay_us: IntArray
    again_us: IntArray
    again: BoolArray
    lost: BoolArray
    missing: BoolArray


def feed_events(simulator: VehicleSimulator, car: GridCar) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Events of one car: contract name, arrival in true microseconds, payload; by crossing.

    At the start of a lap a ``lap_start``, at its end ``lap_end`` and ``lap_time``. The lap time is measured between
    the car's own crossings, so in lap 1 it lacks the way from the start of the race to the line.
    """
    course, config = simulator.trajectory(car), simulator.settings
    crossings = course.crossings_us
    faults = _draw_faults(config.data_faults, len(crossings), config.seed, car.index)
    opens = course.laps + course.retired  # laps that the car began
    for k, true_us in enumerate(crossings.tolist()):
        lap_ms = None if k == 0 else round((true_us - int(crossings[k - 1])) / 1000)
        for turn in range(1 + bool(faults.again[k])):
            shown_us = true_us + int(faults.lag_us[k]) + turn * int(faults.again_us[k])
            arrival_us = shown_us + int(faults.delay_us[k])
            if turn:
                lap_ms = int(faults.again_us[k]) // 1000
            for i, kind in enumerate(_KINDS):
                lap = k + (kind == "lap_start")
                if faults.missing[k, turn, i] or not 1 <= lap <= opens or (kind != "lap_start" and k == 0):
                    continue
                counter = LOST_LAP if faults.lost[k] else lap
                payload = _payload(simulator, car, counter, shown_us, arrival_us)
                yield kind, arrival_us, payload | ({"lap_time_ms": lap_ms} if kind == "lap_time" else {})


def _payload(simulator: VehicleSimulator, car: GridCar, lap: int, shown_us: int, arrival_us: int) -> dict[str, Any]:
    return {
        "session_id": simulator.settings.session_id,
        "vehicle_id": car.vehicle_id,
        "vehicle_number": car.number,
        "original_vehicle_id": None,
        "lap": lap,
        "outing": 0,
        "meta_event": None,
        "meta_session": None,
        "meta_source": "simulator",
        "meta_time_us": arrival_us,
        "time_us": shown_us,
        "is_synthetic": True,
    }


def _draw_faults(faults: DataFaults, n: int, seed: int, car: int) -> _Faults:
    lag, delay, repeat, lost, missing = (
        generator(seed, car, f"timing-{name}") for name in ("lag", "delay", "repeat", "lost", "missing")
    )
    late_s = faults.timing_delay_s * np.exp(_TAIL * delay.normal(size=n))
    return _Faults(
        lag_us=_us(faults.timing_lag_s * lag.uniform(0.5, 1.5, n)),
        delay_us=_LATENCY_US + _us(late_s),
        again_us=repeat.integers(*_AGAIN_US, n),
        again=repeat.random(n) < faults.timing_repeat_share,
        lost=lost.random(n) < faults.timing_lost_lap_share,
        missing=missing.random((n, 2, len(_KINDS))) < faults.timing_missing_share,
    )


def _us(seconds: FloatArray) -> IntArray:
    return np.rint(seconds * 1e6).astype(np.int64)
