"""``VehicleSimulator``: a grid of cars on a track, from drivers to frames. Needs no Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from conf.arrays import IntArray
from conf.errors import InputError
from conf.track import TrackSpec, load_track
from conf.vehicle import VehicleSpec, load_vehicle
from conf.wear import load_wear_rules
from physics.centre_line import Line, centre_line
from physics.vehicle import Vehicle
from producers.simulator import data_faults as fault
from producers.simulator.cars.car_faults import Mishaps
from producers.simulator.cars.driver_errors import with_mistakes
from producers.simulator.cars.driver_styles import ProfileName, allot, draw_style, stack
from producers.simulator.cars.driving import Drive, Trace
from producers.simulator.cars.incidents import Incidents, draw_incidents
from producers.simulator.cars.sensors import Heat, Weather, heat_up, measure
from producers.simulator.cars.setups import Setups, draw_setups
from producers.simulator.cars.speed_limits import SpeedLimits
from producers.simulator.cars.speed_plan import Road, plan
from producers.simulator.cars.trajectory import Course, flagged_off
from producers.simulator.config import SimulatorConfig
from producers.simulator.frames import CHANNELS, Columns, Frame
from producers.simulator.rng import stream

_LEAST_STEP_HZ = 25.0  # the dynamics are never stepped more coarsely than this
_GAP_S = 0.9  # between two cars at the start
_FASTEST_MPS = 60.0
_FULL_TANK_SHARE = 0.6


@dataclass(frozen=True)
class Car:
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


@dataclass(frozen=True)
class Run:
    """A finished simulation, before any sensor.

    Attributes:
        trace: What the cars did.
        heat: Fuel and temperatures.
        setups: How they were set up.
        lines: The line of each car.
        every: Steps from one sample to the next.
        incidents: What befell them.
        courses: When each was where.
    """

    trace: Trace
    heat: Heat
    setups: Setups
    lines: list[Line]
    every: int
    incidents: Incidents
    courses: list[Course]


class VehicleSimulator:
    """Drives a grid of cars and hands out what they send.

    The run is computed when it is first asked for; the same settings give the same bytes.

    Args:
        settings: The session to simulate.

    Raises:
        InputError: If the track or the vehicle is unknown.
    """

    def __init__(self, settings: SimulatorConfig) -> None:
        self.settings = settings
        self.track: TrackSpec = load_track(settings.track)
        self._centre = centre_line(self.track)
        self.vehicle: VehicleSpec = load_vehicle(settings.vehicle)
        spec = self.vehicle
        self._fuel_kg = spec.fuel_capacity_kg * _FULL_TANK_SHARE
        self._vehicle = Vehicle(spec, self._fuel_kg)
        self.rules = load_wear_rules()
        self._weather = Weather(settings.ambient_temp_c, settings.track_temp_c)
        self.cars = self._grid()

    def frames(self) -> Iterator[Frame]:
        """Frames of all cars in order of arrival, duplicates and late ones included."""
        boxes = [self._box(car) for car in self.cars]
        queue: list[tuple[int, int, int, int]] = []
        for car, (_, _, delivery) in zip(self.cars, boxes, strict=True):
            for i, (arrival, again) in enumerate(zip(delivery.arrival_us, delivery.again_us, strict=True)):
                queue.append((int(arrival), car.index, i, int(arrival)))
                if delivery.sent_twice[i]:
                    queue.append((int(again), car.index, i, int(arrival)))
        for _, index, i, arrival in sorted(queue):
            columns, edges, _ = boxes[index]
            part: Columns = {name: values[edges[i] : edges[i + 1]] for name, values in columns.items()}
            yield self._frame(self.cars[index], arrival, part)

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
            crossings = self.course(car).crossings_us
            for lap, (start, end) in enumerate(pairwise(crossings), 1):
                rows.append((car.vehicle_id, lap, int(start), int(end), (end - start) / 1e6))
        schema = ["vehicle_id", "lap_number", "start_us", "end_us", "lap_time_s"]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def course(self, car: Car) -> Course:
        """The true course of one car."""
        return self.run.courses[car.index]

    @property
    def incidents(self) -> Incidents:
        """What befell the cars."""
        return self.run.incidents

    @property
    def forces(self) -> Vehicle:
        """Forces of the vehicle, fuelled for the start."""
        return self._vehicle

    @property
    def start_us(self) -> int:
        """Start of the race: true time of the first sample of the first car."""
        return round(self.settings.start_time.timestamp() * 1e6)

    def _grid(self) -> list[Car]:
        config = self.settings
        rng = stream(config.seed, 0, "grid")
        profiles = allot(config.profiles, config.n_cars, rng)
        numbers = rng.permutation(np.arange(2, 100))[: config.n_cars]
        drivers = rng.permutation(np.arange(1, 100))[: config.n_cars]
        entry = stream(config.seed, 0, "entry")
        others, renumbered = entry.permutation(np.arange(100, 1000)), entry.random(config.n_cars)
        entered = np.where(renumbered < config.race.renumbered_share, others[: config.n_cars], numbers)
        return [
            Car(i, int(number), f"D{driver:02d}", profile, int(other))
            for i, (number, driver, profile, other) in enumerate(zip(numbers, drivers, profiles, entered, strict=True))
        ]

    @cached_property
    def run(self) -> Run:
        """The simulation, computed when it is first asked for.

        Raises:
            InputError: If a mistake or a mishap lies beyond the lap, or a mishap could not come about.
        """
        config, vehicle = self.settings, self._vehicle
        every = int(np.ceil(_LEAST_STEP_HZ / config.rate_hz))
        dt = 1.0 / (config.rate_hz * every)
        laps = config.n_laps or int((config.duration_s or 0.0) * _FASTEST_MPS / self._centre.length_m) + 1
        styles = [draw_style(car.profile, laps, stream(config.seed, car.index, "driver")) for car in self.cars]
        style = stack(styles)
        road = plan(vehicle, self._centre, style, stream(config.seed, 0, "road"))
        if config.mistakes:
            road = with_mistakes(road, config.mistakes, self._centre.length_m)
        lap_s = float((road.step_m[:, None] / road.target_mps).sum(axis=1).mean()) / laps
        incidents = draw_incidents(config.race, laps, config.n_cars, lap_s=lap_s, seed=config.seed)
        limits = self._limits(road, incidents, dt) if config.race.slows_cars else None
        setups = draw_setups(
            self.vehicle, self.rules, config.n_cars, seed=config.seed, varied=config.setups == "varied"
        )
        mishaps = self._mishaps(road, laps, dt) if config.mishaps else None
        feet = stream(config.seed, 0, "feet")
        drive = Drive(vehicle, road, style, dt, feet, limits, final_drive=setups.final_drive, mishaps=mishaps)
        if config.duration_s is not None:
            trace = drive.run(int(config.duration_s / dt))
        else:
            trace = drive.run_to(np.array([line.length_m * laps for line in road.lines]))
        if mishaps is not None and (missed := mishaps.missed(trace.distance_m[-1])):
            raise InputError(missed[0])
        heat = heat_up(vehicle, trace, self._weather, setups, self._fuel_kg)
        return Run(trace, heat, setups, road.lines, every, incidents, self._courses(trace, road, incidents))

    def _mishaps(self, road: Road, laps: int, dt_s: float) -> Mishaps:
        length_m = np.array([line.length_m for line in road.lines])
        per_bar = self.vehicle.brake_front_n_per_bar
        return Mishaps(
            self.settings.mishaps,
            length_m,
            centre_m=self._centre.length_m,
            laps=laps,
            front_n_per_bar=per_bar,
            dt_s=dt_s,
        )

    def _limits(self, road: Road, incidents: Incidents, dt_s: float) -> SpeedLimits:
        length_m = np.array([line.length_m for line in road.lines])
        start_s = np.arange(self.settings.n_cars, dtype=np.float64) * _GAP_S
        return SpeedLimits(incidents, length_m, centre_m=self._centre.length_m, start_s=start_s, dt_s=dt_s)

    def _courses(self, trace: Trace, road: Road, incidents: Incidents) -> list[Course]:
        """How far each car came: to the end of the session, to where it retired, or to the chequered flag."""
        config = self.settings
        courses = []
        for car, line in zip(self.cars, road.lines, strict=True):
            distance, speed = trace.distance_m[:, car.index], trace.speed_mps[:, car.index]
            after, laps = float(incidents.retires_after[car.index]), int(distance[-1] // line.length_m)
            end = np.inf
            if config.n_laps is not None:
                laps, end = min(laps, config.n_laps), config.n_laps * line.length_m
            course = Course(self._start_us(car), trace.dt_s, line.length_m, distance, speed, laps, end)
            if np.isfinite(after):
                course = replace(course, laps=int(after), end_m=after * line.length_m, retired=True)
            courses.append(course)
        return flagged_off(courses) if config.race.chequered_flag else courses

    def _start_us(self, car: Car) -> int:
        return round(self.settings.start_time.timestamp() * 1e6 + car.index * _GAP_S * 1e6)

    def _columns(self, car: Car) -> tuple[Columns, IntArray]:
        """Columns of one car as its logger box holds them, and the true time of each row."""
        config, run = self.settings, self.run
        line = run.lines[car.index]
        distance = run.trace.distance_m[:: run.every, car.index]
        distance = distance[: np.searchsorted(distance, self.course(car).end_m)]
        pick = np.arange(len(distance)) * run.every
        truth = measure(
            self._vehicle, run.trace, run.heat, line=line, weather=self._weather, setups=run.setups,
            ride_n_per_m=self.rules.suspension.ride_n_per_m, car=car.index, pick=pick,
        )  # fmt: skip
        values: Columns = dict(fault.read_sensors(truth, config.faults, config.seed, car.index))
        values["gear"] = values["gear"].astype(np.int64)
        lap = (distance // line.length_m).astype(np.int64) + 1
        values["lap_number"] = fault.lose_lap_counter(lap, config.faults, config.seed, car.index)
        true_us = self._start_us(car) + np.rint(np.arange(len(pick)) * (1e6 / config.rate_hz)).astype(np.int64)
        clock: Columns = {"t_us": fault.car_clock_us(true_us, config.faults, config.seed, car.index)}
        return clock | {name: values[name] for name in CHANNELS}, true_us

    def _box(self, car: Car) -> tuple[Columns, IntArray, fault.Delivery]:
        """Rows as sent (repeats included), the frames' edges among them, and their delivery."""
        config = self.settings
        once, true_us = self._columns(car)
        rows, source = fault.repeat_samples(once, config.faults, config.seed, car.index)
        first = np.arange(0, len(true_us), config.samples_per_frame)
        edges = np.searchsorted(source, np.append(first, len(true_us)))
        last = np.minimum(first + config.samples_per_frame, len(true_us)) - 1
        return rows, edges, fault.deliver(true_us[last], config.faults, config.seed, car.index)

    def _frame(self, car: Car, arrival_us: int, columns: Columns) -> Frame:
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

    def _table(self, car: Car) -> pl.DataFrame:
        columns, _ = self._columns(car)
        names = {"vehicle_id": car.vehicle_id, "driver_id": car.driver_id, "driver_profile": car.profile}
        return pl.DataFrame(columns).select([pl.lit(value).alias(name) for name, value in names.items()] + [pl.all()])
