"""The official timing: laps, sectors and timing points of every car, exact to the millisecond.

Times are differences of whole milliseconds since the start of the race, so sectors sum to the lap and laps to the
elapsed time. As on published sheets lap 1 counts from the start of the race, not from the car's own first crossing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from conf.arrays import BoolArray, FloatArray, IntArray
from conf.errors import InputError
from conf.track import TrackSpec
from producers.simulator.cars.race_incidents import PIT_AFTER_M, PIT_BEFORE_M
from producers.simulator.cars.trajectory import Trajectory
from producers.simulator.rng import generator
from producers.simulator.simulator import GridCar, VehicleSimulator

Flag = Literal["GF", "FCY", "FF"]

SECTORS = 3
POINTS = ("IM1a", "IM1", "IM2a", "IM2", "IM3a", "FL")
"""Timing points in driving order: half way through each sector, and its end."""

_PLACES = 500  # along the lap, of which the fastest has the speed trap


@dataclass(frozen=True)
class SimulatedOfficialLap:
    """One lap as the official timing has it.

    Attributes:
        lap: Its number, from 1.
        end_us: True time at which it ended.
        elapsed_ms: Time since the start of the race at its end.
        lap_ms: Lap time.
        points_ms: Time from one of :data:`POINTS` to the next, the first from the line.
        top_kmh: Speed at the trap.
        in_pit: True if the lap ended in the pit lane.
        pit_ms: Time in the pit lane that was left in this lap.
        flag: Flag shown at the line.
        deleted: True if the lap was deleted for track limits.
    """

    lap: int
    end_us: int
    elapsed_ms: int
    lap_ms: int
    points_ms: tuple[int, ...]
    top_kmh: float
    in_pit: bool
    pit_ms: int | None
    flag: Flag
    deleted: bool

    @property
    def sectors_ms(self) -> tuple[int, ...]:
        """Sector times."""
        return tuple(a + b for a, b in zip(self.points_ms[::2], self.points_ms[1::2], strict=True))


@dataclass(frozen=True)
class TimingResult:
    """One car's race as the official timing has it.

    Attributes:
        car: The car.
        vehicle_id: Its id, where the official timing knows it.
        first_ms: Time since the start of the race at which it crossed the line for the first time.
        laps: Its whole laps in order.
        finished: True if it saw the chequered flag.
        pit_lap: Lap at whose end it came in; 0 for never.
    """

    car: GridCar
    vehicle_id: str | None
    first_ms: int
    laps: tuple[SimulatedOfficialLap, ...]
    finished: bool
    pit_lap: int


def time_race(simulator: VehicleSimulator) -> list[TimingResult]:
    """Time every car of a race, in the order of the grid.

    Args:
        simulator: A session of a number of laps.

    Raises:
        InputError: If the session has a set duration instead, or the track does not have three sectors.
    """
    if simulator.settings.n_laps is None:
        raise InputError("a race needs n_laps: a session of a set duration has no finish")
    trap = speed_trap_share(max((simulator.trajectory(car) for car in simulator.cars), key=lambda course: course.laps))
    return [_time(simulator, car, trap) for car in simulator.cars]


def timing_point_shares(track: TrackSpec) -> FloatArray:
    """Where the timing points lie, as shares of a lap, shape (6,).

    Raises:
        InputError: If the track does not have three sectors.
    """
    if len(track.sector_ends_m) != SECTORS - 1:
        raise InputError(
            f"conf/tracks/{track.name}.yaml: sector_ends_m has {len(track.sector_ends_m)} ends, "
            f"the official timing needs {SECTORS - 1} for its {SECTORS} sectors"
        )
    edges = np.array([0.0, *track.sector_ends_m, track.length_m]) / track.length_m
    return np.column_stack([0.5 * (edges[:-1] + edges[1:]), edges[1:]]).ravel()


def speed_trap_share(course: Trajectory) -> float:
    """Where the speed trap lies, as a share of a lap: where a car's speed is highest over its laps."""
    shares = np.arange(_PLACES) / _PLACES
    mean_kmh = course.speed_kmh((np.arange(course.laps)[:, None] + shares).ravel()).reshape(-1, _PLACES).mean(axis=0)
    return float(shares[mean_kmh.argmax()])


def _time(simulator: VehicleSimulator, car: GridCar, trap: float) -> TimingResult:
    course, start_us = simulator.trajectory(car), simulator.start_us
    pit_lap = int(simulator.incidents.pit_lap[car.index])
    lap_numbers = np.arange(course.laps)
    passings = course.passing_us(lap_numbers[:, None] + timing_point_shares(simulator.track))
    first_ms = _ms(course.crossings_us[0] - start_us)
    race_ms = _ms(passings - start_us)
    top_kmh = course.speed_kmh(lap_numbers + trap)
    pit_ms = _pit_ms(course, simulator.track, pit_lap) if 0 < pit_lap < course.laps else None
    deleted = _deletions(simulator, car)
    laps, before = [], 0
    for i, row in enumerate(race_ms.tolist()):
        lap, end_us = i + 1, int(passings[i, -1])
        ends = not course.retired and lap == course.laps
        laps.append(
            SimulatedOfficialLap(
                lap=lap,
                end_us=end_us,
                elapsed_ms=row[-1],
                lap_ms=row[-1] - before,
                points_ms=tuple(b - a for a, b in pairwise([before, *row])),
                top_kmh=round(float(top_kmh[i]), 1),
                in_pit=lap == pit_lap,
                pit_ms=pit_ms if lap == pit_lap + 1 else None,
                flag="FF" if ends else _flag(simulator, end_us),
                deleted=bool(deleted[i]),
            )
        )
        before = row[-1]
    return TimingResult(car, _known_id(simulator, car), int(first_ms), tuple(laps), not course.retired, pit_lap)


def _known_id(simulator: VehicleSimulator, car: GridCar) -> str | None:
    settings = simulator.settings
    by_number = generator(settings.seed, car.index, "known").random() < settings.data_faults.number_only_share
    return None if by_number else car.vehicle_id


def _ms(time_us: IntArray | np.int64) -> IntArray:
    return np.asarray((time_us + 500) // 1000)


def _pit_ms(course: Trajectory, track: TrackSpec, pit_lap: int) -> int:
    into, out = course.passing_us([pit_lap - PIT_BEFORE_M / track.length_m, pit_lap + PIT_AFTER_M / track.length_m])
    return int(_ms(out - into))


def _flag(simulator: VehicleSimulator, time_us: int) -> Flag:
    since_s = (time_us - simulator.start_us) / 1e6
    return "FCY" if any(begin <= since_s < end for begin, end in simulator.incidents.yellows_s) else "GF"


def _deletions(simulator: VehicleSimulator, car: GridCar) -> BoolArray:
    settings = simulator.settings
    draw = generator(settings.seed, car.index, "limits").random(settings.n_laps)
    return np.asarray(draw < settings.race_incidents.track_limits_share)
