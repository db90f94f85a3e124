"""Yellow flags, pit stops, retirements, the chequered flag: what they do to the drive and to the timing."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.simulator.cars.race_incidents import PIT_AFTER_M, PIT_BEFORE_M, PIT_BOX_M, draw_race_incidents
from producers.simulator.cars.speed_limits import PIT_MPS, YELLOW_MPS
from producers.simulator.cars.trajectory import Trajectory, end_at_flag
from producers.simulator.config import DataFaults, RaceIncidents, SimulatorConfig
from producers.simulator.simulator import GridCar, VehicleSimulator
from producers.simulator.timing.official_timing import SimulatedOfficialLap, TimingResult
from producers.simulator.timing.standings import car_standings, line_crossings, result_lines
from tests.unit.producers.simulator.races import EVENTFUL, SEEDS, SHORT, by, eventful, quiet, rows

EASED_S = 30.0  # after the flag is out everyone is slow


@pytest.mark.parametrize("seed", SEEDS)
def test_all_cars_are_slow_under_the_yellow(seed: int) -> None:
    sim = eventful(seed)
    ((begin, end),) = sim.incidents.yellows_s
    assert end - begin > EASED_S
    for car in sim.cars:
        course = sim.trajectory(car)
        since = course.start_us / 1e6 + np.arange(len(course.speed_mps)) * course.dt_s - sim.start_us / 1e6
        slow = (since > begin + EASED_S) & (since < end)
        assert course.speed_mps[slow].max() < YELLOW_MPS + 1.0
        assert course.speed_mps[(since < begin) & (since > begin - 60)].max() > YELLOW_MPS + 5
        assert course.speed_mps[(since > end + 60)].max() > YELLOW_MPS + 5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_line_shows_the_flag_that_is_out(seed: int) -> None:
    sim = eventful(seed)
    ((begin, end),) = sim.incidents.yellows_s
    laps = rows(sim, "sector_times")
    for lap in laps:
        out = begin <= (lap["time_us"] - sim.start_us) / 1e6 < end
        assert lap["flag"] == "FF" or (lap["flag"] == "FCY") == out
    flags = {(s["vehicle_number"], s["time_us"]): s["flag"] for s in rows(sim, "field")}
    words = {"GF": "green", "FCY": "yellow", "FF": "finish"}
    assert all(flags[lap["vehicle_number"], lap["time_us"]] == words[lap["flag"]] for lap in laps)
    assert {"GF", "FCY", "FF"} == {lap["flag"] for lap in laps}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pit_stop_is_slow_stands_at_the_box_and_is_timed(seed: int) -> None:
    sim = eventful(seed)
    official = by("vehicle_id", rows(sim, "sector_times"))
    stops = [car for car in sim.cars if 0 < sim.incidents.pit_lap[car.index] < sim.trajectory(car).laps]
    assert stops
    for car in stops:
        course, pit_lap = sim.trajectory(car), int(sim.incidents.pit_lap[car.index])
        scale, line_m = course.length_m / sim.track.length_m, pit_lap * course.length_m
        at = course.distance_m - line_m
        lane = (at > -PIT_BEFORE_M * scale) & (at < PIT_AFTER_M * scale)
        assert course.speed_mps[lane].max() < PIT_MPS + 0.7
        standing = course.speed_mps < 0.05
        assert standing.sum() * course.dt_s == pytest.approx(sim.incidents.stand_s[car.index], abs=0.6)
        assert at[standing].mean() == pytest.approx(-PIT_BOX_M * scale, abs=2.0)
        laps = official[car.vehicle_id]
        assert [lap["lap_number"] for lap in laps if lap["in_pit"]] == [pit_lap]
        assert [lap["lap_number"] for lap in laps if lap["pit_time_ms"] is not None] == [pit_lap + 1]
        assert laps[pit_lap]["pit_time_ms"] == pytest.approx(1000 * lane.sum() * course.dt_s, abs=100)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_field_counts_stops(seed: int) -> None:
    sim = eventful(seed)
    for vehicle_id, states in by("vehicle_id", rows(sim, "field")).items():
        (car,) = (each for each in sim.cars if each.vehicle_id == vehicle_id)
        pit_lap = int(sim.incidents.pit_lap[car.index])
        for laps, state in enumerate(states):
            stopped = 0 < pit_lap <= laps
            assert (state["pit_count"], state["last_pit_lap"]) == ((1, pit_lap) if stopped else (0, None))
            assert state["tyre_age_laps"] == (laps - pit_lap if stopped else laps)
            assert state["in_pit"] == (laps == pit_lap and laps > 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_driving_stays_possible_through_stops_and_flags(seed: int) -> None:
    """Nobody drives backwards, brakes into full throttle or leaves the grip circle; a car moves off gently."""
    sim = eventful(seed)
    trace, vehicle = sim.run.trace, sim._vehicle
    assert (trace.speed_mps >= 0).all()
    assert (np.diff(trace.distance_m, axis=0) >= 0).all()
    assert not ((trace.brake_n > 2000) & (trace.load > 0.5)).any()
    along = vehicle.inertia_kg * trace.accel_mps2 + vehicle.resistance_n(trace.speed_mps)
    moving = trace.speed_mps > 1.0
    used = np.hypot(vehicle.mass_kg * trace.lateral_mps2, along) / vehicle.grip_n(trace.speed_mps**2)
    assert used[moving].max() <= 1 + 1e-9
    assert trace.accel_mps2.max() < 8.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_retired_car_stops_sending_and_the_winner_ends_the_race(seed: int) -> None:
    sim = eventful(seed)
    n_laps, laps = sim.settings.n_laps, sim.laps()
    won_us = laps.filter(pl.col("lap_number") == n_laps)["end_us"].min()
    for car in sim.cars:
        course, own = sim.trajectory(car), sim.samples(car.vehicle_id)
        assert own["t_us"][-1] <= course.passing_us(course.end_m / course.length_m)
        assert own["t_us"][-1] > course.passing_us(course.end_m / course.length_m) - 100_000
        if course.retired:
            after = sim.incidents.retires_after[car.index]
            assert (course.laps, course.end_m) == (int(after), after * course.length_m)
        else:
            finish, before = course.crossings_us[-1], course.crossings_us[-2]
            assert before < won_us <= finish


def test_incidents_of_every_kind_occur_in_these_races() -> None:
    sims = [eventful(seed) for seed in SEEDS]
    courses = [sim.trajectory(car) for sim in sims for car in sim.cars]
    assert any(course.retired for course in courses)
    assert any(not course.retired and course.laps < 6 for course in courses)
    assert any(lap["track_limits"] for sim in sims for lap in rows(sim, "sector_times"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_renumbered_car_is_official_under_a_number_that_nobody_reports(seed: int) -> None:
    sim = eventful(seed)
    reported = {car.number for car in sim.cars}
    renumbered = [car for car in sim.cars if car.entered_number != car.number]
    assert renumbered
    assert not {car.entered_number for car in renumbered} & reported
    assert {lap["vehicle_number"] for lap in rows(sim, "sector_times")} == {car.entered_number for car in sim.cars}
    assert {e["vehicle_number"] for e in rows(sim, "lap_end")} == reported
    assert {frame.vehicle_number for frame in sim.frames()} == reported


def test_what_is_only_on_paper_leaves_the_telemetry_as_it_was() -> None:
    paper = RaceIncidents(renumbered_share=1.0, track_limits_share=0.5)
    before = quiet(1)
    after = VehicleSimulator(before.settings.model_copy(update={"race_incidents": paper}))
    assert [f.payload() for f in before.frames()] == [f.payload() for f in after.frames()]


def test_switching_one_kind_off_leaves_the_others() -> None:
    def drawn(**changes: Any) -> Any:
        return draw_race_incidents(EVENTFUL.model_copy(update=changes), 10, 30, lap_s=80.0, seed=4)

    every, no_stops, no_yellow = drawn(), drawn(pit_stop_share=0.0), drawn(full_course_yellows=0)
    assert np.array_equal(every.retires_after, no_stops.retires_after)
    assert every.yellows_s == no_stops.yellows_s
    assert not no_stops.pit_lap.any()
    assert np.array_equal(every.pit_lap, no_yellow.pit_lap)
    assert no_yellow.yellows_s == ()


@given(st.integers(0, 3), st.integers(4, 60), st.integers(0, 1000), st.floats(40.0, 200.0))
def test_incidents_fit_into_the_race(yellows: int, laps: int, seed: int, lap_s: float) -> None:
    race = RaceIncidents(full_course_yellows=yellows, pit_stop_share=0.5, retirement_share=0.5)
    drawn = draw_race_incidents(race, laps, 12, lap_s=lap_s, seed=seed)
    assert len(drawn.yellows_s) == yellows
    edges = [time for period in drawn.yellows_s for time in period]
    assert edges == sorted(edges)
    assert all(0 < time < laps * lap_s for time in edges)
    stops = drawn.pit_lap > 0
    assert ((drawn.pit_lap[stops] >= 2) & (drawn.pit_lap[stops] <= laps - 2)).all()
    assert (drawn.stand_s[stops] > 0).all()
    retired = drawn.retires_after[np.isfinite(drawn.retires_after)]
    assert ((retired > 1) & (retired < laps)).all()


def course_at(paces: float, laps: int, retires: float | None) -> Trajectory:
    """A car of constant pace on a lap of 100 m."""
    steps = np.arange(0.0, 40.0 * laps * paces)
    whole = laps if retires is None else int(retires)
    end = 100.0 * (laps if retires is None else retires)
    return Trajectory(0, 1.0, 100.0, steps * 100.0 / (20.0 * paces), steps, whole, end, retires is not None)


@given(
    st.integers(2, 12),
    st.lists(st.tuples(st.floats(1.0, 3.0), st.none() | st.floats(1.1, 1.9)), min_size=1, max_size=8),
)
def test_the_winner_ends_the_race_for_all(laps: int, grid: list[tuple[float, float | None]]) -> None:
    before = [course_at(pace, laps, retires) for pace, retires in grid]
    after = end_at_flag(before)
    home = [pace for pace, retires in grid if retires is None]
    if not home:
        assert after == before
        return
    won = min(home) * 20.0 * laps
    for (pace, _), course in zip(grid, after, strict=True):
        if course.retired:
            assert course.laps * pace * 20.0 < won
        else:
            times = np.arange(course.laps + 1) * pace * 20.0
            assert times[-1] >= won * (1 - 1e-6)
            assert times[-2] <= won * (1 + 1e-6)
            assert course.laps <= laps
            assert course.end_m == course.laps * 100.0


def timed(index: int, first_ms: int, lap_times: list[int], finished: bool) -> TimingResult:
    laps, elapsed = [], 0
    for number, ms in enumerate(lap_times, 1):
        lap_ms = ms + (first_ms if number == 1 else 0)
        elapsed += lap_ms
        laps.append(
            SimulatedOfficialLap(number, elapsed * 1000, elapsed, lap_ms, (lap_ms,) * 6, 0.0, False, None, "GF", False)
        )
    return TimingResult(GridCar(index, index, "D", "eco", index), None, first_ms, tuple(laps), finished, 0)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(60_000, 200_000), min_size=1, max_size=6), st.booleans()), min_size=1, max_size=9
    )
)
def test_standings_agree_with_themselves(grid: list[tuple[list[int], bool]]) -> None:
    timings = [timed(i, 900 * i, laps, finished) for i, (laps, finished) in enumerate(grid)]
    table = line_crossings(timings)
    for k, row in enumerate(table):
        here = {each.car.index: list(car_standings(each, table))[k] for each in timings if len(each.laps) >= k}
        assert sorted(place.position for place in here.values()) == list(range(1, len(row) + 1))
        ordered = sorted(here.values(), key=lambda place: place.position)
        assert [place.gap_ms for place in ordered] == sorted(place.gap_ms for place in ordered)
        assert sum(place.interval_ms or 0 for place in ordered) == ordered[-1].gap_ms
    lines = result_lines(timings)
    assert sorted(line.timed.car.index for line in lines) == list(range(len(grid)))
    classified = [line for line in lines if line.position is not None]
    assert [line.position for line in classified] == list(range(1, len(classified) + 1))
    assert all(line.timed.finished for line in classified)
    keys = [(-len(line.timed.laps), line.total_ms) for line in classified]
    assert keys == sorted(keys)
    assert all(line.fastest is None or line.fastest.lap > 1 for line in lines)


def test_an_ordinary_race_has_some_of_everything_among_many_cars() -> None:
    race = RaceIncidents.with_incidents()
    drawn = draw_race_incidents(race, 20, 98, lap_s=80.0, seed=0)
    assert len(drawn.yellows_s) == 1
    assert 5 <= (drawn.pit_lap > 0).sum() <= 25
    assert 1 <= np.isfinite(drawn.retires_after).sum() <= 12
    assert not RaceIncidents().slows_cars
    assert race.slows_cars


def test_a_race_in_which_all_retire_has_no_winner() -> None:
    race = RaceIncidents(retirement_share=1.0, chequered_flag=True)
    config = SimulatorConfig(**{**SHORT, "n_cars": 2, "n_laps": 4}, race_incidents=race, data_faults=DataFaults.none())
    lines = rows(VehicleSimulator(config), "result")
    assert {line["status"] for line in lines} == {"DNF"}
    assert {line["position"] for line in lines} == {None}
