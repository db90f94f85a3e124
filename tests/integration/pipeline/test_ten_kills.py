"""Races whose driver is killed ten times in closing and gold; a second run and ``maintain`` beside a stream."""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from conf.lake import table_uri
from conf.settings import AppConfig
from producers.simulator.config import RaceIncidents, SimulatorConfig
from producers.simulator.sending import send_session
from producers.simulator.simulator import VehicleSimulator
from serving.lake.balance import reconcile_lake
from serving.lake.reader import LakeReader
from tests.integration.pipeline.brokers import own_broker
from tests.slow import SLOW

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not SLOW, reason="ten kills take minutes; set SLIPSTREAM_SLOW_TESTS=1 to run them"),
]
KILLS = 10
logger = logging.getLogger(__name__)
CLOSING = ("silver.clock_offsets", "silver.entries", "silver.laps", "silver.results", "silver.drivers")
GOLD = (
    *("gold.telemetry_windows", "gold.telemetry_buckets", "gold.lap_features", "silver.telemetry_100hz"),
    *("gold.dptad_scores", "gold.dptad_events", "gold.siwtl", "gold.stints", "gold.driver_summary"),
    *("gold.driver_comparison", "gold.fleet_summary"),
)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[AppConfig]:
    with own_broker(tmp_path_factory.mktemp("broker"), jars_dir, 48000) as settings:
        yield settings


def send_race(bootstrap: str, number: int) -> None:
    config = SimulatorConfig(
        session_id=f"race-R{number}", n_cars=4, n_laps=3, rate_hz=10, seed=number, race_incidents=RaceIncidents()
    )
    send_session(VehicleSimulator(config), bootstrap)


def versions(home) -> dict[str, int]:
    found = {}
    for name in (*CLOSING, *GOLD):
        if home.commit(name, 0).exists():
            found[name] = DeltaTable(table_uri(name, home.settings)).version()
    return found


def kill_after_a_commit(home, pause_s: float) -> set[str] | None:
    """Run until closing or gold has written something, then kill a moment later; the tables that were written.

    ``None`` where the run came to its end.
    """
    before = versions(home)
    process = home.start("slipstream.cli", "run")
    while not any(home.commit(name, before.get(name, 0) + 1).exists() for name in (*CLOSING, *GOLD)):
        if process.poll() is not None:
            assert process.returncode == 0, home.log()[-4000:]
            return None
        time.sleep(0.002)
    time.sleep(pause_s)
    home.kill(process, home.commit("bronze.telemetry_events", 0))
    after = versions(home)
    return {name for name in after if after[name] > before.get(name, 0)}


def content(home) -> dict[str, object]:
    found = {}
    for name in ("silver.telemetry", *CLOSING, *GOLD):
        rows = home.table(name).drop("compute_ms", strict=False)
        found[name] = rows
    return found


def assert_same(one, other) -> None:
    mine, theirs = content(one), content(other)
    assert [name for name in mine if not mine[name].equals(theirs[name])] == []


def test_ten_kills_a_second_run_and_maintain(kafka, new_home) -> None:
    killed, whole = new_home(kafka.bootstrap), new_home(kafka.bootstrap)
    pauses, cut = random.Random(5), list[set[str]]()
    races = 1
    send_race(kafka.bootstrap, races)
    while len(cut) < KILLS:
        written = kill_after_a_commit(killed, pauses.uniform(0.0, 1.5))
        if written is None:  # all was written: another race, and on
            races += 1
            send_race(kafka.bootstrap, races)
        else:
            cut.append(written)
    logger.info("killed behind: %s", "; ".join(", ".join(sorted(names)) for names in cut))
    assert any(names & {*CLOSING} for names in cut)
    assert sum(bool(names & {*GOLD}) for names in cut) >= 2
    killed.run("slipstream.cli", "run")
    whole.run("slipstream.cli", "run")
    assert_same(killed, whole)

    stream = killed.start("slipstream.cli", "stream", "all", "--every", "1")
    send_race(kafka.bootstrap, races + 1)
    until = time.monotonic() + 300
    for _ in range(2):
        killed.run("slipstream.cli", "maintain")
        killed.run("slipstream.cli", "run", code=1)
        assert "another process is filling it in this lake" in killed.log()
    while f"race-R{races + 1}" not in set(killed.table("gold.fleet_summary")["session_id"]):
        assert stream.poll() is None, killed.log()[-4000:]
        assert time.monotonic() < until, killed.log()[-4000:]
        time.sleep(1)
    stream.send_signal(signal.SIGINT)
    stream.communicate(timeout=300)
    assert stream.returncode == 0, killed.log()[-4000:]
    whole.run("slipstream.cli", "run")
    assert_same(killed, whole)
    for home in (killed, whole):
        balance = reconcile_lake(LakeReader(home.settings))
        assert balance.closes, balance.summary
