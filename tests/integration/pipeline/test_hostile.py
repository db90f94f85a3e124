"""22,000 messages as nobody should send them, beside a race: all are accounted for, and the race stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from conf.settings import AppConfig
from producers.simulator.config import RaceIncidents, SimulatorConfig
from producers.simulator.frames import Frame
from producers.simulator.sending import send_session
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import session_messages
from serving.lake.balance import reconcile_lake
from serving.lake.reader import LakeReader
from tests.integration.pipeline.brokers import own_broker
from tests.integration.pipeline.hostile import Message, spoil_messages, whole_messages
from tests.slow import SLOW

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not SLOW, reason="a flood takes minutes; set SLIPSTREAM_SLOW_TESTS=1 to run it"),
]
HOSTILE = 22_000
TABLES = (
    "silver.telemetry",
    "silver.laps",
    "silver.results",
    "silver.entries",
    "gold.lap_features",
    "gold.telemetry_windows",
    "gold.dptad_scores",
    "gold.driver_summary",
)


def race(session_id: str, seed: int, track: str = "three-oaks") -> VehicleSimulator:
    incidents = RaceIncidents.with_incidents()
    config = SimulatorConfig(
        session_id=session_id, track=track, n_cars=4, n_laps=4, rate_hz=10, seed=seed, race_incidents=incidents
    )
    return VehicleSimulator(config)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[AppConfig]:
    with own_broker(tmp_path_factory.mktemp("broker"), jars_dir, 47000) as settings:
        yield settings


def send_hostile(bootstrap: str) -> int:
    """Send the flood; returns how many messages it was.

    It is of another track: a track is calibrated on the first of its sessions.
    """
    records: dict[str, list[tuple[bytes, bytes, str]]] = {}
    for message in session_messages(race("hostile-R1", 9, "alder-ridge"), race=True):
        if isinstance(message, Frame):
            found = ("telemetry.raw", message.key(), message.payload(), "slipstream.frame.v1")
        else:
            found = (message.topic, message.key, message.payload, message.event_type)
        records.setdefault(found[0], []).append(found[1:])
    producer, sent = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 8_000_000}), 0
    for one in spoil_messages(whole_messages(records), HOSTILE, seed=1):
        send(producer, one)
        sent += 1
    assert producer.flush(120) == 0
    return sent


def send(producer: Producer, message: Message) -> None:
    producer.produce(message.topic, message.value, message.key, headers=list(message.headers))
    producer.poll(0)


def of_the_race(home, name):
    found = home.table(name).drop("compute_ms", strict=False)
    return found.filter(found["session_id"] == "race-R1")


def test_a_flood_is_accounted_for_and_changes_nothing_of_a_race(kafka, new_home) -> None:
    alone, flooded = new_home(kafka.bootstrap), new_home(kafka.bootstrap)
    send_session(race("race-R1", 3), kafka.bootstrap)
    alone.run("slipstream.cli", "run")
    before = reconcile_lake(LakeReader(alone.settings)).total.messages
    sent = send_hostile(kafka.bootstrap)
    flooded.run("slipstream.cli", "run")
    balance = reconcile_lake(LakeReader(flooded.settings))
    assert balance.closes, balance.summary
    assert balance.total.messages == before + sent
    assert balance.total.quarantined > sent // 4
    assert {name: of_the_race(alone, name).equals(of_the_race(flooded, name)) for name in TABLES} == dict.fromkeys(
        TABLES, True
    )
    lake = LakeReader(flooded.settings)
    assert lake.query("select count(*) as n from ops.step_failures")["n"].to_pylist() == [0]
    assert lake.query("from analysis.quarantine_reasons").num_rows > 10
    flooded.run("slipstream.cli", "quality", "report")
