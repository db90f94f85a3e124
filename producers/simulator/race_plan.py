"""``RacePlan``: all that is fixed before the start, by the options and by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conf.arrays import FloatArray
from conf.vehicle import VehicleSpec
from conf.wear import WearRules
from physics.centre_line import Line
from physics.vehicle import Vehicle
from producers.simulator.cars.driver_errors import with_driver_errors
from producers.simulator.cars.driver_styles import DriverStyle, ProfileName, draw_style, stack_styles
from producers.simulator.cars.race_incidents import IncidentPlan, draw_race_incidents
from producers.simulator.cars.setups import CarSetups, draw_setups
from producers.simulator.cars.speed_plan import SpeedPlan, plan_speed
from producers.simulator.config import SimulatorConfig
from producers.simulator.rng import generator

_LEAST_STEP_HZ = 25.0  # the dynamics are never stepped more coarsely than this
_FASTEST_MPS = 60.0


@dataclass(frozen=True, eq=False)
class RacePlan:
    """What is known of a session when it begins.

    Attributes:
        style: How each driver drives each lap, fields of shape (cars, laps).
        speed: What each driver aims at.
        incidents: What befalls the cars of the race.
        setups: How the cars are set up.
        laps: Most laps that any car drives.
        centre_m: Length of a lap along the centre line.
        dt_s: Time step.
        steps_per_sample: Steps from one sample to the next.
    """

    style: DriverStyle
    speed: SpeedPlan
    incidents: IncidentPlan
    setups: CarSetups
    laps: int
    centre_m: float
    dt_s: float
    steps_per_sample: int

    @property
    def lap_m(self) -> FloatArray:
        """Length of a lap on each car's own line, shape (cars,)."""
        return np.array([line.length_m for line in self.speed.lines])


def plan_race(
    config: SimulatorConfig,
    profiles: Sequence[ProfileName],
    spec: VehicleSpec,
    vehicle: Vehicle,
    centre: Line,
    rules: WearRules,
) -> RacePlan:
    """Draw up a session.

    Args:
        config: What is asked for.
        profiles: Profile of each car's driver.
        spec: The type of car.
        vehicle: Its forces.
        centre: Centre line of the track.
        rules: How far set-ups vary.

    Raises:
        InputError: If a driver's error lies beyond the lap.
    """
    every = int(np.ceil(_LEAST_STEP_HZ / config.rate_hz))
    laps = config.n_laps or int((config.duration_s or 0.0) * _FASTEST_MPS / centre.length_m) + 1
    drivers = [generator(config.seed, car, "driver") for car in range(config.n_cars)]
    style = stack_styles([draw_style(name, laps, rng) for name, rng in zip(profiles, drivers, strict=True)])
    speed = plan_speed(vehicle, centre, style, generator(config.seed, 0, "road"))
    if config.driver_errors:
        speed = with_driver_errors(speed, config.driver_errors, centre.length_m)
    lap_s = float((speed.step_m[:, None] / speed.target_mps).sum(axis=1).mean()) / laps
    return RacePlan(
        style=style,
        speed=speed,
        incidents=draw_race_incidents(config.race_incidents, laps, config.n_cars, lap_s=lap_s, seed=config.seed),
        setups=draw_setups(spec, rules, config.n_cars, seed=config.seed, varied=config.setups == "varied"),
        laps=laps,
        centre_m=centre.length_m,
        dt_s=1.0 / (config.rate_hz * every),
        steps_per_sample=every,
    )
