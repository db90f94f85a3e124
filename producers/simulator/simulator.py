"""``VehicleSimulator``: a grid of cars on a track, from drivers to frames. Needs no Kafka."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from conf.errors import InputError
from conf.track import TrackSpec, load_track
from conf.vehicle import VehicleSpec, load_vehicle
from conf.wear import load_wear_rules
from physics.centre_line import build_centre_line
from physics.vehicle import Vehicle
from producers.simulator.cars.driver_styles import ProfileName, allot_profiles
from producers.simulator.cars.race_incidents import IncidentPlan
from producers.simulator.cars.sensors import AmbientConditions, CarSensors, HeatTrace
from producers.simulator.cars.trace import Trace
from producers.simulator.cars.trajectory import Trajectory, end_at_flag
from producers.simulator.config import SimulatorConfig
from producers.simulator.data_faults import DataFaultPlan
from producers.simulator.frames import Columns, Frame
from producers.simulator.logger_box import LoggerBox
from producers.simulator.race import START_GAP_S, Race, RaceBlock, grouped
from producers.simulator.race_plan import RacePlan, plan_race
from producers.simulator.rng import generator

_FULL_TANK_SHARE = 0.6
_JOINED = 4  # blocks of a driven race that are read at once


@dataclass(frozen=True)
class GridCar:
    """One car of the grid.

    Attributes:
        number: Number in the vehicle id and in the car's own messages.
        entered_number: Number it races under; another one for a few cars, if asked for.
    """

    index: int
    number: int
    driver_id: str
    profile: ProfileName
    entered_number: int

    @property
    def vehicle_id(self) -> str:
        """``sim-<number>``."""
        return f"sim-{self.number}"


@dataclass(frozen=True, eq=False)
class DrivenRace:
    """A race that has been driven to its end, before any sensor.

    Attributes:
        blocks: What the cars did, stretch by stretch.
        trajectories: When each was where, and how far it sent.
    """

    blocks: tuple[RaceBlock, ...]
    trajectories: list[Trajectory]

    @cached_property
    def trace(self) -> Trace:
        """What the cars did from start to end."""
        return Trace.join([block.trace for block in self.blocks])

    @cached_property
    def heat(self) -> HeatTrace:
        """Fuel and temperatures from start to end."""
        return HeatTrace.join([block.heat for block in self.blocks])


class VehicleSimulator:
    """Drives a grid of cars and hands out what they send.

    A session of a set duration is driven while its frames are handed out. One of a number of laps is driven to its end
    before its first frame, since what befalls its samples is drawn for as many as there will be. Either way the same
    settings give the same bytes.

    Args:
        settings: The session to simulate.

    Raises:
        InputError: If the track or the vehicle is unknown.
    """

    def __init__(self, settings: SimulatorConfig) -> None:
        self.settings = settings
        self.track: TrackSpec = load_track(settings.track)
        self._centre = build_centre_line(self.track)
        self.vehicle: VehicleSpec = load_vehicle(settings.vehicle)
        self._fuel_kg = self.vehicle.fuel_capacity_kg * _FULL_TANK_SHARE
        self._vehicle = Vehicle(self.vehicle, self._fuel_kg)
        self.rules = load_wear_rules()
        self._weather = AmbientConditions(settings.ambient_temp_c, settings.track_temp_c)
        self.cars = self._grid()

    def race(self) -> Race:
        """The race at its start, to be driven step by step or block by block.

        Raises:
            InputError: If a driver's error or a car fault lies beyond the lap.
        """
        return Race(self.settings, self.plan, self._vehicle, self._weather, self._fuel_kg)

    def drive_to_end(self) -> DrivenRace:
        """Drive the whole race now, if that has not been done; what :attr:`run` is."""
        return self.run

    def frames(self) -> Iterator[Frame]:
        """Frames of all cars in order of arrival, duplicates and late ones included.

        Raises:
            InputError: As :attr:`run`.
        """
        boxes, deliveries, blocks = [], [], self._blocks()
        queue: list[tuple[int, int, int, int]] = []
        for car in self.cars:
            faults = self._data_faults(car)
            boxes.append(self._box(car, faults))
            deliveries.append(faults.delivery)
            for i, (arrival, again) in enumerate(
                zip(faults.delivery.arrival_us.tolist(), faults.delivery.again_us.tolist(), strict=True)
            ):
                queue.append((arrival, car.index, i, arrival))
                if faults.delivery.sent_twice[i]:
                    queue.append((again, car.index, i, arrival))
        for due, index, i, arrival in sorted(queue):
            while not boxes[index].holds(i):
                block = next(blocks)
                for box in boxes:
                    box.add(block)
            again = due == arrival and bool(deliveries[index].sent_twice[i])
            yield self._frame(self.cars[index], arrival, boxes[index].frame(i, keep=again))

    def samples(self, vehicle_id: str) -> pl.DataFrame:
        """All samples that one car sends, once each, with its sensors' and clock's faults.

        Raises:
            InputError: If no such car is in the grid.
        """
        for car in self.cars:
            if car.vehicle_id == vehicle_id:
                return self._table(car)
        known = ", ".join(car.vehicle_id for car in self.cars)
        raise InputError(f"no vehicle '{vehicle_id}' in this grid: choose one of {known}")

    def to_polars(self) -> pl.DataFrame:
        """The samples of all cars, with ``vehicle_id``, ``driver_id`` and ``driver_profile`` before the channels."""
        return pl.concat([self._table(car) for car in self.cars])

    def laps(self) -> pl.DataFrame:
        """True laps: ``vehicle_id, lap_number, start_us, end_us, lap_time_s``, whole laps only."""
        rows = []
        for car in self.cars:
            crossings = self.trajectory(car).crossings_us
            for lap, (start, end) in enumerate(pairwise(crossings), 1):
                rows.append((car.vehicle_id, lap, int(start), int(end), (end - start) / 1e6))
        schema = ["vehicle_id", "lap_number", "start_us", "end_us", "lap_time_s"]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def trajectory(self, car: GridCar) -> Trajectory:
        """The true course of one car."""
        return self.run.trajectories[car.index]

    @property
    def incidents(self) -> IncidentPlan:
        """What befalls the cars."""
        return self.plan.incidents

    @property
    def forces(self) -> Vehicle:
        """Forces of the vehicle, fuelled for the start."""
        return self._vehicle

    @property
    def start_us(self) -> int:
        """Start of the race: true time of the first sample of the first car."""
        return round(self.settings.start_time.timestamp() * 1e6)

    @cached_property
    def plan(self) -> RacePlan:
        """What is fixed before the start.

        Raises:
            InputError: If a driver's error lies beyond the lap.
        """
        profiles = [car.profile for car in self.cars]
        return plan_race(self.settings, profiles, self.vehicle, self._vehicle, self._centre, self.rules)

    @cached_property
    def run(self) -> DrivenRace:
        """The race driven to its end, which happens when it is first asked for.

        Raises:
            InputError: If a driver's error or a car fault lies beyond the lap, or a fault could not come about.
        """
        blocks = tuple(grouped(self.race().blocks(), _JOINED))
        return DrivenRace(blocks, self._trajectories(blocks))

    def _grid(self) -> list[GridCar]:
        config = self.settings
        rng = generator(config.seed, 0, "grid")
        profiles = allot_profiles(config.profiles, config.n_cars, rng)
        numbers = rng.permutation(np.arange(2, 100))[: config.n_cars]
        drivers = rng.permutation(np.arange(1, 100))[: config.n_cars]
        entry = generator(config.seed, 0, "entry")
        others, renumbered = entry.permutation(np.arange(100, 1000)), entry.random(config.n_cars)
        entered = np.where(renumbered < config.race_incidents.renumbered_share, others[: config.n_cars], numbers)
        return [
            GridCar(i, int(number), f"D{driver:02d}", profile, int(other))
            for i, (number, driver, profile, other) in enumerate(zip(numbers, drivers, profiles, entered, strict=True))
        ]

    def _blocks(self) -> Iterator[RaceBlock]:
        """The race, driven as the blocks are taken where that will do."""
        if self._is_driven_first:
            return iter(self.run.blocks)
        return self.race().blocks()

    @property
    def _is_driven_first(self) -> bool:
        """Whether the first frame must wait for the end, or need not since it is known.

        Nothing is sent before it is clear that the faults asked for could come about.
        """
        asked_for = any(not fault.by_chance for fault in self.settings.car_faults)
        return "run" in self.__dict__ or self.settings.duration_s is None or asked_for

    def _trajectories(self, blocks: Sequence[RaceBlock]) -> list[Trajectory]:
        """How far each car came: to the end of the session, to where it retired, or to the chequered flag."""
        config, dt_s = self.settings, self.plan.dt_s
        distance_m, speed_mps = (
            np.concatenate([getattr(block.trace, name) for block in blocks]) for name in ("distance_m", "speed_mps")
        )
        out = []
        for car, line in zip(self.cars, self.plan.speed.lines, strict=True):
            distance, speed = distance_m[:, car.index], speed_mps[:, car.index]
            after, laps = float(self.incidents.retires_after[car.index]), int(distance[-1] // line.length_m)
            end = np.inf
            if config.n_laps is not None:
                laps, end = min(laps, config.n_laps), config.n_laps * line.length_m
            trajectory = Trajectory(self._start_us(car), dt_s, line.length_m, distance, speed, laps, end)
            if np.isfinite(after):
                trajectory = replace(trajectory, laps=int(after), end_m=after * line.length_m, retired=True)
            out.append(trajectory)
        return end_at_flag(out) if config.race_incidents.chequered_flag else out

    def _start_us(self, car: GridCar) -> int:
        return round(self.settings.start_time.timestamp() * 1e6 + car.index * START_GAP_S * 1e6)

    def _data_faults(self, car: GridCar) -> DataFaultPlan:
        """What befalls a car's samples, drawn for all that it sends."""
        config, every = self.settings, self.plan.steps_per_sample
        if self._is_driven_first:
            own = self.trajectory(car)
            samples = int(np.searchsorted(own.distance_m[::every], own.end_m))
        else:
            samples = len(range(0, int((config.duration_s or 0.0) / self.plan.dt_s), every))
        true_us = self._start_us(car) + np.rint(np.arange(samples) * (1e6 / config.rate_hz)).astype(np.int64)
        return DataFaultPlan(config.data_faults, config.seed, car.index, true_us, config.samples_per_frame)

    def _box(self, car: GridCar, faults: DataFaultPlan) -> LoggerBox:
        line, ride_n_per_m = self.plan.speed.lines[car.index], self.rules.suspension.ride_n_per_m
        sensors = CarSensors(self._vehicle, line, self._weather, self.plan.setups, ride_n_per_m, car.index)
        return LoggerBox(
            sensors,
            faults,
            steps_per_sample=self.plan.steps_per_sample,
            samples_per_frame=self.settings.samples_per_frame,
        )

    def _frame(self, car: GridCar, arrival_us: int, columns: Columns) -> Frame:
        config = self.settings
        return Frame(
            config.session_id,
            car.vehicle_id,
            car.number,
            car.driver_id,
            config.track,
            car.profile,
            config.rate_hz,
            arrival_us,
            columns,
        )

    def _table(self, car: GridCar) -> pl.DataFrame:
        blocks = self.run.blocks
        box = self._box(car, self._data_faults(car))
        for block in blocks:
            box.add(block)
        names = {"vehicle_id": car.vehicle_id, "driver_id": car.driver_id, "driver_profile": car.profile}
        values = pl.DataFrame(box.take_samples())
        return values.select([pl.lit(value).alias(name) for name, value in names.items()] + [pl.all()])
