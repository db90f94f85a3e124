"""What goes wrong by chance: each car's own, as often as in a season, and nothing that could not be driven."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from conf.track import load_track
from conf.wear import CAR_FAULT_KINDS
from producers.simulator.cars.random_car_faults import draw_random_car_faults
from producers.simulator.config import CAR_FAULT_SIZES, CarFault, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from slipstream.cli import app

LENGTH_M = 3_000.0
MANY = draw_random_car_faults(LENGTH_M, cars=60, laps=10, seed=1)


def of_car(mishaps: tuple[CarFault, ...], car: int) -> list[CarFault]:
    return [each for each in mishaps if each.car == car]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=30)
def test_a_cars_mishaps_do_not_depend_on_the_others(few: int, more: int, seed: int) -> None:
    one, other = (draw_random_car_faults(LENGTH_M, cars, 4, seed) for cars in (few, few + more))
    assert all(of_car(one, car) == of_car(other, car) for car in range(1, few + 1))
    assert {each.car for each in other} <= set(range(1, few + more + 1))


def test_a_seed_stands_for_its_mishaps_and_cars_differ() -> None:
    assert (
        draw_random_car_faults(LENGTH_M, 3, 5, 7)
        == draw_random_car_faults(LENGTH_M, 3, 5, 7)
        != draw_random_car_faults(LENGTH_M, 3, 5, 8)
    )
    first, second = ([(m.kind, m.at_m) for m in of_car(MANY, car)] for car in (1, 2))
    assert not set(first) & set(second)


def test_all_are_on_the_lap_and_of_sizes_that_can_be() -> None:
    assert all(0 <= each.at_m < LENGTH_M and 0 < each.size <= CAR_FAULT_SIZES[each.kind][1] for each in MANY)
    assert {each.lap for each in MANY} == set(range(1, 11))


def test_kerbs_are_on_nearly_every_lap_and_the_rest_is_seldom() -> None:
    laps = defaultdict(Counter)
    for each in MANY:
        laps[each.car, each.lap][each.kind] += 1
    assert sum(kinds["kerb_strike"] > 0 for kinds in laps.values()) > 0.9 * 600
    for kind in ("over_rev", "missed_downshift", "dragging_brake"):
        struck = sum(kinds[kind] > 0 for kinds in laps.values()) / 600
        assert 0.01 < struck < 0.12, kind
    assert max(kinds[kind] for kinds in laps.values() for kind in kinds if kind != "kerb_strike") == 1
    of_cars = Counter(each.car for each in MANY if each.kind == "kerb_strike")
    assert max(of_cars.values()) > 3 * min(of_cars.values())  # some drivers use the kerbs more than others


def test_a_session_with_them_can_be_driven() -> None:
    mishaps = draw_random_car_faults(load_track("drawn-2").length_m, 12, 2, seed=5)
    assert {each.kind for each in mishaps} == set(CAR_FAULT_KINDS)
    options = {"track": "drawn-2", "n_cars": 12, "n_laps": 2, "seed": 5, "rate_hz": 10}
    trace = VehicleSimulator(SimulatorConfig(car_faults=mishaps, **options)).run.trace
    assert trace.kerb_m.max() > 0.02
    assert trace.stuck_n.max() > 0
    assert trace.flare_rpm.max() > 200


def test_what_cannot_come_about_is_left_out_where_drawn_and_said_where_asked_for() -> None:
    def driven(*mishaps: CarFault) -> VehicleSimulator:
        return VehicleSimulator(SimulatorConfig(n_cars=1, n_laps=1, rate_hz=10, car_faults=mishaps))

    asked = CarFault(kind="over_rev", at_m=load_track("three-oaks").length_m - 10.0, size=500)
    with pytest.raises(ValueError, match=r"over_rev at .* did not come about"):
        _ = driven(asked).run
    drawn = asked.model_copy(update={"by_chance": True})
    assert driven(drawn).to_polars().equals(driven().to_polars())
    assert all(each.by_chance for each in MANY)
    assert asked.model_dump() == drawn.model_dump()  # a session's name does not tell


def test_the_command_draws_them_for_laps_only(caplog: pytest.LogCaptureFixture) -> None:
    simulate = ("produce", "simulate", "--cars", "1", "--rate", "10", "--random-car-faults", "--dry-run")
    wide = CliRunner(env={"COLUMNS": "200"})
    ran, refused = (wide.invoke(app, [*simulate, *length]) for length in (("--laps", "1"), ("--duration", "10")))
    assert ran.exit_code == 0, ran.output
    assert refused.exit_code == 2
    assert "car faults are drawn for a number of laps: give --laps" in refused.stderr
    assert "--random-car-faults" in refused.stderr
    assert not [record for record in caplog.records if record.levelname != "INFO"]  # it is no fault of ours
