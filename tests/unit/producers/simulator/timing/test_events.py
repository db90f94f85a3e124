"""What a race's timing system sends: by contract, in order, and in agreement with the true drive."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from jsonschema import Draft202012Validator

from conf.contract import json_schema, load_contract
from conf.track import TrackSpec, load_track, track_names
from producers.simulator.config import LOST_LAP, DataFaults, SimulatorConfig
from producers.simulator.frames import Frame
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import KINDS, arrival_us, race_events, race_topics, session_messages
from producers.simulator.timing.official_timing import time_race, timing_point_shares
from tests.unit.producers.simulator.races import SEEDS, by, eventful, kind_of, only, quiet, rows, with_faults

RACES = [(quiet, seed) for seed in SEEDS] + [(eventful, seed) for seed in SEEDS]
every_race = pytest.mark.parametrize(("drive", "seed"), RACES)


UNSAID = {
    "sector_times": {"driver_name", "team", "car_number"},
    "result": {"driver_names", "car_number"},
    **{kind: {"car_number"} for kind in ("lap_start", "lap_end", "lap_time")},
}
"""What a simulated race leaves out: a car has one driver, whom only results name, and a number that is its digits."""


@every_race
def test_every_event_is_what_its_contract_says(drive: Any, seed: int) -> None:
    contracts = {kind: load_contract(f"event.{kind}.v1") for kind in KINDS}
    validators = {kind: Draft202012Validator(json_schema(contract)) for kind, contract in contracts.items()}
    sim = with_faults(drive(seed), DataFaults())
    seen = set()
    for event in race_events(sim):
        kind, payload = kind_of(event), orjson.loads(event.payload)
        seen.add(kind)
        validators[kind].validate(payload)
        assert set(contracts[kind].column_names) - set(payload) == UNSAID.get(kind, set())
        assert set(payload) <= set(contracts[kind].column_names)
        assert event.topic == contracts[kind].properties["topic"]
        assert event.event_type == contracts[kind].properties["ce_type"]
        assert event.key.split(b"|")[0] == sim.settings.session_id.encode()
        for column, rule in contracts[kind].rules():
            within = rule.implementation.kwargs
            if "max_value" in within and payload[column] is not None:
                assert within["min_value"] <= payload[column] <= within["max_value"]
    assert seen == set(KINDS)
    assert {event.topic for event in race_events(sim)} == set(race_topics())


@every_race
def test_the_same_seed_gives_the_same_bytes_in_order_of_time(drive: Any, seed: int) -> None:
    sim = with_faults(drive(seed), DataFaults())
    events = list(race_events(sim))
    assert events == list(race_events(VehicleSimulator(sim.settings)))
    assert [e.time_us for e in events] == sorted(e.time_us for e in events)
    assert len({e.event_id for e in events}) == len(events)


def test_another_seed_gives_another_race() -> None:
    assert list(race_events(quiet(1))) != list(race_events(quiet(2)))


@every_race
def test_sectors_sum_to_the_lap_and_laps_to_the_race(drive: Any, seed: int) -> None:
    for laps in by("vehicle_number", rows(drive(seed), "sector_times")).values():
        assert [lap["lap_number"] for lap in laps] == list(range(1, len(laps) + 1))
        for lap in laps:
            assert lap["sector_1_ms"] + lap["sector_2_ms"] + lap["sector_3_ms"] == lap["lap_time_ms"]
            assert sum(lap["intermediate_ms"]) == lap["lap_time_ms"]
            assert min(lap["intermediate_ms"]) > 0
            assert len(lap["intermediate_ms"]) == len(lap["intermediate_names"])
        assert np.cumsum([lap["lap_time_ms"] for lap in laps]).tolist() == [lap["elapsed_ms"] for lap in laps]


@every_race
def test_official_laps_are_the_true_ones_to_the_millisecond(drive: Any, seed: int) -> None:
    sim = drive(seed)
    true = {key[0]: part for key, part in sim.laps().group_by("vehicle_id", maintain_order=True)}
    official = by("vehicle_id", rows(sim, "sector_times"))
    assert sum(map(len, official.values())) == sim.laps().height
    for vehicle_id, laps in official.items():
        ends = np.array([lap["time_us"] for lap in laps])
        assert np.abs(ends - true[vehicle_id]["end_us"].to_numpy()).max() <= 500
        times = np.array([lap["lap_time_ms"] for lap in laps[1:]])
        assert np.abs(times - 1000 * true[vehicle_id]["lap_time_s"].to_numpy()[1:]).max(initial=0) <= 1
        # Lap 1 counts from the start of the race, the car's own first crossing came later.
        assert laps[0]["lap_time_ms"] >= 1000 * true[vehicle_id]["lap_time_s"][0] - 1


def test_sectors_end_where_the_track_says() -> None:
    sim = quiet(1)
    samples = sim.to_polars()
    first, second = sim.track.sector_ends_m
    for car in sim.cars:
        mine = samples.filter(pl.col("vehicle_id") == car.vehicle_id)
        scale = sim.track.length_m / sim.trajectory(car).length_m
        laps = [lap for lap in rows(sim, "sector_times") if lap["vehicle_id"] == car.vehicle_id]
        for before, lap in pairwise(laps):
            for end_m, ms in ((first, lap["sector_1_ms"]), (second, lap["sector_1_ms"] + lap["sector_2_ms"])):
                own = mine.filter(pl.col("lap_number") == lap["lap_number"])
                at = np.interp(before["time_us"] + 1000 * ms, own["t_us"], own["lap_distance_m"])
                assert at * scale == pytest.approx(end_m, abs=1.0)


@every_race
def test_without_faults_the_feed_reports_every_true_crossing(drive: Any, seed: int) -> None:
    sim = drive(seed)
    true, feed = sim.laps(), {kind: by("vehicle_id", rows(sim, kind)) for kind in ("lap_start", "lap_end", "lap_time")}
    for car in sim.cars:
        own = true.filter(pl.col("vehicle_id") == car.vehicle_id)
        ends = feed["lap_end"][car.vehicle_id]
        assert [e["time_us"] for e in ends] == own["end_us"].to_list()
        assert [e["lap"] for e in ends] == own["lap_number"].to_list()
        times = feed["lap_time"][car.vehicle_id]
        assert [e["time_us"] for e in times] == own["end_us"].to_list()
        assert [e["lap_time_ms"] for e in times] == [round(1000 * s) for s in own["lap_time_s"]]
        starts = [e["time_us"] for e in feed["lap_start"][car.vehicle_id]]
        unfinished = [own["end_us"].to_list()[-1]] if sim.trajectory(car).retired else []
        assert starts == own["start_us"].to_list() + unfinished
        assert all(e["meta_time_us"] - e["time_us"] == 50_000 for e in ends)
        assert {e["vehicle_number"] for e in ends} == {car.number}


@every_race
def test_the_result_follows_laps_and_time(drive: Any, seed: int) -> None:
    sim = drive(seed)
    official = by("vehicle_number", rows(sim, "sector_times"))
    sheets = by("is_official", rows(sim, "result"))
    assert [{**line, "is_official": True} for line in sheets[False]] == sheets[True]
    assert {line["vehicle_number"] for line in sheets[True]} == {car.entered_number for car in sim.cars}
    for line in sheets[True]:
        laps = official[line["vehicle_number"]]
        assert (line["laps"], line["total_time_ms"]) == (len(laps), laps[-1]["elapsed_ms"])
        counted = [lap for lap in laps[1:] if not lap["track_limits"]]
        assert line["fl_time_ms"] == min((lap["lap_time_ms"] for lap in counted), default=None)
        if counted:
            assert line["fl_lap"] != 1
            assert laps[line["fl_lap"] - 1]["lap_time_ms"] == line["fl_time_ms"]
        assert (line["status"] == "DNF") == (line["position"] is None) == (laps[-1]["flag"] != "FF")
    home = [line for line in sheets[True] if line["position"] is not None]
    assert sheets[True][: len(home)] == home
    assert [line["position"] for line in home] == list(range(1, len(home) + 1))
    assert home == sorted(home, key=lambda line: (-line["laps"], line["total_time_ms"]))
    assert (home[0]["gap_first_ms"], home[0]["gap_first_laps"], home[0]["gap_previous_ms"]) == (None, None, None)
    for ahead, line in pairwise(home):
        for to, other in (("first", home[0]), ("previous", ahead)):
            laps = other["laps"] - line["laps"]
            assert line[f"gap_{to}_laps"] == (laps or None)
            assert line[f"gap_{to}_ms"] == (None if laps else line["total_time_ms"] - other["total_time_ms"])


@every_race
def test_the_field_is_placed_at_every_crossing(drive: Any, seed: int) -> None:
    sim = drive(seed)
    states = rows(sim, "field")
    assert len(states) == sim.laps().height + len(sim.cars)
    timings = {timed.car.vehicle_id: timed for timed in time_race(sim)}
    for vehicle_id, own in by("vehicle_id", states).items():
        laps = timings[vehicle_id].laps
        assert [s["last_lap_time_ms"] for s in own] == [None, *(lap.lap_ms for lap in laps)]
        assert [s["lap_number"] for s in own][: len(laps)] == list(range(1, len(laps) + 1))
        for k, state in enumerate(own):
            others = [by("vehicle_id", states)[each.vehicle_id] for each in sim.cars]
            same = sorted(other[k]["time_us"] for other in others if len(other) > k)
            assert state["position"] == same.index(state["time_us"]) + 1
            assert state["gap_to_leader_ms"] * 1000 == state["time_us"] - same[0]
            ahead = same[state["position"] - 2] if state["position"] > 1 else None
            assert state["interval_ahead_ms"] == (None if ahead is None else (state["time_us"] - ahead) // 1000)


def test_the_grid_starts_in_order() -> None:
    starts = sorted(rows(quiet(1), "field"), key=lambda state: state["time_us"])[: len(quiet(1).cars)]
    assert [state["vehicle_id"] for state in starts] == [car.vehicle_id for car in quiet(1).cars]
    assert [state["gap_to_leader_ms"] for state in starts] == [900 * i for i in range(len(starts))]


def test_weather_once_a_minute_around_the_sessions() -> None:
    sim = VehicleSimulator(quiet(1).settings.model_copy(update={"ambient_temp_c": 12.0, "track_temp_c": 20.0}))
    sky = rows(sim, "weather")
    times = [each["time_us"] for each in sky]
    assert times[0] == sim.start_us
    assert set(np.diff(times)) == {60_000_000}
    assert times[-1] > sim.laps()["end_us"].max() - 60_000_000  # type: ignore[operator]
    assert all(abs(each["air_temp_c"] - 12) < 1 and abs(each["track_temp_c"] - 20) < 3 for each in sky)
    assert all(abs(b["air_temp_c"] - a["air_temp_c"]) < 0.3 for a, b in pairwise(sky))


def test_local_time_of_day_is_in_the_zone_of_the_start() -> None:
    sim = quiet(1)
    day_us = 86_400_000_000
    for lap in rows(sim, "sector_times"):
        assert lap["time_of_day_ms"] == lap["time_us"] % day_us // 1000
    west = sim.settings.start_time.fromisoformat("2025-05-01T05:00:00.250-07:00")
    away = VehicleSimulator(sim.settings.model_copy(update={"start_time": west}))
    shifted = rows(away, "sector_times")
    assert [lap["time_us"] for lap in shifted] == [lap["time_us"] for lap in rows(sim, "sector_times")]
    assert all(lap["time_of_day_ms"] == (lap["time_us"] // 1000 - 7 * 3_600_000) % 86_400_000 for lap in shifted)


def test_frames_and_events_come_in_order_of_arrival() -> None:
    sim = with_faults(quiet(1), DataFaults())
    mixed = list(session_messages(sim, race=True))
    seen: set[bytes] = set()
    once = []
    for message in mixed:  # a frame sent again says when it first arrived
        payload = message.payload() if isinstance(message, Frame) else message.event_id.encode()
        once += [] if payload in seen else [arrival_us(message)]
        seen.add(payload)
    assert once == sorted(once)
    frames = [m.payload() for m in mixed if isinstance(m, Frame)]
    assert frames == [frame.payload() for frame in sim.frames()]
    assert len(mixed) - len(frames) == len(list(race_events(sim)))
    assert all(isinstance(m, Frame) for m in session_messages(sim, race=False))


def test_a_session_of_a_set_duration_is_no_race() -> None:
    sim = VehicleSimulator(SimulatorConfig(duration_s=20.0, n_cars=1))
    with pytest.raises(ValueError, match="n_laps"):
        list(race_events(sim))


@pytest.mark.parametrize("name", track_names())
def test_timing_points_rise_around_the_lap(name: str) -> None:
    track = load_track(name)
    shares = timing_point_shares(track)
    assert (np.diff(shares) > 0).all()
    assert shares[-1] == 1.0
    assert shares[1::2][:2] * track.length_m == pytest.approx(np.array(track.sector_ends_m))


@pytest.mark.parametrize("name", track_names())
def test_the_speed_trap_is_where_cars_are_fastest(name: str) -> None:
    simulator = VehicleSimulator(SimulatorConfig(track=name, n_cars=3, n_laps=3, data_faults=DataFaults.none()))
    for timed in time_race(simulator):
        course = simulator.trajectory(timed.car)
        for lap in timed.laps[1:]:
            highest = course.speed_kmh(lap.lap - 1 + np.linspace(0.0, 1.0, 4001)).max()
            assert highest - 6.0 < lap.top_kmh <= highest + 0.1


def test_a_track_needs_three_sectors() -> None:
    track = load_track("three-oaks")
    with pytest.raises(ValueError, match=r"three-oaks\.yaml: sector_ends_m has 1 ends"):
        timing_point_shares(TrackSpec(**{**track.model_dump(), "sector_ends_m": (500.0,)}))


def feed(faults: DataFaults, kind: str = "lap_end") -> list[dict[str, Any]]:
    return [row for seed in SEEDS for row in rows(with_faults(eventful(seed), faults), kind)]


def test_the_feed_dates_crossings_late() -> None:
    late = np.array([e["time_us"] for e in feed(only(timing_lag_s=0.2))]) - [e["time_us"] for e in feed(only())]
    assert 100_000 <= late.min() < late.max() <= 300_000
    assert late.mean() == pytest.approx(200_000, rel=0.1)
    assert len(np.unique(late)) == len(late)


def test_the_feed_reports_a_crossing_again_within_a_second() -> None:
    once, more = feed(only()), feed(only(timing_repeat_share=0.3))
    known = {(e["vehicle_id"], e["time_us"]): e for e in once}
    again = [e for e in more if (e["vehicle_id"], e["time_us"]) not in known]
    assert len(more) == len(once) + len(again)
    assert len(again) == pytest.approx(0.3 * len(once), rel=0.5)
    for event in again:
        same = [e for e in once if (e["vehicle_id"], e["lap"]) == (event["vehicle_id"], event["lap"])]
        assert any(0 < event["time_us"] - e["time_us"] < 1_000_000 for e in same)
    short = [e["lap_time_ms"] for e in feed(only(timing_repeat_share=0.3), "lap_time") if e["lap_time_ms"] < 1000]
    assert len(short) == len(again)


def test_the_feed_loses_the_lap_and_events() -> None:
    every = feed(only())
    lost = [e["lap"] == LOST_LAP for e in feed(only(timing_lost_lap_share=0.2))]
    assert np.mean(lost) == pytest.approx(0.2, abs=0.1)
    fewer = feed(only(timing_missing_share=0.2))
    assert len(fewer) == pytest.approx(0.8 * len(every), rel=0.15)
    assert all(event in every for event in fewer)


def test_events_arrive_late_with_a_long_tail() -> None:
    late = np.array([e["meta_time_us"] - e["time_us"] for e in feed(only(timing_delay_s=1.3))]) / 1e6
    assert np.median(late) == pytest.approx(1.35, rel=0.3)
    assert late.max() > 4
    assert late.min() > 0.05


def test_a_missed_loop_takes_the_times_on_both_sides() -> None:
    whole = feed(only(), "sector_times")
    missed = feed(only(loop_missing_share=0.2), "sector_times")
    sectors, points = ("sector_1_ms", "sector_2_ms", "sector_3_ms"), "intermediate_ms"
    assert [lap["lap_time_ms"] for lap in missed] == [lap["lap_time_ms"] for lap in whole]
    gone = 0
    for lap, all_there in zip(missed, whole, strict=True):
        for name in sectors:
            assert lap[name] in {None, all_there[name]}
        ends = [lap[points][i] is None and lap[points][i + 1] is None for i in (1, 3)]
        assert (lap["sector_2_ms"] is None) >= (lap["sector_1_ms"] is None or lap["sector_3_ms"] is None)
        assert (lap["sector_1_ms"] is None) <= ends[0]
        assert (lap["sector_3_ms"] is None) <= ends[1]
        gone += sum(lap[name] is None for name in sectors)
    # Sectors 1 and 3 have one loop that can miss, sector 2 has two.
    assert gone / len(whole) == pytest.approx(0.2 + 0.2 + 0.36, rel=0.4)


def test_the_official_timing_knows_cars_by_number_only() -> None:
    for kind in ("sector_times", "result"):
        assert {row["vehicle_id"] for row in feed(only(number_only_share=1.0), kind)} == {None}
        assert None not in {row["vehicle_id"] for row in feed(only(), kind)}
    event = next(e for e in race_events(with_faults(quiet(1), DataFaults())) if kind_of(e) == "sector_times")
    number = orjson.loads(event.payload)["vehicle_number"]
    assert event.key == f"sim-session|number-{number}".encode()


@pytest.mark.parametrize("fault", ["timing_lag_s", "timing_delay_s", "timing_repeat_share", "timing_missing_share"])
def test_switching_one_fault_of_the_feed_off_leaves_the_others(fault: str) -> None:
    faults = DataFaults(timing_lost_lap_share=0.3, loop_missing_share=0.1)
    without = faults.model_copy(update={fault: 0.0})
    assert feed(faults, "sector_times") == feed(without, "sector_times")
    if fault in {"timing_lag_s", "timing_delay_s"}:
        lost = [
            sorted((e["vehicle_id"], e["lap"]) for e in feed(each) if e["lap"] == LOST_LAP)
            for each in (faults, without)
        ]
        assert lost[0] == lost[1]
