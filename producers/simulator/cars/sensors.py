"""From what a car did to what its sensors say, before noise: one array a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np

from conf.arrays import FloatArray
from conf.units import GRAVITY_MPS2, KMH_PER_MPS
from physics.centre_line import Line
from physics.thermal import brake_temperature_c, engine_temperature_c, fuel_rate_kgps
from physics.vehicle import Vehicle
from producers.simulator.cars.car_faults import kerb_shake_mps2
from producers.simulator.cars.setups import CarSetups
from producers.simulator.cars.trace import Trace

_PAD_HEAT_SHARE = 0.9  # of the brake's heat goes into the disc, the rest into pad and air

# Channel: (noise at one standard deviation, digits the sensor resolves).
SENSORS: dict[str, tuple[float, int]] = {
    "speed_kmh": (0.12, 2),
    "throttle_pct": (0.15, 1),
    "brake_front_bar": (0.12, 1),
    "brake_rear_bar": (0.12, 1),
    "steering_deg": (0.4, 1),
    "rpm": (10.0, 0),
    "torque_nm": (1.2, 1),
    "engine_load_pct": (0.3, 1),
    "engine_temp_c": (0.1, 1),
    "brake_temp_c": (0.8, 1),
    "accel_long_g": (0.02, 3),
    "accel_lat_g": (0.025, 3),
    "lap_distance_m": (0.1, 1),
    "x_m": (0.15, 2),
    "y_m": (0.15, 2),
    "ambient_temp_c": (0.05, 1),
    "track_temp_c": (0.1, 1),
    "fuel_kg": (0.01, 2),
}
FULL_SCALE = {"speed_kmh": 655.35, "brake_front_bar": 655.35, "rpm": 65_535.0}
"""What sensors of 16 bits read when they have lost their contact."""
NOT_NEGATIVE = ("speed_kmh", "throttle_pct", "brake_front_bar", "brake_rear_bar", "rpm", "engine_load_pct", "fuel_kg")


@dataclass(frozen=True)
class AmbientConditions:
    """Air and track temperature, constant over the run."""

    ambient_c: float
    track_c: float


@dataclass(frozen=True)
class HeatTrace:
    """Fuel and temperatures of every car, arrays of shape (steps, cars)."""

    fuel_kg: FloatArray
    engine_c: FloatArray
    brake_c: FloatArray

    @classmethod
    def join(cls, parts: Sequence[HeatTrace]) -> Self:
        """One of several that follow each other."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


class HeatModel:
    """Fuel and temperatures of a grid, stretch by stretch of a drive.

    Args:
        vehicle: The type of car.
        weather: Air around them.
        setups: How the cars are set up.
        fuel_kg: Fuel on board at the start.
    """

    def __init__(self, vehicle: Vehicle, weather: AmbientConditions, setups: CarSetups, fuel_kg: float) -> None:
        self._vehicle, self._weather, self._setups, self._fuel_kg = vehicle, weather, setups, fuel_kg
        cars = len(setups.cooling)
        self._burnt = np.zeros(cars)  # sum of the rates so far
        self._engine_c = np.full(cars, vehicle.spec.thermal.thermostat_opens_c)
        self._brake_c = np.full(cars, 150.0 + weather.ambient_c)

    def follow(self, trace: Trace) -> HeatTrace:
        """Fuel burnt and temperatures reached along the stretch that follows the one before."""
        spec, setups, speed = self._vehicle.spec, self._setups, trace.speed_mps
        _, drag = self._vehicle.engine_torque_nm(trace.rpm)
        rate = fuel_rate_kgps(trace.torque_nm + drag, trace.rpm, spec.engine.efficiency)
        burnt = np.cumsum(np.vstack([self._burnt, rate]), axis=0)[1:]
        heat_w = _PAD_HEAT_SHARE * setups.brake_balance * trace.brake_n * speed
        heat_w += _PAD_HEAT_SHARE * trace.stuck_n * speed
        around = {"dt_s": trace.dt_s, "ambient_c": self._weather.ambient_c}
        # One row more, the last one again, gives the temperatures with which the next stretch begins.
        rate, heat_w, speed = (np.vstack([rows, rows[-1:]]) for rows in (rate, heat_w, speed))
        engine_c = engine_temperature_c(
            spec.thermal, rate, speed, start_c=self._engine_c, cooling=setups.cooling, **around
        )
        brake_c = brake_temperature_c(spec.thermal, heat_w, speed, start_c=self._brake_c, **around)
        self._burnt, self._engine_c, self._brake_c = burnt[-1], engine_c[-1], brake_c[-1]
        fuel_kg = np.maximum(self._fuel_kg - burnt * trace.dt_s, 0.0)
        return HeatTrace(fuel_kg=fuel_kg, engine_c=engine_c[:-1], brake_c=brake_c[:-1])


