"""The peer of row 11 must find what ours finds, or beating it says nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import orjson
import polars as pl
import pytest

from analysis.laps.features import LAP_CHANNELS, compute_lap_features
from analysis.signals.windows import window_ends, window_features
from benchmarks.lap_peer import topics
from benchmarks.lap_peer.comparison import COMPARED, differences, differing_columns, session_rows
from benchmarks.lap_peer.pipeline import LapPeer
from benchmarks.lap_peer.store import DeltaStore, clone_lake
from benchmarks.peers import polars_type
from conf.contract import load_contract
from conf.tables import (
    GOLD_DPTAD_SCORES,
    GOLD_LAP_FEATURES,
    GOLD_TELEMETRY_WINDOWS,
    SILVER_LAPS,
    SILVER_TELEMETRY,
    SILVER_TIMING_EVENTS,
)
from conf.topics import TELEMETRY_RAW
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.frames import Frame
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import RaceEvent, arrival_us, session_messages

SESSION = "peer-race"
_NUMBERS = ("speed_mean", "brake_energy_proxy", "gear_shift_count", "sample_count", "coverage", "distance_km")


@dataclass(frozen=True)
class Record:
    """What the peer asks of a message in Kafka."""

    at: str
    payload: bytes
    number: int
    ce_type: str = ""

    def value(self) -> bytes:
        return self.payload

    def topic(self) -> str:
        return self.at

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.number

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_type", self.ce_type.encode())]


class Portions:
    """Stands in for the broker: gives the records in portions."""

    def __init__(self, *portions: Sequence[Record]) -> None:
        self.left = list(portions)

    def read(self) -> dict[str, list[Record]]:
        found: defaultdict[str, list[Record]] = defaultdict(list)
        for record in self.left.pop(0):
            found[record.at].append(record)
        return dict(found)


@cache
def race() -> tuple[VehicleSimulator, tuple[Frame | RaceEvent, ...]]:
    """Two cars, three laps: too few to calibrate on, so scores do not depend on when the laps came."""
    config = SimulatorConfig(session_id=SESSION, n_cars=2, n_laps=3, data_faults=DataFaults.none())
    simulator = VehicleSimulator(config)
    return simulator, tuple(session_messages(simulator, race=True))


def records(messages: Sequence[Frame | RaceEvent]) -> list[Record]:
    return [
        Record(TELEMETRY_RAW.name, m.payload(), number)
        if isinstance(m, Frame)
        else Record(m.topic, m.payload, number, m.event_type)
        for number, m in enumerate(messages)
    ]


def drained(folder, monkeypatch, *portions: Sequence[Record]) -> LapPeer:
    monkeypatch.setattr("benchmarks.lap_peer.pipeline.TopicReader", lambda *_, **__: Portions(*portions))
    peer = LapPeer("broker", folder, from_end=False)
    for _ in portions:
        peer.drain()
    return peer


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> LapPeer:
    with pytest.MonkeyPatch.context() as patch:
        return drained(tmp_path_factory.mktemp("whole"), patch, records(race()[1]))


def samples_of(vehicle: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Car clock and channels of a car, as the simulator sent them."""
    frames = [m for m in race()[1] if isinstance(m, Frame) and m.vehicle_id == vehicle]
    columns = {name: np.concatenate([np.asarray(f.columns[name]) for f in frames]) for name in frames[0].columns}
    sent = {name: columns[name].astype(np.float64) for name in LAP_CHANNELS if name in columns}
    return columns["t_us"].astype(np.int64), sent


def test_features_of_a_lap_are_those_of_the_samples_that_were_sent(whole) -> None:
    laps = whole.store.read(SILVER_LAPS, pl.lit(value=True), ["vehicle_id", "lap_number", "lap_start_ts", "lap_end_ts"])
    assert laps.height == 6
    for lap in laps.to_dicts():
        mine = (pl.col("vehicle_id") == lap["vehicle_id"]) & (pl.col("lap_number") == lap["lap_number"])
        found = whole.store.read(GOLD_LAP_FEATURES, mine).row(0, named=True)
        clock = whole.store.read(SILVER_TELEMETRY, pl.col("vehicle_id") == lap["vehicle_id"], ["ecu_ts", "event_ts"])
        clock = clock.sort("ecu_ts").with_columns(pl.all().dt.epoch("us"))
        t_us, channels = samples_of(lap["vehicle_id"])
        order = np.argsort(t_us)
        np.testing.assert_array_equal(clock["ecu_ts"], t_us[order])
        features = compute_lap_features(
            clock["event_ts"].to_numpy() / 1e6,
            {name: values[order] for name, values in channels.items()},
            lap["lap_start_ts"].timestamp(),
            lap["lap_end_ts"].timestamp(),
        )
        for name in _NUMBERS:
            assert found[name] == pytest.approx(features[name], rel=1e-9), name


