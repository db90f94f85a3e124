"""Temperatures of engine and brakes: one heat capacity each, heated by load, cooled by air."""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.vehicle import ThermalSpec
from physics.vehicle import FUEL_J_PER_KG


def fuel_rate_kgps(indicated_torque_nm: FloatArray, rpm: FloatArray, efficiency: float) -> FloatArray:
    """Fuel flow of an engine whose indicated work is a fixed share of the fuel's energy (Willans line).

    Args:
        indicated_torque_nm: Torque at the crank plus drag torque; the drag is what makes idling cost fuel.
        rpm: Engine speed.
        efficiency: Indicated efficiency.
    """
    power_w = np.maximum(indicated_torque_nm, 0.0) * rpm * (np.pi / 30.0)
    return np.asarray(power_w / (efficiency * FUEL_J_PER_KG))


def engine_temperature_c(
    thermal: ThermalSpec,
    fuel_kgps: FloatArray,
    speed_mps: FloatArray,
    *,
    dt_s: float,
    ambient_c: float,
    start_c: FloatArray,
    cooling: FloatArray | float = 1.0,
) -> FloatArray:
    """Coolant temperature ``C dT/dt = q m_fuel - o(T) UA(v) (T - T_air)`` with a thermostat ``o`` from 0.05 to 1.

    Args:
        thermal: Heat capacity and cooling.
        fuel_kgps: Fuel flow, shape (steps, cars).
        speed_mps: Same shape.
        dt_s: Time step.
        ambient_c: Air temperature.
        start_c: Temperature at the first step, shape (cars,).
        cooling: The radiator's cooling as a multiple of the vehicle's, shape (cars,).
    """
    heat = thermal.coolant_share * FUEL_J_PER_KG * fuel_kgps * (dt_s / thermal.engine_j_per_k)
    cool = (thermal.radiator_w_per_k + thermal.radiator_w_per_k_per_mps * speed_mps) * (dt_s / thermal.engine_j_per_k)
    cool = cool * cooling
    span = thermal.thermostat_open_c - thermal.thermostat_opens_c
    out, now = np.empty_like(heat), np.array(start_c, dtype=float)
    for i in range(len(heat)):
        out[i] = now
        opened = np.minimum(np.maximum((now - thermal.thermostat_opens_c) / span, 0.05), 1.0)
        now = now + heat[i] - cool[i] * opened * (now - ambient_c)
    return out


def brake_temperature_c(
    thermal: ThermalSpec,
    heat_w: FloatArray,
    speed_mps: FloatArray,
    *,
    dt_s: float,
    ambient_c: float,
    start_c: FloatArray,
) -> FloatArray:
    """Front disc temperature ``C dT/dt = P - h(v) (T - T_air)``; arguments as for the engine, heat in watts."""
    heat = heat_w * (dt_s / thermal.brake_disc_j_per_k)
    cool = (thermal.brake_w_per_k + thermal.brake_w_per_k_per_mps * speed_mps) * (dt_s / thermal.brake_disc_j_per_k)
    out, now = np.empty_like(heat), np.array(start_c, dtype=float)
    for i in range(len(heat)):
        out[i] = now
        now = now + heat[i] - cool[i] * (now - ambient_c)
    return out
