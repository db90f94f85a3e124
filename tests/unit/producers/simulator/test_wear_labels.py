"""The truth: by contract, adding up wherever laps are cut, set-ups and parts as declared; nothing else moved by it."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analysis.laps.features import compute_lap_features
from conf.contract import json_schema, load_contract
from conf.wear import COMPONENTS, load_wear_rules
from physics.wear.car import CarWear
from producers.simulator.config import CarFault, DataFaults, SimulatorConfig
from producers.simulator.frames import CHANNELS, Frame
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import RaceEvent, race_events, session_messages, truth_events, truth_topic
from producers.simulator.wear_labels import build_load_history, wear_label_rows

CONTRACT = load_contract("event.truth.v1")
RULES = load_wear_rules()


@lru_cache
def drive(**changes: Any) -> VehicleSimulator:
    options = {
        "n_cars": 3,
        "n_laps": 3,
        "seed": 5,
        "track": "alder-ridge",
        "rate_hz": 25.0,
        "setups": "varied",
    } | changes
    mishaps = (CarFault(kind="kerb_strike", at_m=500, size=40, car=2, lap=2),)
    return VehicleSimulator(SimulatorConfig(car_faults=mishaps, **options))


def truths(simulator: VehicleSimulator) -> pl.DataFrame:
    return pl.DataFrame([orjson.loads(event.payload) for event in truth_events(simulator)])


def test_every_label_is_what_its_contract_says() -> None:
    validator = Draft202012Validator(json_schema(CONTRACT))
    events = list(truth_events(drive()))
    assert len(events) == 3 * 3 * len(COMPONENTS)
    assert [e.time_us for e in events] == sorted(e.time_us for e in events)
    assert [e.event_id for e in events] == [f"sim-session:truth:{i}" for i in range(len(events))]
    for event in events:
        payload = orjson.loads(event.payload)
        validator.validate(payload)
        assert sorted(payload) == sorted(CONTRACT.column_names)
        assert (event.topic, event.event_type) == ("truth.raw", "slipstream.truth.v1")
        assert event.key.decode() == f"sim-session|{payload['vehicle_id']}"
        for column, rule in CONTRACT.rules():
            within = rule.implementation.kwargs
            if "max_value" in within:
                assert within["min_value"] <= payload[column] <= within["max_value"], column


def test_laps_add_up_and_say_which_mishaps_struck() -> None:
    rows = truths(drive())
    for (_, _), lap in rows.sort("lap_number").group_by("vehicle_id", "component", maintain_order=True):
        assert lap["lap_number"].to_list() == [1, 2, 3]
        assert lap["damage"].cum_sum().to_numpy() == pytest.approx(lap["cumulative_damage"].to_numpy())
        assert (lap["damage"] / lap["distance_km"]).to_numpy() == pytest.approx(lap["damage_per_km"].to_numpy())
        assert lap["damage"].min() > 0
    struck = rows.filter(pl.col("mishaps").list.len() > 0)
    assert set(struck["vehicle_id"]) == {drive().cars[1].vehicle_id}
    assert set(struck["lap_number"]) == {2}
    assert struck["mishaps"].to_list() == [["kerb_strike:500:40"]] * len(COMPONENTS)


def test_laps_are_those_of_the_course() -> None:
    simulator = drive()
    rows = truths(simulator).filter(component="tyres")
    for car in simulator.cars:
        ends = rows.filter(vehicle_id=car.vehicle_id)["time_us"].to_list()
        assert ends == simulator.trajectory(car).crossings_us[1:].tolist()
        own = rows.filter(vehicle_id=car.vehicle_id)["distance_km"].to_numpy()
        assert own == pytest.approx(np.full(3, simulator.trajectory(car).length_m / 1000.0))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 5_000), max_size=6))
def test_a_stint_is_the_sum_of_its_pieces_however_it_is_cut(cuts: list[int]) -> None:
    simulator = drive()
    history = build_load_history(simulator, simulator.cars[1])
    wear = CarWear(RULES, simulator.vehicle, simulator.forces.mass_kg)
    edges = sorted({0, *(min(cut, len(history)) for cut in cuts), len(history)})
    total: defaultdict[str, float] = defaultdict(float)
    for first, last in pairwise(edges):
        for component, share in wear.add(history.part(first, last)).items():
            total[component] += share
    for row in wear_label_rows(simulator, simulator.cars[1]):
        if row["lap_number"] == 3:
            assert row["cumulative_damage"] / row["part_factor"] == pytest.approx(total[row["component"]], rel=1e-9)


def test_a_lap_that_was_not_driven_to_the_line_says_so() -> None:
    simulator = VehicleSimulator(SimulatorConfig(n_cars=2, duration_s=100.0, track="alder-ridge"))
    rows = truths(simulator).filter(component="engine")
    for car in simulator.cars:
        own, laps = rows.filter(vehicle_id=car.vehicle_id).sort("lap_number"), simulator.trajectory(car).laps
        assert own["is_complete"].to_list() == [True] * laps + [False]
        driven_km = simulator.trajectory(car).distance_m[-1] / 1000.0
        assert own["distance_km"].sum() == pytest.approx(driven_km, abs=0.01)
        assert own["time_us"].is_sorted()


def test_set_ups_and_parts_vary_within_what_is_declared() -> None:
    grid = VehicleSimulator(SimulatorConfig(n_cars=60, duration_s=1.0, setups="varied"))
    rows = truths(grid)
    for name, spread in RULES.setups.model_dump().items():
        own = rows.group_by("vehicle_id").agg(pl.col(name).first())[name]
        assert own.n_unique() == 60
        assert 1.2 * spread < own.max() - own.min() <= 2 * spread
    for component, sigma in RULES.scatter.items():
        logs = rows.filter(component=component)["part_factor"].log()
        assert float(logs.std()) == pytest.approx(sigma, rel=0.4)
        assert abs(float(logs.mean())) < 0.5 * sigma
    alike = truths(VehicleSimulator(SimulatorConfig(n_cars=5, duration_s=1.0)))
    assert alike.select(RULES.setups.model_dump().keys()).n_unique() == 1
    assert alike["part_factor"].n_unique() == 5 * len(COMPONENTS)


def test_a_set_up_acts_on_the_car() -> None:
    options = {"n_cars": 3, "n_laps": 1, "seed": 2, "data_faults": DataFaults.none()}
    alike, varied = (VehicleSimulator(SimulatorConfig(**options, setups=s)) for s in ("alike", "varied"))
    for car in varied.cars:
        own, plain = varied.samples(car.vehicle_id), alike.samples(car.vehicle_id)
        setup = varied.plan.setups.of(car.index)
        braked = own.filter(pl.col("brake_front_bar") > 5)
        front = braked["brake_front_bar"] * varied.vehicle.brake_front_n_per_bar
        rear = braked["brake_rear_bar"] * varied.vehicle.brake_rear_n_per_bar
        assert (front / (front + rear)).mean() == pytest.approx(setup["brake_balance"], abs=0.01)

        def geared(rows: pl.DataFrame) -> float:
            fourth = rows.filter((pl.col("gear") == 4) & (pl.col("engine_load_pct") > 30))
            return float((fourth["rpm"] / fourth["speed_kmh"]).median())

        assert geared(own) / geared(plain) == pytest.approx(setup["final_drive"], rel=0.005)


def test_asking_for_the_truth_changes_nothing_that_is_sent_or_computed_from_it() -> None:
    """Byte for byte: frames and events, and so the features of every lap."""
    asked, quiet = (VehicleSimulator(drive().settings) for _ in range(2))
    with_it = list(session_messages(asked, race=True, truth=True))
    without = list(session_messages(quiet, race=True))
    labels = [m for m in with_it if isinstance(m, RaceEvent) and m.topic == truth_topic()]
    rest = [m for m in with_it if not (isinstance(m, RaceEvent) and m.topic == truth_topic())]
    assert labels == list(truth_events(quiet))
    assert [sent(m) for m in rest] == [sent(m) for m in without]
    assert [m for m in rest if isinstance(m, RaceEvent)] == list(race_events(quiet))
    assert features(rest) == features(without)


def sent(message: Frame | RaceEvent) -> tuple[bytes, ...]:
    if isinstance(message, Frame):
        return message.key(), message.payload()
    return message.key, message.payload, message.event_type.encode(), message.event_id.encode()


def features(sent_messages: list[Frame | RaceEvent]) -> list[str]:
    rows = []
    frames = [message for message in sent_messages if isinstance(message, Frame)]
    for vehicle in sorted({frame.vehicle_id for frame in frames}):
        own = [frame.columns for frame in frames if frame.vehicle_id == vehicle]
        columns = {name: np.concatenate([c[name] for c in own]).astype(float) for name in ("t_us", *CHANNELS)}
        for lap in (1, 2, 3):
            inside = columns["lap_number"] == lap
            channels = {name: columns[name][inside] for name in CHANNELS}
            rows.append(repr(compute_lap_features(columns["t_us"][inside] / 1e6, channels)))
    return rows
