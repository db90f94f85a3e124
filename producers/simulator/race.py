"""``Race``: the cars driven as simulated time passes, each step by its drivers' controls and its cars' physics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from conf.errors import InputError
from physics.vehicle import Vehicle
from producers.simulator.cars.car import LEAST_MPS, Car
from producers.simulator.cars.car_faults import CarFaultSchedule
from producers.simulator.cars.driver import Driver
from producers.simulator.cars.sensors import AmbientConditions, HeatModel, HeatTrace
from producers.simulator.cars.speed_limits import SpeedLimits
from producers.simulator.cars.trace import Trace, TraceRecorder
from producers.simulator.config import SimulatorConfig
from producers.simulator.race_plan import RacePlan
from producers.simulator.rng import generator

START_GAP_S = 0.9
"""Between two cars at the start."""

_BLOCK, _LATER_BLOCK = 512, 2048  # steps driven at once: the first frame is not to wait long


@dataclass(frozen=True, eq=False)
class RaceBlock:
    """A stretch of a race, all cars side by side.

    Attributes:
        first: Number of its first step in the race.
        trace: What the cars did.
        heat: Fuel and temperatures.
    """

    first: int
    trace: Trace
    heat: HeatTrace

    @classmethod
    def join(cls, parts: list[RaceBlock]) -> Self:
        """One of several that follow each other."""
        return cls(
            parts[0].first, Trace.join([part.trace for part in parts]), HeatTrace.join([part.heat for part in parts])
        )


def grouped(blocks: Iterable[RaceBlock], size: int) -> Iterator[RaceBlock]:
    """Blocks joined by so many, the last ones as many as there are: reading a block has a fixed cost."""
    held: list[RaceBlock] = []
    for block in blocks:
        held.append(block)
        if len(held) == size:
            yield RaceBlock.join(held)
            held = []
    if held:
        yield RaceBlock.join(held)


class Race:
    """The race that a plan leads to; to be driven once.

    Args:
        config: The session.
        plan: What is fixed before the start.
        vehicle: The type of car, fuelled.
        weather: Air and track.
        fuel_kg: Fuel on board at the start.

    Raises:
        InputError: If a car fault lies beyond the lap.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        plan: RacePlan,
        vehicle: Vehicle,
        weather: AmbientConditions,
        fuel_kg: float,
    ) -> None:
        self._config, self._plan, lap_m = config, plan, plan.lap_m
        self._faults = None
        if config.car_faults:
            self._faults = CarFaultSchedule(
                config.car_faults,
                lap_m,
                centre_m=plan.centre_m,
                laps=plan.laps,
                front_n_per_bar=vehicle.spec.brake_front_n_per_bar,
                dt_s=plan.dt_s,
            )
        limits = None
        if config.race_incidents.slows_cars:
            limits = SpeedLimits(
                plan.incidents,
                lap_m,
                centre_m=plan.centre_m,
                start_s=np.arange(config.n_cars, dtype=np.float64) * START_GAP_S,
                dt_s=plan.dt_s,
                fastest_mps=float(plan.speed.target_mps.max()),
            )
        self.car = Car(
            vehicle,
            config.n_cars,
            plan.dt_s,
            final_drive=plan.setups.final_drive,
            faults=self._faults,
            least_mps=LEAST_MPS if limits is None else 0.0,
        )
        self.driver = Driver(self.car, plan.speed, plan.style, generator(config.seed, 0, "feet"), limits)
        self._heat = HeatModel(vehicle, weather, plan.setups, fuel_kg)

    def blocks(self) -> Iterator[RaceBlock]:
        """Drive, handing out each stretch as soon as it is driven.

        Raises:
            InputError: At the end, if a car fault that was asked for could not come about.
        """
        done, last_m = 0, self.car.distance_m
        while (steps := self._steps_left(done)) > 0:
            recorder = TraceRecorder(steps, len(self.car), self._plan.dt_s)
            for step in range(steps):
                recorder.record(step, self.car.step(self.driver.control()))
            trace = recorder.trace()
            yield RaceBlock(done, trace, self._heat.follow(trace))
            done += steps
            last_m = trace.distance_m[-1]
        if self._faults is not None and (missed := self._faults.missed(last_m)):
            raise InputError(missed[0])

    def _steps_left(self, done: int) -> int:
        """Steps of the next block, 0 at the end: of the time, or when all cars have driven their laps."""
        if self._config.duration_s is not None:
            most = _BLOCK if done == 0 else _LATER_BLOCK
            return min(most, int(self._config.duration_s / self._plan.dt_s) - done)
        return _BLOCK if (self.car.distance_m < self._plan.lap_m * self._plan.laps).any() else 0