def test_laps_begin_and_end_where_the_cars_crossed_the_line(whole) -> None:
    truth = race()[0].laps()
    laps = whole.store.read(SILVER_LAPS, pl.lit(value=True), ["vehicle_id", "lap_number", "lap_end_ts", "sample_count"])
    for lap in laps.to_dicts():
        driven = truth.filter(vehicle_id=lap["vehicle_id"], lap_number=lap["lap_number"])
        assert lap["lap_end_ts"].timestamp() == pytest.approx(driven["end_us"].item() / 1e6, abs=0.002)
        assert lap["sample_count"] > 1000


def test_windows_are_all_there_and_right(whole) -> None:
    vehicle = race()[0].cars[0].vehicle_id
    rows = whole.store.read(GOLD_TELEMETRY_WINDOWS, pl.col("vehicle_id") == vehicle).sort("window_end_ts")
    samples = whole.store.read(SILVER_TELEMETRY, pl.col("vehicle_id") == vehicle).sort("event_ts", "ecu_seq")
    t_s = samples["event_ts"].dt.epoch("us").to_numpy() / 1e6
    ends = window_ends(t_s)
    names = [name for name in LAP_CHANNELS if name in samples.columns]
    channels = {name: samples[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names}
    assert rows["window_end_ts"].dt.epoch("us").to_list() == (ends * 1e6).astype(int).tolist()
    np.testing.assert_allclose(rows["rpm_avg_10s"], window_features(t_s, channels, ends)["rpm_avg_10s"])


def test_every_finished_lap_has_scores(whole) -> None:
    scores = whole.store.read(GOLD_DPTAD_SCORES, pl.lit(value=True), ["vehicle_id", "lap_number", "overall_score"])
    assert scores.height == 6
    assert scores["overall_score"].drop_nulls().is_between(0.0, 100.0).all()
    assert scores["overall_score"].null_count() < 6


@pytest.mark.parametrize("lap", [1, 2])
def test_what_comes_in_two_portions_ends_as_what_comes_at_once(whole, tmp_path, monkeypatch, lap) -> None:
    simulator, messages = race()
    end = simulator.laps().filter(vehicle_id=simulator.cars[0].vehicle_id, lap_number=lap)["end_us"].item() + 2_000_000
    first = [r for r, m in zip(records(messages), messages, strict=True) if arrival_us(m) <= end]
    later = [r for r, m in zip(records(messages), messages, strict=True) if arrival_us(m) > end]
    parts = drained(tmp_path, monkeypatch, first, later)
    assert differences(session_rows(whole.store, SESSION), session_rows(parts.store, SESSION)) == []


def test_every_compared_table_has_rows(whole) -> None:
    rows = session_rows(whole.store, SESSION)
    assert [table for table in COMPARED if not rows[table].height] == []


def test_an_event_that_breaks_a_hard_rule_is_left_out() -> None:
    good = next(r for r in records(race()[1]) if r.ce_type == "slipstream.lap_end.v1")
    bad = replace(good, payload=orjson.dumps(orjson.loads(good.payload) | {"vehicle_id": "no blanks please"}))
    none = replace(good, payload=orjson.dumps(orjson.loads(good.payload) | {"lap": None}))
    assert topics.event_rows([good, bad, none])[SILVER_TIMING_EVENTS].height == 1


def test_every_rule_of_an_event_is_known_to_the_peer() -> None:
    for event, _ in topics._events().values():
        types = {c.name: polars_type(c.physical_type) for c in event.columns}
        nothing = pl.DataFrame({name: [None] for name in types}, schema=types)
        for column, rule in event.rules("quarantine"):
            assert nothing.select(topics.broken_rule(column, rule)).item() is rule.asks_for_presence, rule.name


def test_a_difference_in_one_value_is_seen() -> None:
    rows = pl.DataFrame({"k": [1, 2], "x": [1.0, None], "names": [["a"], []]})
    key = ("k",)
    assert differing_columns(rows, rows.reverse().with_columns(pl.col("x") * (1 + 1e-12)), key) == []
    assert differing_columns(rows, rows.with_columns(x=pl.lit(1.0)), key) == ["x"]
    assert differing_columns(rows, rows.with_columns(x=pl.col("x") + 1e-6), key) == ["x"]
    assert differing_columns(rows, rows.with_columns(names=pl.lit(["a"])), key) == ["names"]
    assert differing_columns(rows, rows.head(1), key) == rows.columns


def test_a_copy_of_a_table_has_its_rows_and_is_apart_from_it(whole, tmp_path) -> None:
    mine = pl.col("session_id") == SESSION
    ours = DeltaStore(whole.store.folder)
    copy = clone_lake(ours.folder, tmp_path / "copy", [GOLD_LAP_FEATURES])
    rows = ours.read(GOLD_LAP_FEATURES, mine)
    key = load_contract(GOLD_LAP_FEATURES).key
    assert differing_columns(rows, copy.read(GOLD_LAP_FEATURES, mine), key) == []
    copy.replace(GOLD_LAP_FEATURES, rows.head(0), f"session_id = '{SESSION}' AND lap_number = 2")
    assert copy.read(GOLD_LAP_FEATURES, mine).height == rows.height - 2
    assert ours.read(GOLD_LAP_FEATURES, mine).height == rows.height
