"""Mistakes made on purpose: where they were asked for, and nothing else changed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from producers.simulator.config import DataFaults, DriverError, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator

EARLY = DriverError(kind="brake_early", at_m=890.0, by_m=30.0, lap=2)
LIFT = DriverError(kind="lift", at_m=1_700.0, by_m=60.0, lap=2)


@lru_cache
def drive(*mistakes: DriverError, n_cars: int = 2) -> VehicleSimulator:
    return VehicleSimulator(
        SimulatorConfig(
            n_cars=n_cars,
            n_laps=3,
            seed=3,
            rate_hz=50.0,
            data_faults=DataFaults.none(),
            profiles={"aggressive": 1.0},
            driver_errors=mistakes,
        )
    )


def lap(simulator: VehicleSimulator, number: int, car: int = 0) -> pl.DataFrame:
    return simulator.samples(simulator.cars[car].vehicle_id).filter(pl.col("lap_number") == number)


def brakes_at(samples: pl.DataFrame, first_m: float, last_m: float) -> float:
    inside = samples.filter(pl.col("lap_distance_m").is_between(first_m, last_m) & (pl.col("brake_front_bar") > 3.0))
    return float(inside["lap_distance_m"][0])


def test_a_foot_is_early_by_what_was_asked() -> None:
    clean, early = lap(drive(), 2), lap(drive(EARLY), 2)
    assert brakes_at(clean, 700, 900) - brakes_at(early, 700, 900) == pytest.approx(30.0, abs=8.0)
    slowest = [s.filter(pl.col("lap_distance_m").is_between(700, 950))["speed_kmh"].min() for s in (clean, early)]
    assert slowest[1] == pytest.approx(slowest[0], abs=2.0)


def test_a_foot_leaves_the_throttle_for_as_long_as_was_asked() -> None:
    lifted = lap(drive(LIFT), 2)

    def throttle(first_m: float, last_m: float) -> pl.Series:
        return lifted.filter(pl.col("lap_distance_m").is_between(first_m, last_m))["throttle_pct"]

    assert throttle(1_650, 1_698).min() > 90.0
    assert throttle(1_715, 1_758).max() < 5.0
    assert throttle(1_775, 1_785).min() > 50.0
    assert lifted.filter(pl.col("lap_distance_m").is_between(1_690, 1_790))["brake_front_bar"].max() == 0.0


@pytest.mark.parametrize("mistake", [EARLY, LIFT])
def test_up_to_the_mistake_the_runs_are_the_same(mistake: DriverError) -> None:
    clean, planted = drive(), drive(mistake)
    assert lap(clean, 1).equals(lap(planted, 1))
    before = pl.col("lap_distance_m") < mistake.at_m - 200.0
    assert lap(clean, 2).filter(before).equals(lap(planted, 2).filter(before))
    assert lap(clean, 2, car=1).equals(lap(planted, 2, car=1))
    own = drive().cars[0].vehicle_id
    lost = [sim.laps().filter(vehicle_id=own)["lap_time_s"].to_numpy() for sim in (planted, clean)]
    assert (lost[0] - lost[1])[1] > 0.1
    assert np.abs(lost[0] - lost[1])[[0, 2]].max() < 0.03


def test_on_every_lap_of_another_car() -> None:
    lift = DriverError(kind="lift", at_m=1_700.0, by_m=60.0, car=2)
    for number in (1, 2, 3):
        least = [
            lap(drive(lift), number, car)
            .filter(pl.col("lap_distance_m").is_between(1_715, 1_750))["throttle_pct"]
            .max()
            for car in (0, 1)
        ]
        assert least[0] > 80.0
        assert least[1] < 20.0


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"kind": "spin", "at_m": 1.0, "by_m": 1.0}, "brake_early"),
        ({"kind": "lift", "at_m": 1.0, "by_m": 0.0}, "greater than 0"),
        ({"kind": "lift", "at_m": 1.0, "by_m": 1.0, "car": 3}, "car 3 of a grid of 2"),
        ({"kind": "lift", "at_m": 1.0, "by_m": 1.0, "lap": 9}, "lap 9 of 2"),
    ],
)
def test_mistakes_of_nobody_are_refused(mistake: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulatorConfig(n_cars=2, n_laps=2, driver_errors=[mistake])


def test_a_mistake_beyond_the_lap_is_refused() -> None:
    beyond = DriverError(kind="lift", at_m=9_000.0, by_m=10.0)
    with pytest.raises(ValueError, match="a lap of this track is"):
        drive(beyond).laps()
