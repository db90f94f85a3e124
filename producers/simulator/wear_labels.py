"""Wear labels: the damage of each lap to each component. For training and for tests only.

It is computed from what the cars did (:class:`~producers.simulator.simulator.Run`), after it and apart from what they
send: a session's frames and events are the same whether anyone asks for the truth or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.arrays import FloatArray
from conf.units import GRAVITY_MPS2
from conf.wear import COMPONENTS, Component
from physics.wear.car import CarWear
from physics.wear.gearbox import sync_torque_nm
from physics.wear.history import LoadHistory
from physics.wear.suspension import wheel_loads_n
from producers.simulator.cars.setups import draw_parts
from producers.simulator.simulator import GridCar, VehicleSimulator

_LEFT = (0, 2)


def wear_label_rows(simulator: VehicleSimulator, car: GridCar) -> Iterator[dict[str, Any]]:
    """Payloads of ``truth`` of one car, lap by lap, one a component; the last lap may be a part of one.

    Args:
        simulator: The session.
        car: One of its cars.
    """
    course, settings, rules = simulator.trajectory(car), simulator.settings, simulator.rules
    history = build_load_history(simulator, car)
    wear = CarWear(rules, simulator.vehicle, simulator.forces.mass_kg)
    parts, setup = draw_parts(rules, car.index, seed=settings.seed), simulator.plan.setups.of(car.index)
    total: dict[Component, float] = dict.fromkeys(COMPONENTS, 0.0)
    distance = course.distance_m[: len(history)]
    edges = np.searchsorted(distance, np.arange(1, course.laps + 1) * course.length_m)
    edges = np.unique([0, *edges, len(history)])
    for lap, (first, last) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True), 1):
        complete = lap <= course.laps
        end_us = course.crossings_us[lap] if complete else course.start_us + round((last - 1) * course.dt_s * 1e6)
        km = (course.length_m if complete else float(distance[last - 1] - distance[first])) / 1000.0
        for component, damage in wear.add(history.part(first, last)).items():
            own = parts[component] * damage
            total[component] += own
            yield {
                "session_id": settings.session_id,
                "vehicle_id": car.vehicle_id,
                "lap_number": lap,
                "component": component,
                "time_us": int(end_us),
                "is_complete": complete,
                "distance_km": km,
                "damage": own,
                "cumulative_damage": total[component],
                "damage_per_km": own / km if km > 0 else None,
                "part_factor": parts[component],
                **setup,
                "mishaps": [
                    str(each) for each in settings.car_faults if each.car == car.index + 1 and each.lap in (None, lap)
                ],
                "wear_version": rules.version,
                "is_synthetic": True,
            }


def build_load_history(simulator: VehicleSimulator, car: GridCar) -> LoadHistory:
    """What one car went through, up to where it stopped sending, at the solver's step.

    Args:
        simulator: The session.
        car: One of its cars.
    """
    run, course, c = simulator.run, simulator.trajectory(car), car.index
    spec, forces, rules, trace = simulator.vehicle, simulator.forces, simulator.rules, run.trace
    n = int(np.searchsorted(course.distance_m, course.end_m))

    def of(values: npt.NDArray[Any]) -> FloatArray:
        return np.asarray(values[:n, c], dtype=np.float64)

    speed, accel, lateral, scrub = (
        of(values) for values in (trace.speed_mps, trace.accel_mps2, trace.lateral_mps2, trace.scrub_n)
    )
    along = accel * forces.inertia_kg + scrub + forces.drag_kgpm * speed * speed + forces.rolling_n
    input_rpm, open_clutch = of(trace.rpm) - of(trace.flare_rpm), of(trace.clutch_open) > 0
    sync = sync_torque_nm(input_rpm, trace.dt_s, rules.gearbox.sync_inertia_kgm2)
    setups, suspension = simulator.plan.setups, rules.suspension
    wheels = wheel_loads_n(
        spec,
        forces.mass_kg,
        accel,
        lateral,
        track_m=suspension.track_m,
        front_roll_share=float(setups.front_roll_share[c]),
    )
    stiffness = suspension.ride_n_per_m * float(setups.ride_stiffness[c])
    wheels[:, _LEFT] += stiffness * of(trace.kerb_m)[:, None]
    balance = float(setups.brake_balance[c])
    return LoadHistory(
        dt_s=trace.dt_s,
        speed_mps=speed,
        rpm=of(trace.rpm),
        engine_torque_nm=of(trace.torque_nm),
        engine_c=of(run.heat.engine_c),
        gear_ratio=np.asarray(spec.gear_ratios)[trace.gear[:n, c]],
        input_torque_nm=np.where(open_clutch, sync, of(trace.torque_nm)),
        input_rpm=input_rpm,
        brake_front_n=of(trace.brake_n) * balance + of(trace.stuck_n),
        brake_rear_n=of(trace.brake_n) * (1.0 - balance),
        disc_c=of(run.heat.brake_c),
        tyre_n=np.hypot(along, lateral * forces.mass_kg),
        tyre_load_n=forces.mass_kg * GRAVITY_MPS2 + forces.downforce_kgpm * speed * speed,
        scrub_n=scrub,
        wheel_load_n=wheels,
    )
