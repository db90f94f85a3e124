"""CarFaultSchedule: where they were asked for, as a sensor sees them, and what they wear as conf/wear.yaml declares."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from conf.wear import CAR_FAULT_KINDS, COMPONENTS, CarFaultKind, load_wear_rules
from producers.simulator.cars.driver_styles import PROFILE_NAMES
from producers.simulator.config import CarFault, DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.wear_labels import wear_label_rows

RULES = load_wear_rules()
LIMITER = 7_500.0


def mishap(kind: CarFaultKind, at_m: float, size: float, car: int = 1, lap: int | None = 2) -> CarFault:
    return CarFault(kind=kind, at_m=at_m, size=size, car=car, lap=lap)


DRAG = mishap("dragging_brake", 300, 3)
KERB = mishap("kerb_strike", 900, 50)
GEAR = mishap("missed_downshift", 700, 3)
REVS = mishap("over_rev", 0, 1_200)


@lru_cache
def drive(*mishaps: CarFault, track: str = "three-oaks", **changes: Any) -> VehicleSimulator:
    """Four cars, one of each profile."""
    options = {"n_cars": 4, "n_laps": 3, "seed": 3, "data_faults": DataFaults.none()} | changes
    return VehicleSimulator(SimulatorConfig(track=track, car_faults=mishaps, **options))


def lap(simulator: VehicleSimulator, number: int, car: int = 0) -> pl.DataFrame:
    return simulator.samples(simulator.cars[car].vehicle_id).filter(pl.col("lap_number") == number)


def within(samples: pl.DataFrame, first_m: float, last_m: float) -> pl.DataFrame:
    return samples.filter(pl.col("lap_distance_m").is_between(first_m, last_m))


def damage(simulator: VehicleSimulator, car: int = 0, laps: tuple[int, ...] = (2, 3)) -> dict[str, float]:
    total = dict.fromkeys(COMPONENTS, 0.0)
    for row in wear_label_rows(simulator, simulator.cars[car]):
        total[row["component"]] += row["damage"] * (row["lap_number"] in laps)
    return total


@pytest.mark.parametrize("planted", [DRAG, KERB, GEAR, REVS], ids=lambda m: m.kind)
def test_up_to_the_mishap_and_for_other_cars_the_runs_are_the_same(planted: CarFault) -> None:
    clean, struck = drive(), drive(planted)
    assert lap(clean, 1).equals(lap(struck, 1))
    before = pl.col("lap_distance_m") < 0.97 * planted.at_m  # a driver's own line is shorter than the road's middle
    assert lap(clean, 2).filter(before).equals(lap(struck, 2).filter(before))
    assert not lap(clean, 2).equals(lap(struck, 2))
    for car in (1, 2, 3):
        assert clean.samples(clean.cars[car].vehicle_id).equals(struck.samples(struck.cars[car].vehicle_id))
        assert damage(clean, car) == damage(struck, car)


def test_a_dragging_brake_is_hot_and_slow_and_shows_no_pressure() -> None:
    clean, struck = lap(drive(), 2), lap(drive(DRAG), 2)
    assert within(struck, 250, 299)["brake_temp_c"].to_list() == within(clean, 250, 299)["brake_temp_c"].to_list()
    assert struck["brake_temp_c"][-1] > clean["brake_temp_c"][-1] + 15.0
    assert struck["speed_kmh"].mean() < clean["speed_kmh"].mean()
    coasts = (pl.col("brake_front_bar") == 0.0) & (pl.col("lap_distance_m") > 300)
    assert struck.filter(coasts).height > 0.5 * struck.height


def test_a_gear_too_low_revs_the_engine_over_its_limiter() -> None:
    clean, struck = (within(lap(drive(*m), 2), 700, 800) for m in ((), (GEAR,)))
    assert clean["rpm"].max() <= LIMITER
    assert struck["rpm"].max() > LIMITER + 500
    wrong = struck.filter(pl.col("gear") < clean["gear"].min())
    assert wrong.height / 30.0 == pytest.approx(0.5, abs=0.1)
    assert lap(drive(GEAR), 2).filter(pl.col("lap_distance_m") > 900)["rpm"].max() <= LIMITER


def test_a_kerb_shakes_the_car_and_changes_nothing_else() -> None:
    clean, struck = lap(drive(), 2), lap(drive(KERB), 2)
    moved = {name for name in clean.columns if not clean[name].equals(struck[name])}
    assert moved == {"accel_lat_g", "accel_long_g"}
    shaken = np.abs(struck["accel_lat_g"].to_numpy() - clean["accel_lat_g"].to_numpy())
    assert shaken.max() > 0.1
    at = clean["lap_distance_m"].to_numpy()[shaken > 0]
    assert 895 < at.min() < at.max() < 915


def test_a_missed_upshift_flares() -> None:
    clean, struck = lap(drive(), 2), lap(drive(REVS), 2)
    assert clean["rpm"].max() <= LIMITER
    assert struck["rpm"].max() == pytest.approx(LIMITER + 1_200, rel=0.02)
    over = struck.filter(pl.col("rpm") > LIMITER)
    assert 0.1 < over.height / 30.0 < 0.7
    assert over["torque_nm"].max() < 0.0  # nothing drives


def planted(kind: CarFaultKind, track: str) -> list[CarFault]:
    """The mishap at the size of its row, for every car, where that can strike: a gear too low at the fastest place."""
    clean, size = drive(track=track), RULES.car_faults.matrix[kind].size
    places = {"dragging_brake": 0.0, "kerb_strike": 900.0, "over_rev": 0.0}
    out = []
    for car in range(4):
        own = lap(clean, 2, car)
        fastest = float(own["lap_distance_m"][int(own["speed_kmh"].arg_max() or 0)])
        along_road = fastest * clean.track.length_m / clean.trajectory(clean.cars[car]).length_m
        out.append(mishap(kind, places.get(kind, along_road), size, car + 1))
    return out


@pytest.mark.parametrize("track", ["three-oaks", "alder-ridge"])
@pytest.mark.parametrize("kind", CAR_FAULT_KINDS)
def test_the_truth_keeps_to_the_matrix(kind: CarFaultKind, track: str) -> None:
    row, matrix = RULES.car_faults.matrix[kind], RULES.car_faults
    clean, struck = drive(track=track), drive(*planted(kind, track), track=track)
    for car in range(4):
        without, with_it = damage(clean, car), damage(struck, car)
        change = {name: with_it[name] / without[name] - 1.0 for name in COMPONENTS}
        for name, share in change.items():
            if name in row.wears:
                assert share > matrix.least, (clean.cars[car].profile, change)
            elif name not in row.strains:
                assert -matrix.fall < share < matrix.rise, (clean.cars[car].profile, change)


@pytest.mark.parametrize(("kind", "component"), [("dragging_brake", "brakes"), ("kerb_strike", "suspension")])
def test_a_larger_mishap_wears_more(kind: CarFaultKind, component: str) -> None:
    sizes = (0.5, 1, 2, 4) if kind == "dragging_brake" else (10, 20, 40, 80)
    worn = [damage(drive(mishap(kind, 900, size, lap=1), n_cars=1, n_laps=1), laps=(1,))[component] for size in sizes]
    assert worn == sorted(worn)


def test_harder_drivers_wear_every_component_faster() -> None:
    seeds = [drive(seed=seed) for seed in (3, 4)]
    worn = {name: dict.fromkeys(COMPONENTS, 0.0) for name in PROFILE_NAMES}
    for simulator in seeds:
        for car in simulator.cars:
            for component, share in damage(simulator, car.index).items():
                worn[car.profile][component] += share
    for component in COMPONENTS:
        assert worn["aggressive"][component] > worn["normal"][component] > worn["eco"][component], component


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "kerb_strike", "at_m": 10, "size": 20, "car": 3}, "car 3 of a grid of 2"),
        ({"kind": "kerb_strike", "at_m": 10, "size": 20, "lap": 4}, "lap 4 of 2"),
        ({"kind": "kerb_strike", "at_m": 10, "size": 500}, "at most 150"),
        ({"kind": "missed_downshift", "at_m": 10, "size": 1.5}, "a whole number"),
        ({"kind": "puncture", "at_m": 10, "size": 1}, "dragging_brake"),
    ],
)
def test_mishaps_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulatorConfig(n_cars=2, n_laps=2, car_faults=[options])


def test_a_mishap_that_could_not_strike_is_said() -> None:
    with pytest.raises(ValueError, match=r"car fault at 9000 m: a lap of this track is 2,\d{3} m"):
        _ = drive(mishap("kerb_strike", 9_000, 20)).run
    length = drive().trajectory(drive().cars[0]).length_m
    with pytest.raises(ValueError, match=r"over_rev at .* did not come about in lap 2 of car 1: there was no upshift"):
        _ = drive(mishap("over_rev", length - 15.0, 500)).run
