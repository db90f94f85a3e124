"""The dynamics of whole runs: energy, grip, gears, for any driver on any track."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conf.arrays import FloatArray
from conf.track import load_track, track_names
from conf.vehicle import load_vehicle, vehicle_names
from physics.centre_line import build_centre_line
from physics.vehicle import Vehicle
from producers.simulator.cars.car import START_MPS, Car
from producers.simulator.cars.controls import Controls
from producers.simulator.cars.driver import Driver
from producers.simulator.cars.driver_styles import PROFILE_NAMES, draw_style, stack_styles
from producers.simulator.cars.speed_plan import SpeedPlan, plan_speed
from producers.simulator.cars.trace import Trace, TraceRecorder

PROPERTY = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
runs = st.tuples(
    st.sampled_from(vehicle_names()),
    st.sampled_from(track_names()),
    st.integers(0, 10_000),
    st.sampled_from([25, 30, 50]),
)


def drive(vehicle_name: str, track: str, seed: int, rate_hz: int) -> tuple[Vehicle, SpeedPlan, Trace]:
    """All four profiles for forty seconds."""
    rng = np.random.default_rng(seed)
    vehicle = Vehicle(load_vehicle(vehicle_name))
    style = stack_styles([draw_style(name, 2, rng) for name in PROFILE_NAMES])
    road = plan_speed(vehicle, build_centre_line(load_track(track), 2.0), style, rng)
    steps, cars, dt_s = 40 * rate_hz, len(PROFILE_NAMES), 1 / rate_hz
    car, recorder = Car(vehicle, cars, dt_s), TraceRecorder(steps, cars, dt_s)
    driver = Driver(car, road, style, rng)
    for step in range(steps):
        recorder.record(step, car.step(driver.control()))
    return vehicle, road, recorder.trace()


def curvature(road: SpeedPlan, trace: Trace) -> FloatArray:
    columns = [
        np.interp(trace.distance_m[:, i] % line.length_m, line.s_m, line.curvature_per_m, period=line.length_m)
        for i, line in enumerate(road.lines)
    ]
    return np.stack(columns, axis=1)


@given(runs)
@PROPERTY
def test_engine_work_pays_for_all_that_is_spent(run: tuple[str, str, int, int]) -> None:
    """Crank work less driveline, drag, rolling and brake work is the change of kinetic energy, within 1 %."""
    vehicle, _, trace = drive(*run)
    speed = 0.5 * (trace.speed_mps[1:] + trace.speed_mps[:-1])
    rpm = 0.5 * (trace.rpm[1:] + trace.rpm[:-1])
    closed = ~(trace.clutch_open[:-1] | trace.clutch_open[1:])
    torque, efficiency = trace.torque_nm[:-1], vehicle.spec.driveline_efficiency
    crank_w = torque * rpm * np.pi / 30 * np.where(torque > 0, efficiency, 1 / efficiency)
    # In the one step in which the clutch closes rpm still moves: there the gear, not the crank, tells the speed.
    geared_w = vehicle.wheel_force_n(torque, trace.gear[:-1]) * speed * ~trace.clutch_open[:-1]
    work = np.where(closed, crank_w, geared_w).sum(0) * trace.dt_s
    gained = np.where(closed, np.maximum(crank_w, 0), np.maximum(geared_w, 0)).sum(0) * trace.dt_s
    spent = ((vehicle.resistance_n(speed) + trace.brake_n[:-1] + trace.scrub_n[:-1]) * speed).sum(0) * trace.dt_s
    kinetic = 0.5 * vehicle.inertia_kg * (trace.speed_mps[-1] ** 2 - trace.speed_mps[0] ** 2)
    residual = np.abs(work - spent - kinetic) / gained
    assert residual.max() <= 0.01


@given(runs)
@example(("touring-sedan", "harbour-mile", 339, 25))
@example(("touring-sedan", "harbour-mile", 27, 50))
@PROPERTY
def test_no_car_leaves_the_grip_circle(run: tuple[str, str, int, int]) -> None:
    """What the tyres give stays in the circle; the line driven asks for hardly more than they give, and seldom."""
    vehicle, road, trace = drive(*run)
    grip = vehicle.grip_n(trace.speed_mps**2)
    along = vehicle.inertia_kg * trace.accel_mps2 + vehicle.resistance_n(trace.speed_mps)
    assert (np.hypot(vehicle.mass_kg * trace.lateral_mps2, along) / grip).max() <= 1 + 1e-9
    asked = vehicle.mass_kg * trace.speed_mps**2 * np.abs(curvature(road, trace)) / grip
    assert asked.max() <= 1.1
    assert (asked > 1.0).mean() <= 0.02
    assert (trace.scrub_n[asked < 0.999] == 0).all()


@given(runs)
@PROPERTY
def test_speed_gear_and_engine_speed_belong_together(run: tuple[str, str, int, int]) -> None:
    vehicle, _, trace = drive(*run)
    engine = vehicle.spec.engine
    assert (trace.speed_mps > 0).all()
    assert (np.diff(trace.distance_m, axis=0) > 0).all()
    assert (trace.gear >= 0).all()
    assert (trace.gear < len(vehicle.spec.gear_ratios)).all()
    assert (np.abs(np.diff(trace.gear, axis=0)) <= 1).all()
    assert (trace.rpm >= engine.idle_rpm).all()
    assert (trace.rpm <= engine.limiter_rpm).all()
    geared = np.clip(trace.speed_mps * vehicle.rpm_per_mps[trace.gear], engine.idle_rpm, engine.limiter_rpm)
    closed = ~trace.clutch_open
    assert np.abs(trace.rpm - geared)[closed].max() < 1e-6


@given(runs)
@PROPERTY
def test_pedals_and_torque_belong_together(run: tuple[str, str, int, int]) -> None:
    vehicle, _, trace = drive(*run)
    full, drag = vehicle.engine_torque_nm(trace.rpm)
    assert (trace.load >= 0).all()
    assert (trace.load <= 1).all()
    assert np.allclose(trace.torque_nm, trace.load * (full + drag) - drag)
    assert (trace.brake_n >= 0).all()
    assert not ((trace.brake_n > 2000) & (trace.load > 0.5)).any()


def test_a_car_does_what_the_controls_say_whoever_works_them() -> None:
    """No driver, no plan, no track: a car alone with controls."""
    vehicle = Vehicle(load_vehicle("gr86-cup"))
    car = Car(vehicle, 3, 0.02)
    straight, shift_s, gear = np.zeros(3), np.full(3, 0.15), car.gear.copy()
    throttle, brake_n = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 6_000.0])
    for _ in range(50):
        motion = car.step(Controls(gear, shift_s, straight, throttle, brake_n))
    pushed, coasted, braked = car.speed_mps
    assert pushed > START_MPS > coasted > braked
    assert (motion.brake_n == brake_n).all()
    assert (motion.lateral_mps2 == 0.0).all()
    motion = car.step(Controls(gear + 1, shift_s, np.full(3, 0.01), throttle, brake_n))
    assert (motion.gear == gear + 1).all()
    assert motion.clutch_open.all()
    assert (motion.lateral_mps2 > 0.0).all()