@dataclass(frozen=True, eq=False)
class CarSensors:
    """The sensors of one car.

    Attributes:
        vehicle: The type of car.
        line: The car's own line.
        weather: Air around it.
        setups: How the cars are set up.
        ride_n_per_m: Usual wheel load per height of a kerb.
        car: Place in the grid, from 0.
    """

    vehicle: Vehicle
    line: Line
    weather: AmbientConditions
    setups: CarSetups
    ride_n_per_m: float
    car: int

    @cached_property
    def _round_line(self) -> tuple[FloatArray, ...]:
        """Distance, curvature and place along the line, with the last point before it and the first one after it."""
        line = self.line
        round_m = np.concatenate([line.s_m[-1:] - line.length_m, line.s_m, line.s_m[:1] + line.length_m])
        axes = (line.curvature_per_m, line.x_m, line.y_m)
        return round_m, *(np.concatenate([axis[-1:], axis, axis[:1]]) for axis in axes)

    def measure(self, trace: Trace, heat: HeatTrace, pick: slice) -> dict[str, FloatArray]:
        """True values of every channel but ``lap_number`` at the picked steps.

        Args:
            trace: What the cars did.
            heat: How warm they got.
            pick: Steps of the trace.
        """
        spec, car, line = self.vehicle.spec, self.car, self.line
        balance = self.setups.brake_balance[car]
        speed, load, rpm = trace.speed_mps[pick, car], trace.load[pick, car], trace.rpm[pick, car]
        into = trace.distance_m[pick, car] % line.length_m
        round_m, *axes = self._round_line
        bend, x, y = (np.interp(into, round_m, axis) for axis in axes)
        lateral_g = trace.lateral_mps2[pick, car] / GRAVITY_MPS2
        stiffness = self.ride_n_per_m * float(self.setups.ride_stiffness[car])
        along, across = kerb_shake_mps2(trace.kerb_m[pick, car], stiffness, self.vehicle.mass_kg)
        brake = trace.brake_n[pick, car]
        return {
            "speed_kmh": speed * KMH_PER_MPS,
            "throttle_pct": 100.0 * throttle_pedal(load, rpm / spec.engine.limiter_rpm),
            "brake_front_bar": brake * balance / spec.brake_front_n_per_bar,
            "brake_rear_bar": brake * (1.0 - balance) / spec.brake_rear_n_per_bar,
            "steering_deg": bend * spec.steering_deg_m + spec.understeer_deg_per_g * lateral_g,
            "gear": trace.gear[pick, car] + 1.0,
            "rpm": rpm,
            "torque_nm": trace.torque_nm[pick, car],
            "engine_load_pct": 100.0 * load,
            "engine_temp_c": heat.engine_c[pick, car],
            "brake_temp_c": heat.brake_c[pick, car],
            "accel_long_g": trace.accel_mps2[pick, car] / GRAVITY_MPS2 + along / GRAVITY_MPS2,
            "accel_lat_g": lateral_g + across / GRAVITY_MPS2,
            "lap_distance_m": into,
            "x_m": x,
            "y_m": y,
            "ambient_temp_c": np.full(len(into), self.weather.ambient_c),
            "track_temp_c": np.full(len(into), self.weather.track_c),
            "fuel_kg": heat.fuel_kg[pick, car],
        }


def throttle_pedal(load: FloatArray, rpm_share: FloatArray) -> FloatArray:
    """Pedal that asks for a load: the slower the engine turns, the less of the throttle fills it."""
    return np.asarray(np.maximum(load, 0.0) ** (1.0 / (0.45 + 0.55 * rpm_share)))
