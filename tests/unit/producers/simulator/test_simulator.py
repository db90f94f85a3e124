"""What the simulator sends: reproducible, complete, with exactly the faults that are switched on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from pydantic import ValidationError

from producers.simulator.cars.driver_styles import PROFILE_NAMES
from producers.simulator.cars.sensors import FULL_SCALE, SENSORS
from producers.simulator.config import LOST_LAP, DataFaults, SimulatorConfig
from producers.simulator.frames import CHANNELS, Frame, pace_messages
from producers.simulator.simulator import VehicleSimulator

START = datetime(2025, 5, 1, 12, tzinfo=UTC)
START_US = int(START.timestamp() * 1e6)


def simulator(faults: DataFaults | None = None, **changes: Any) -> VehicleSimulator:
    settings = {"n_cars": 3, "duration_s": 60.0, "seed": 5, "start_time": START, "track": "alder-ridge"} | changes
    return VehicleSimulator(SimulatorConfig(data_faults=faults or DataFaults.none(), **settings))


def only(**faults: float) -> DataFaults:
    return DataFaults.none().model_copy(update=faults)


def by_car(frames: list[Frame]) -> dict[str, list[Frame]]:
    cars: dict[str, list[Frame]] = {}
    for frame in frames:
        cars.setdefault(frame.vehicle_id, []).append(frame)
    return cars


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    first, again, other = (
        [frame.payload() for frame in simulator(DataFaults(), seed=seed).frames()] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("rate_hz", [10.0, 30.0, 50.0])
def test_a_clean_run_is_complete_and_in_order(rate_hz: float) -> None:
    frames = list(simulator(rate_hz=rate_hz, samples_per_frame=25).frames())
    assert [f.arrival_us for f in frames] == sorted(f.arrival_us for f in frames)
    for i, car in enumerate(by_car(frames).values()):
        t = np.concatenate([frame.columns["t_us"] for frame in car])
        expected = START_US + i * 900_000 + np.rint(np.arange(60 * rate_hz) * 1e6 / rate_hz)
        assert np.array_equal(t, expected)
        assert all(0 < f.arrival_us - f.columns["t_us"][-1] < 100_000 for f in car)
        for name in CHANNELS:
            assert not np.isnan(np.concatenate([frame.columns[name] for frame in car])).any(), name


def test_payload_is_one_json_object_with_null_for_what_is_missing() -> None:
    frame = next(simulator(only(dropout_share=0.3)).frames())
    message = orjson.loads(frame.payload())
    assert message["is_synthetic"] is True
    assert frame.key() == f"sim-session|{frame.vehicle_id}".encode()
    assert set(message) == {
        "session_id",
        "vehicle_id",
        "vehicle_number",
        "driver_id",
        "track_id",
        "driver_profile",
        "is_synthetic",
        "rate_hz",
        "arrival_us",
        "t_us",
        *CHANNELS,
    }
    for name in CHANNELS:
        values = message[name]
        assert len(values) == len(message["t_us"])
        assert [value is None for value in values] == list(np.isnan(frame.columns[name]))
    assert any(None in message[name] for name in SENSORS)
    assert all(isinstance(value, int) for value in message["gear"] + message["lap_number"])


def test_laps_are_whole_and_tile_the_run() -> None:
    sim = simulator(n_laps=3, duration_s=None, n_cars=4)
    laps, samples = sim.laps(), sim.to_polars()
    assert laps.height == 12
    for (vehicle_id,), own in laps.group_by("vehicle_id", maintain_order=True):
        assert own["lap_number"].to_list() == [1, 2, 3]
        assert own["end_us"].to_list()[:-1] == own["start_us"].to_list()[1:]
        mine = samples.filter(pl.col("vehicle_id") == vehicle_id)
        for lap, start, end in own.select("lap_number", "start_us", "end_us").iter_rows():
            inside = mine.filter(pl.col("t_us").is_between(start, end, closed="left"))
            assert inside["lap_number"].unique().to_list() == [lap]
            assert inside["lap_distance_m"].is_sorted()


def test_speed_integrates_to_the_lap_distance() -> None:
    samples = simulator(n_cars=1).to_polars()
    lap = samples.filter(pl.col("lap_number") == 1)
    driven = np.trapezoid(lap["speed_kmh"] / 3.6, lap["t_us"] / 1e6)
    covered = lap["lap_distance_m"][-1] - lap["lap_distance_m"][0]
    assert driven == pytest.approx(covered, rel=0.002)
    place = np.hypot(lap["x_m"].diff(), lap["y_m"].diff()).sum()
    assert place == pytest.approx(covered, rel=0.005)


def test_noise_off_and_on() -> None:
    clean, noisy = simulator().to_polars(), simulator(only(noise=1.0)).to_polars()
    for name, (sigma, _) in SENSORS.items():
        if name not in {"brake_front_bar", "brake_rear_bar", "throttle_pct", "engine_load_pct"}:
            assert (noisy[name] - clean[name]).std() == pytest.approx(sigma, rel=0.15, abs=0.02), name


def test_dropouts_come_in_bursts_at_their_share() -> None:
    samples = simulator(only(dropout_share=0.05), duration_s=300.0).to_polars()
    lost = samples.select(pl.col(name).is_nan() for name in SENSORS).to_numpy()
    assert lost.mean() == pytest.approx(0.05, rel=0.15)
    begins = lost[1:] & ~lost[:-1]
    assert lost.sum() / begins.sum() > 2.5


def test_a_sensor_without_contact_reads_full_scale_and_the_others_go_on() -> None:
    clean, faulty = simulator().to_polars(), simulator(only(full_scale_share=0.03)).to_polars()
    full = {name: (faulty[name] == reading).to_numpy() for name, reading in FULL_SCALE.items()}
    assert np.mean(np.any(list(full.values()), axis=0)) == pytest.approx(0.03, rel=0.3)
    for name in SENSORS:
        same = (faulty[name] == clean[name]).to_numpy()
        assert (same | full.get(name, False)).all(), name


def test_frames_and_duplicates_add_up() -> None:
    once, twice = simulator(), simulator(only(duplicate_share=0.2))
    sent = [frame.payload() for frame in twice.frames()]
    assert set(sent) == {frame.payload() for frame in once.frames()}
    repeats = len(sent) - len(set(sent))
    assert repeats == pytest.approx(0.2 * len(set(sent)), rel=0.5)
    assert max(sent.count(payload) for payload in set(sent)) == 2


def test_repeated_and_conflicting_samples_add_up() -> None:
    plain = {frame.arrival_us: frame for frame in simulator().frames()}
    equal = conflicts = 0
    for frame in simulator(only(repeat_share=0.05, conflict_share=0.05)).frames():
        columns, before = frame.columns, plain[frame.arrival_us].columns
        again = np.flatnonzero(columns["t_us"][1:] == columns["t_us"][:-1]) + 1
        assert len(columns["t_us"]) == len(before["t_us"]) + len(again)
        for name in ("t_us", *CHANNELS):
            assert np.array_equal(np.delete(columns[name], again), before[name])
        same = columns["speed_kmh"][again] == columns["speed_kmh"][again - 1]
        equal, conflicts = equal + int(same.sum()), conflicts + int((~same).sum())
    total = 3 * 60 * 30
    assert equal == pytest.approx(0.05 * total, rel=0.3)
    assert conflicts == pytest.approx(0.05 * total, rel=0.3)


def test_late_frames_arrive_after_their_successors() -> None:
    frames = list(simulator(only(late_share=0.2, late_max_s=20.0), duration_s=200.0).frames())
    assert [f.arrival_us for f in frames] == sorted(f.arrival_us for f in frames)
    late = [f.arrival_us - int(f.columns["t_us"][-1]) > 1_000_000 for f in frames]
    assert np.mean(late) == pytest.approx(0.2, rel=0.4)
    assert max(f.arrival_us - int(f.columns["t_us"][-1]) for f in frames) <= 20.3e6
    overtaken = [
        b.columns["t_us"][0] < a.columns["t_us"][0] for car in by_car(frames).values() for a, b in pairwise(car)
    ]
    assert any(overtaken)
    in_time = [frame.payload() for frame in simulator(duration_s=200.0).frames()]
    assert len(in_time) == len(frames)


def test_each_clock_is_off_by_its_own_amount_and_drifts() -> None:
    faults = only(clock_offset_max_s=86_400.0, clock_drift_ppm=100.0)
    true, shown = simulator(n_cars=6), simulator(faults, n_cars=6)
    offsets = []
    for car in true.cars:
        off = (shown.samples(car.vehicle_id)["t_us"] - true.samples(car.vehicle_id)["t_us"]).to_numpy()
        offsets.append(off[0] / 1e6)
        assert abs(off[-1] - off[0]) <= 100 * 60 + 1
        assert off[-1] != off[0]
    assert max(map(abs, offsets)) <= 86_400
    assert len({round(offset) for offset in offsets}) == 6


def test_a_clock_may_jump_once() -> None:
    true, shown = simulator(), simulator(only(clock_step_probability=1.0, clock_step_max_s=60.0))
    for car in true.cars:
        off = (shown.samples(car.vehicle_id)["t_us"] - true.samples(car.vehicle_id)["t_us"]).to_numpy()
        assert len(np.unique(off)) == 2
        assert np.abs(off).max() <= 60e6


def test_a_lost_lap_counter_shows_32768_until_the_line() -> None:
    shown = simulator(only(lost_lap_counter_share=0.5), n_laps=6, duration_s=None).to_polars()
    true = simulator(n_laps=6, duration_s=None).to_polars()
    assert set(true["lap_number"].unique()) == {1, 2, 3, 4, 5, 6}
    lost = shown["lap_number"] == LOST_LAP
    assert 0.05 < lost.mean() < 0.5  # type: ignore[operator]
    assert (shown["lap_number"] == true["lap_number"]).to_list() == (~lost).to_list()
    laps = pl.DataFrame({"car": true["vehicle_id"], "lap": true["lap_number"], "lost": lost})
    assert laps.group_by("car", "lap", maintain_order=True).agg(pl.col("lost").is_sorted())["lost"].all()


OF_THE_TIMING = ("timing", "loop", "number")
OF_THE_CARS = [
    name for name in DataFaults.model_fields if name.endswith(("share", "noise")) and not name.startswith(OF_THE_TIMING)
]


@pytest.mark.parametrize("fault", OF_THE_CARS)
def test_switching_one_fault_off_leaves_the_others_as_they_were(fault: str) -> None:
    every = DataFaults(late_share=0.1, lost_lap_counter_share=0.5)
    without = simulator(every.model_copy(update={fault: 0.0}))
    before, after = simulator(every).to_polars(), without.to_polars()
    assert before["t_us"].to_list() == after["t_us"].to_list()
    assert before["gear"].to_list() == after["gear"].to_list()
    if fault not in {"noise", "dropout_share"}:
        assert before.select(list(SENSORS)).equals(after.select(list(SENSORS)))
    if fault != "lost_lap_counter_share":
        assert before["lap_number"].to_list() == after["lap_number"].to_list()


def test_profiles_drive_differently() -> None:
    """Means over a few drivers of each: the order holds although drivers and laps of the profiles overlap."""
    sim = simulator(n_cars=24, n_laps=3, duration_s=None, track="three-oaks")
    samples = sim.to_polars().filter(pl.col("lap_number") > 1)
    brakes = pl.col("brake_front_bar").filter(pl.col("brake_front_bar") > 5)
    style = samples.group_by("driver_profile").agg(
        work=(pl.col("accel_long_g").abs() + pl.col("accel_lat_g").abs()).mean(),
        rpm=pl.col("rpm").mean(),
        brake=brakes.mean(),
        coasting=((pl.col("throttle_pct") < 1) & (pl.col("brake_front_bar") < 1)).mean(),
    )
    fuel = samples.group_by("driver_profile", "vehicle_id").agg(burnt=pl.col("fuel_kg").max() - pl.col("fuel_kg").min())
    labels = samples.select("vehicle_id", "driver_profile").unique()
    times = sim.laps().filter(pl.col("lap_number") > 1).join(labels, on="vehicle_id")
    table = {
        row["driver_profile"]: row
        for row in style.join(fuel.group_by("driver_profile").agg(pl.col("burnt").mean()), on="driver_profile")
        .join(times.group_by("driver_profile").agg(pl.col("lap_time_s").mean()), on="driver_profile")
        .iter_rows(named=True)
    }
    hard, normal, safe, eco = (table[name] for name in PROFILE_NAMES)
    assert hard["lap_time_s"] < normal["lap_time_s"] < min(safe["lap_time_s"], eco["lap_time_s"])
    assert hard["work"] > normal["work"] > max(safe["work"], eco["work"])
    assert hard["brake"] > normal["brake"] > safe["brake"]
    assert hard["rpm"] > normal["rpm"] > safe["rpm"] > eco["rpm"]
    assert eco["burnt"] < min(hard["burnt"], normal["burnt"], safe["burnt"])
    assert eco["coasting"] > safe["coasting"] > normal["coasting"]
    spread = times.group_by("driver_profile", "vehicle_id").agg(pl.col("lap_time_s").mean())
    assert (spread.group_by("driver_profile").agg(pl.col("lap_time_s").std())["lap_time_s"] > 0.2).all()


def test_the_mix_of_profiles_is_kept() -> None:
    sim = simulator(n_cars=20, profiles={"aggressive": 1.0, "eco": 3.0})
    assert sorted(car.profile for car in sim.cars) == ["aggressive"] * 5 + ["eco"] * 15
    assert len({car.vehicle_id for car in sim.cars}) == len({car.driver_id for car in sim.cars}) == 20


def test_heat_follows_load_and_weather() -> None:
    cold, hot = (simulator(ambient_temp_c=air, duration_s=300.0).to_polars() for air in (2.0, 38.0))
    assert hot["engine_temp_c"][-1] > cold["engine_temp_c"][-1] + 1
    assert hot["brake_temp_c"].mean() > cold["brake_temp_c"].mean() + 10  # type: ignore[operator]
    temps = hot.group_by("driver_profile").agg(pl.col("brake_temp_c").mean())
    assert temps["brake_temp_c"].n_unique() == 3


def test_the_clock_of_a_paced_run_is_the_wall_clock() -> None:
    frames = list(simulator(duration_s=10.0, n_cars=1).frames())
    began = time.monotonic()
    paced_frames = list(pace_messages(frames, 30.0, lambda frame: frame.arrival_us))
    took = time.monotonic() - began
    assert [f.arrival_us for f in paced_frames] == [f.arrival_us for f in frames]
    due = (frames[-1].arrival_us - frames[0].arrival_us) / 1e6 / 30.0
    assert due <= took < due + 0.25


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "n_laps or duration_s"),
        ({"n_laps": 1, "duration_s": 5.0}, "n_laps or duration_s"),
        ({"n_laps": 1, "rate_hz": 100.0}, "rate_hz"),
        ({"n_laps": 1, "profiles": {"reckless": 1.0}}, "reckless"),
        ({"n_laps": 1, "profiles": {"eco": 0.0}}, "weight above zero"),
        ({"n_laps": 1, "nlaps": 1}, "nlaps"),
        ({"duration_s": 60.0, "race_incidents": {"chequered_flag": True}}, "race_incidents needs n_laps"),
        ({"n_laps": 3, "race_incidents": {"retirement_share": 0.5}}, "n_laps of 4 at least"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulatorConfig(**settings)


def test_an_unknown_car_names_the_grid() -> None:
    sim = simulator()
    with pytest.raises(ValueError, match=sim.cars[0].vehicle_id):
        sim.samples("sim-0")
