"""A broker with one session's messages in it, homes that read it, and the jobs as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from conf.contract import load_contract
from conf.lake import table_uri
from conf.settings import AppConfig
from infra.kafka.producer import KafkaStreamer
from infra.local import broker, service, stack
from medallion.dataset import open_dataset
from producers.replay.encode import EVENT_TYPE as READING
from producers.replay.encode import encode_readings
from producers.simulator.config import SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from tests.integration.pipeline.brokers import own_broker

T0_US = 1_757_181_600_000_000
CARS = ("GR86-001-1", "GR86-002-2", "GR86-003-3")
INSTANTS, CHANNELS = 5_000, ("speed", "nmot", "aps", "gear")
POISON = (b"\xff\xfe", b"{}", b'{"session_id": "live", "vehicle_id": "x", "t_us": "now"}', b"")
# What says who wrote a row and when, not what it holds.
INGEST = ("run_id", "batch_id", "quarantined_ts", "noted_ts", "updated_ts")
TABLES = (
    "silver.telemetry",
    "silver.quarantine",
    "silver.conflicts",
    "silver.clock_offsets",
    "silver.sessions",
    "gold.telemetry_windows",
    "gold.telemetry_buckets",
    "gold.lap_features",
)


@dataclass(frozen=True)
class Sent:
    """What was produced: messages, and the distinct rows that silver must hold."""

    bootstrap: str
    messages: int
    rows: int


def readings() -> pl.DataFrame:
    """60,000 readings of three cars in order of arrival, some with two values for one instant, some impossible."""
    rng = np.random.default_rng(7)
    k = np.arange(len(CARS) * INSTANTS * len(CHANNELS))
    instant, car, channel = k // 12, k // 4 % 3, k % 4
    value = np.round(rng.random(len(k)) * np.array([250.0, 7500.0, 100.0, 5.0])[channel], 2)
    value[rng.random(len(k)) < 0.002] = np.nan
    again = np.flatnonzero(rng.random(len(k)) < 0.03)
    value_again = np.where(rng.random(len(again)) < 0.5, value[again], value[again] / 2)
    row, values = np.concatenate([k, again]), np.concatenate([value, value_again])
    clock = T0_US + instant[row] * 40_000
    arrival = clock + 86_400_000_000 + rng.integers(20_000, 200_000, len(row))
    frame = pl.DataFrame(
        {
            "session_id": "CUP-R1",
            "vehicle_id": np.array(CARS)[car[row]],
            "vehicle_number": (car[row] + 1).astype(np.int32),
            "original_vehicle_id": None,
            "lap": (1 + instant[row] // 1500).astype(np.int32),
            "outing": 0,
            "meta_event": "CUP",
            "meta_session": "R1",
            "meta_source": None,
            "dialect": "grcup",
            "telemetry_name": np.array(CHANNELS)[channel[row]],
            "meta_time_us": arrival,
            "timestamp_us": clock,
            "ecu_seq": 0,
            "telemetry_value": values,
        }
    )
    return frame.sort("meta_time_us", maintain_order=True)


def produce(settings: AppConfig) -> Sent:
    """Send everything; halfway the broker is killed, and comes back five seconds later."""
    simulator = VehicleSimulator(SimulatorConfig(session_id="sim", n_cars=4, n_laps=1, rate_hz=15, seed=11))
    frames, long = list(simulator.frames()), readings()
    records = list(encode_readings(long, "test"))
    outage = threading.Thread(target=_outage, args=(settings,))
    with KafkaStreamer(settings.bootstrap, source="/replay/test") as streamer:
        streamer.send_many(records[: len(records) // 2], READING)
        outage.start()
        streamer.send_many(records[len(records) // 2 :], READING)
        for i, payload in enumerate(POISON):
            streamer.send(b"x", payload, READING if i else "slipstream.frame.v1", f"poison:{i}")
        for i, frame in enumerate(frames):
            streamer.send(frame.key(), frame.payload(), "slipstream.frame.v1", f"sim:{i}")
        outage.join()
        report = streamer.flush()
    assert report.acknowledged == report.sent == len(records) + len(POISON) + len(frames)
    good = long.filter(pl.col("telemetry_value").is_finite())
    distinct = good.select("vehicle_id", "timestamp_us").n_unique() + simulator.to_polars().height
    return Sent(settings.bootstrap, report.sent, distinct)


def _outage(settings: AppConfig) -> None:
    kafka = service.load_service(settings, broker.NAME)
    assert kafka is not None
    os.kill(kafka.process.pid, signal.SIGKILL)
    time.sleep(5)
    stack.start_stack(settings, services=[broker.NAME])


@pytest.fixture(scope="session")
def sent(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[Sent]:
    """A broker that holds the messages."""
    start = 41000 + os.getpid() % 100 * 50
    with own_broker(tmp_path_factory.mktemp("broker"), jars_dir, start, kafka_partitions=2) as settings:
        yield produce(settings)


@dataclass(frozen=True)
class Home:
    """A lake of its own, and processes that work on it."""

    settings: AppConfig
    env: dict[str, str]

    def start(self, *module: str) -> subprocess.Popen[str]:
        """``python -m …`` in a process group of its own, so that its JVM can be killed with it."""
        log = self.settings.home.with_suffix(".log").open("a")
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            env=self.env,
            cwd=self.settings.home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )

    def run(self, *module: str, code: int = 0) -> str:
        """Run to the end; returns what it said, and shows its log where it fails."""
        process = self.start(*module)
        said, _ = process.communicate(timeout=900)
        assert process.returncode == code, said + self.log()[-4000:]
        return said

    def kill_when(self, appears: Path, *module: str) -> None:
        """Run until a file appears, then SIGKILL the driver and its JVM at once."""
        self.kill(self.start(*module), appears)

    def kill(self, process: subprocess.Popen[str], appears: Path) -> None:
        """SIGKILL a running driver and its JVM as soon as a file appears."""
        while not appears.exists():
            assert process.poll() is None, f"ended before {appears.name} was there\n{self.log()[-4000:]}"
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def commit(self, table: str, version: int) -> Path:
        """The file that makes a version of a table."""
        return Path(table_uri(table, self.settings)) / "_delta_log" / f"{version:020}.json"

    def log(self) -> str:
        """Everything that the processes wrote to stderr."""
        return self.settings.home.with_suffix(".log").read_text()

    def table(self, name: str) -> pl.DataFrame:
        """Content of a table, in the order of its key."""
        contract = load_contract(name)
        columns = [c for c in contract.column_names if c not in INGEST]
        found = pl.from_arrow(open_dataset(name, self.settings).to_table(columns=columns))
        assert isinstance(found, pl.DataFrame)
        return found.sort([k for k in contract.key if k in columns])


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Callable[[str], Home]:
    """Makes homes that read a broker."""

    def make(bootstrap: str) -> Home:
        folder = tmp_path_factory.mktemp("home")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SLIPSTREAM_", "KAFKA_", "SPARK_", "PYSPARK"))}
        env |= {
            "SLIPSTREAM_HOME": str(folder),
            "SLIPSTREAM_JARS": str(jars_dir),
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "SPARK_MASTER": "local[2]",
            "SPARK_DRIVER_MEMORY": "2g",
            "SPARK_SHUFFLE_PARTITIONS": "2",
        }
        settings = AppConfig(
            slipstream_home=folder, slipstream_jars=jars_dir, kafka_bootstrap_servers=bootstrap, _env_file=None
        )
        return Home(settings, env)

    return make


@pytest.fixture(scope="session")
def undisturbed(sent: Sent, new_home: Callable[[str], Home]) -> Home:
    """The lake that one ``slipstream run`` makes."""
    home = new_home(sent.bootstrap)
    said = home.run("slipstream.cli", "run")
    assert f"{sent.messages:,} messages stored" in said
    return home


@pytest.fixture(scope="session")
def differences() -> Callable[[Home, Home], dict[str, int]]:
    """Rows that only one of two lakes has, by table (``EXCEPT ALL`` both ways); empty where they are the same."""
    import duckdb

    def count(one: Home, other: Home) -> dict[str, int]:
        found = {}
        for name in TABLES:
            a, b = one.table(name).to_arrow(), other.table(name).to_arrow()  # noqa: F841 - named in the query
            sql = "select count(*) from ((from a except all from b) union all (from b except all from a))"
            found[name] = duckdb.sql(sql).fetchall()[0][0]
        return {name: n for name, n in found.items() if n}

    return count


def versions(home: Home) -> dict[str, int]:
    """Delta version of every table."""
    return {name: DeltaTable(table_uri(name, home.settings)).version() for name in TABLES}
