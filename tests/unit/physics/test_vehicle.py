from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conf.units import GRAVITY_MPS2
from conf.vehicle import VehicleSpec, load_vehicle, vehicle_names
from physics.vehicle import Vehicle

names = st.sampled_from(vehicle_names())


@given(names, st.floats(1e-4, 0.1), st.floats(0.2, 1.0))
def test_cornering_speed_takes_the_share_of_the_grip(name: str, curvature: float, share: float) -> None:
    vehicle = Vehicle(load_vehicle(name))
    speed = vehicle.cornering_speed_mps(np.array([curvature]), share)[0]
    needed = vehicle.mass_kg * speed**2 * curvature
    allowed = share * vehicle.grip_n(np.array([speed**2]))[0]
    assert needed <= allowed * (1 + 1e-9)
    assert speed >= 119.0 or needed == pytest.approx(allowed, rel=1e-6)


@given(names, st.floats(-60, 300), st.integers(0, 5))
def test_the_driveline_never_creates_power(name: str, torque: float, gear: int) -> None:
    vehicle = Vehicle(load_vehicle(name))
    force = vehicle.wheel_force_n(np.array([torque]), np.array([gear]))[0]
    assert force <= torque * vehicle.newton_per_nm[gear] + 1e-9


def test_gr86_power_and_torque_are_the_published_ones() -> None:
    vehicle = Vehicle(load_vehicle("gr86-cup"))
    torque, _ = vehicle.engine_torque_nm(np.array([3700.0, 7000.0]))
    assert torque[0] == pytest.approx(249)
    assert torque[1] * 7000 * np.pi / 30 == pytest.approx(170e3, rel=0.01)


def test_gr86_top_speed_and_sprint_are_plausible() -> None:
    vehicle = Vehicle(load_vehicle("gr86-cup"))
    speed = np.linspace(5, 80, 600)
    surplus = vehicle.full_throttle_n(speed) - vehicle.resistance_n(speed)
    assert 215 < speed[np.flatnonzero(surplus > 0)[-1]] * 3.6 < 255
    assert surplus[0] / vehicle.inertia_kg < GRAVITY_MPS2


def test_an_unknown_key_is_refused_and_named() -> None:
    good = load_vehicle("gr86-cup").model_dump()
    with pytest.raises(ValidationError, match="drag_coeficient"):
        VehicleSpec.model_validate(good | {"drag_coeficient": 0.3})


def test_an_unknown_vehicle_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="gr86-cup"):
        load_vehicle("gr68")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gear_ratios": (2.0, 2.0)}, "must fall"),
        ({"mass_kg": -1}, "mass_kg"),
    ],
)
def test_values_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    good = load_vehicle("gr86-cup").model_dump()
    with pytest.raises(ValidationError, match=message):
        VehicleSpec.model_validate(good | change)


def test_a_torque_curve_must_span_the_engine_speeds() -> None:
    good = load_vehicle("gr86-cup").model_dump()
    engine = good["engine"] | {"curve_rpm": (800.0, 7000.0), "curve_nm": (100.0, 200.0)}
    with pytest.raises(ValidationError, match="span idle_rpm to limiter_rpm"):
        VehicleSpec.model_validate(good | {"engine": engine})
