"""From what a car did to what its sensors say, before noise: one array a channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.arrays import FloatArray, IndexArray
from conf.units import GRAVITY_MPS2, KMH_PER_MPS
from physics.centre_line import Line
from physics.thermal import brake_temperature_c, engine_temperature_c, fuel_rate_kgps
from physics.vehicle import Vehicle
from producers.simulator.cars.car_faults import kerb_shake_mps2
from producers.simulator.cars.driving import Trace
from producers.simulator.cars.setups import Setups

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
NOT_NEGATIVE = ("speed_kmh", "throttle_pct", "brake_front_bar", "brake_rear_bar", "rpm", "engine_load_pct", "fuel_kg")


@dataclass(frozen=True)
class Weather:
    """Air and track temperature, constant over the run."""

    ambient_c: float
    track_c: float


@dataclass(frozen=True)
class Heat:
    """Fuel and temperatures of every car, arrays of shape (steps, cars)."""

    fuel_kg: FloatArray
    engine_c: FloatArray
    brake_c: FloatArray


def heat_up(vehicle: Vehicle, trace: Trace, weather: Weather, setups: Setups, fuel_kg: float) -> Heat:
    """Fuel burnt and temperatures reached along a run.

    Args:
        vehicle: The type of car.
        trace: What the cars did.
        weather: Air around them.
        setups: How the cars are set up.
        fuel_kg: Fuel on board at the start.
    """
    engine, thermal = vehicle.spec.engine, vehicle.spec.thermal
    _, drag = vehicle.engine_torque_nm(trace.rpm)
    rate = fuel_rate_kgps(trace.torque_nm + drag, trace.rpm, engine.efficiency)
    burnt = np.cumsum(rate, axis=0) * trace.dt_s
    cars = trace.rpm.shape[1]
    warm = np.full(cars, thermal.thermostat_opens_c)
    hot = np.full(cars, 150.0 + weather.ambient_c)
    heat_w = _PAD_HEAT_SHARE * setups.brake_balance * trace.brake_n * trace.speed_mps
    heat_w += _PAD_HEAT_SHARE * trace.stuck_n * trace.speed_mps
    around = {"dt_s": trace.dt_s, "ambient_c": weather.ambient_c}
    return Heat(
        fuel_kg=np.maximum(fuel_kg - burnt, 0.0),
        engine_c=engine_temperature_c(thermal, rate, trace.speed_mps, start_c=warm, cooling=setups.cooling, **around),
        brake_c=brake_temperature_c(thermal, heat_w, trace.speed_mps, start_c=hot, **around),
    )


def measure(
    vehicle: Vehicle,
    trace: Trace,
    heat: Heat,
    *,
    line: Line,
    weather: Weather,
    setups: Setups,
    ride_n_per_m: float,
    car: int,
    pick: IndexArray,
) -> dict[str, FloatArray]:
    """True values of every channel but ``lap_number`` for one car at the picked steps.

    Args:
        vehicle: The type of car.
        trace: What the cars did.
        heat: How warm they got.
        line: The car's own line.
        weather: Air around it.
        setups: How the cars are set up.
        ride_n_per_m: Usual wheel load per height of a kerb.
        car: Place in the grid, from 0.
        pick: Steps.
    """
    spec, balance = vehicle.spec, setups.brake_balance[car]
    speed, load, rpm = trace.speed_mps[pick, car], trace.load[pick, car], trace.rpm[pick, car]
    into = trace.distance_m[pick, car] % line.length_m
    bend, x, y = (np.interp(into, line.s_m, axis, period=line.length_m) for axis in _axes(line))
    lateral_g = trace.lateral_mps2[pick, car] / GRAVITY_MPS2
    stiffness = ride_n_per_m * float(setups.ride_stiffness[car])
    along, across = kerb_shake_mps2(trace.kerb_m[pick, car], stiffness, vehicle.mass_kg)
    brake = trace.brake_n[pick, car]
    return {
        "speed_kmh": speed * KMH_PER_MPS,
        "throttle_pct": 100.0 * throttle(load, rpm / spec.engine.limiter_rpm),
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
        "ambient_temp_c": np.full(len(pick), weather.ambient_c),
        "track_temp_c": np.full(len(pick), weather.track_c),
        "fuel_kg": heat.fuel_kg[pick, car],
    }


def throttle(load: FloatArray, rpm_share: FloatArray) -> FloatArray:
    """Pedal that asks for a load: the slower the engine turns, the less of the throttle fills it."""
    return np.asarray(np.maximum(load, 0.0) ** (1.0 / (0.45 + 0.55 * rpm_share)))


def _axes(line: Line) -> tuple[FloatArray, FloatArray, FloatArray]:
    return line.curvature_per_m, line.x_m, line.y_m
