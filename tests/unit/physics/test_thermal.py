from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.vehicle import load_vehicle
from physics.thermal import brake_temperature_c, engine_temperature_c, fuel_rate_kgps
from physics.vehicle import FUEL_J_PER_KG

THERMAL = load_vehicle("gr86-cup").thermal


def test_brakes_settle_where_heating_and_cooling_balance() -> None:
    heat = np.full((60_000, 1), 20_000.0)
    speed = np.full_like(heat, 30.0)
    end = brake_temperature_c(THERMAL, heat, speed, dt_s=0.1, ambient_c=20.0, start_c=np.array([20.0]))[-1, 0]
    cooling = THERMAL.brake_w_per_k + THERMAL.brake_w_per_k_per_mps * 30.0
    assert end == pytest.approx(20.0 + 20_000.0 / cooling, rel=0.01)


@given(st.floats(-10, 45), st.floats(5, 60))
@settings(max_examples=20, deadline=None)
def test_brakes_cool_towards_the_air_and_not_past_it(ambient: float, speed_mps: float) -> None:
    heat, speed = np.zeros((3000, 1)), np.full((3000, 1), speed_mps)
    course = brake_temperature_c(THERMAL, heat, speed, dt_s=0.1, ambient_c=ambient, start_c=np.array([400.0]))[:, 0]
    assert (np.diff(course) <= 0).all()
    assert course[-1] >= ambient


def test_a_warmer_day_makes_a_warmer_engine() -> None:
    fuel, speed = np.full((20_000, 1), 0.009), np.full((20_000, 1), 40.0)
    ends = [
        engine_temperature_c(THERMAL, fuel, speed, dt_s=0.1, ambient_c=air, start_c=np.array([85.0]))[-1, 0]
        for air in (0.0, 20.0, 40.0)
    ]
    assert ends[0] < ends[1] < ends[2] < 125
    assert ends[0] > THERMAL.thermostat_opens_c


def test_fuel_carries_the_indicated_work() -> None:
    rate = fuel_rate_kgps(np.array([200.0, -20.0]), np.array([6000.0, 6000.0]), 0.36)
    assert rate[0] * FUEL_J_PER_KG * 0.36 == pytest.approx(200 * 6000 * np.pi / 30)
    assert rate[1] == 0
