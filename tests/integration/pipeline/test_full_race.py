"""A whole published race through Kafka to gold: killed drivers, a killed broker, a second replay, a stuck clock."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from conf.settings import AppConfig
from infra.local import broker, service, stack
from serving.lake.balance import reconcile_lake
from serving.lake.reader import LakeReader
from tests.integration.pipeline.brokers import own_broker
from tests.slow import SLOW

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not SLOW,
        reason="a whole race takes ten minutes; set SLIPSTREAM_SLOW_TESTS=1 to run it",
    ),
]
READINGS = 1_322_142
OUTAGE_S = 5.0


@dataclass(frozen=True)
class Broker:
    """A broker of this module's own, which tests kill."""

    settings: AppConfig

    def outage(self, after_s: float) -> threading.Thread:
        """Kill it after a while, and bring it back five seconds later."""

        def run() -> None:
            time.sleep(after_s)
            kafka = service.load_service(self.settings, broker.NAME)
            assert kafka is not None
            os.kill(kafka.process.pid, signal.SIGKILL)
            time.sleep(OUTAGE_S)
            stack.start_stack(self.settings, services=[broker.NAME])

        thread = threading.Thread(target=run)
        thread.start()
        return thread


@pytest.fixture
def kafka(tmp_path: Path, jars_dir: Path) -> Iterator[Broker]:
    with own_broker(tmp_path / "broker", jars_dir, 46000) as settings:
        yield Broker(settings)


def laps(home) -> dict[str, tuple[int, int]]:
    found = home.table("silver.telemetry").drop_nulls("lap_number").group_by("vehicle_id")
    spans = found.agg(pl.col("lap_number").min().alias("lo"), pl.col("lap_number").max().alias("hi"))
    return {vehicle: (lo, hi) for vehicle, lo, hi in spans.iter_rows()}


def assert_second_replay_adds_nothing(home, *replay: str) -> None:
    """Bronze doubles, silver and gold stay to the last cell."""
    first = {name: home.table(name) for name in ("silver.telemetry", "gold.telemetry_windows", "gold.lap_features")}
    messages = reconcile_lake(LakeReader(home.settings)).bronze_rows
    home.run("slipstream.cli", "produce", "replay", *replay)
    home.run("slipstream.cli", "run")
    balance = reconcile_lake(LakeReader(home.settings))
    assert balance.closes, balance.summary
    assert balance.bronze_rows == 2 * messages
    assert all(home.table(name).equals(before) for name, before in first.items())


def test_indianapolis_killed_drivers_and_a_killed_broker(kafka, new_home, differences, data_dir) -> None:
    race = str(data_dir / "grcup" / "indianapolis" / "indianapolis_r1_2cars_fullrace.parquet")
    killed, whole = (new_home(kafka.settings.bootstrap) for _ in range(2))
    bronze = killed.start("streaming.bronze", "--every", "1")
    while not killed.commit("bronze.telemetry_events", 0).exists():
        time.sleep(0.1)
    time.sleep(5)  # the query is up and waits
    outage = kafka.outage(after_s=3.0)  # of the replay and of the stream that follows it
    replay = killed.start("slipstream.cli", "produce", "replay", race)
    outage.join()
    killed.kill(bronze, killed.commit("bronze.telemetry_events", 3))
    assert replay.wait(300) == 0, killed.log()[-4000:]
    killed.kill_when(killed.commit("ops.reconciliation", 1), "slipstream.cli", "run")
    killed.kill_when(killed.commit("gold.telemetry_windows", 1), "slipstream.cli", "run")
    killed.run("slipstream.cli", "run")
    whole.run("slipstream.cli", "run")

    assert differences(whole, killed) == {}
    for home in (whole, killed):
        balance = reconcile_lake(LakeReader(home.settings))
        assert balance.closes, balance.summary
        assert (balance.bronze_rows, balance.total.units) == (READINGS, READINGS)
    assert sorted(laps(killed).values()) == [(1, 14), (1, 29)]

    assert_second_replay_adds_nothing(whole, race)


def test_barber_seventeen_cars_and_a_clock_that_stood_still(kafka, new_home, data_dir) -> None:
    home = new_home(kafka.settings.bootstrap)
    laps = str(data_dir / "grcup" / "barber" / "barber_r1_fastest_lap_17cars.parquet")
    home.run("slipstream.cli", "produce", "replay", laps, "--session", "BARBER-2025-R1")
    home.run("slipstream.cli", "run")
    balance = reconcile_lake(LakeReader(home.settings))
    assert balance.closes, balance.summary
    silver = home.table("silver.telemetry")
    assert silver["vehicle_id"].n_unique() == 17
    stuck = silver.filter(pl.col("vehicle_id") == "GR86-013-80")
    assert stuck["clock_source"].unique().to_list() == ["arrival"]
    assert stuck.height == 2_699
    assert (stuck["event_ts"] == stuck["arrival_ts"]).all()
    assert_second_replay_adds_nothing(home, laps, "--session", "BARBER-2025-R1")
