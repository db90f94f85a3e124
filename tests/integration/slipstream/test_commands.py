"""The command line against a real broker: what is said to be sent is there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner, Result

from conf.settings import get_settings
from infra.local import ports, stack
from slipstream.cli import app
from tests.integration.offsets import last_offset

pytestmark = pytest.mark.integration

SIMULATE = ("produce", "simulate", "--cars", "2", "--duration", "30", "--session", "cli")


def slipstream(*args: str) -> Result:
    result = CliRunner().invoke(app, list(args))
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[str]:
    """A home whose Kafka the command line has started; stopped the same way."""
    start = 21000 + os.getpid() % 100 * 100 + 80
    kafka = ports.choose_port("test", "a port", start, auto_port=True)
    controller = ports.choose_port("test", "a port", kafka + 1, auto_port=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPSTREAM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("SLIPSTREAM_JARS", str(jars_dir))
        patch.setenv("KAFKA_PORT", str(kafka))
        patch.setenv("KAFKA_CONTROLLER_PORT", str(controller))
        patch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
        get_settings.cache_clear()
        assert f"up: kafka at 127.0.0.1:{kafka}" in slipstream("up", "--service", "kafka").stdout
        yield f"127.0.0.1:{kafka}"
        assert "would stop kafka" in slipstream("down", "--dry-run").stdout
        slipstream("down")
        assert {each.state for each in stack.stack_status(get_settings())} == {"down"}
    get_settings.cache_clear()


def messages(bootstrap: str) -> int:
    """How many messages telemetry.raw has."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "count"})
    parts = consumer.list_topics("telemetry.raw", timeout=10).topics["telemetry.raw"].partitions
    total = sum(last_offset(consumer, TopicPartition("telemetry.raw", part)) for part in parts)
    consumer.close()
    return total


def test_status_and_doctor_see_the_broker(broker):
    found = {each["name"]: each for each in json.loads(slipstream("status", "--format", "json").stdout)}
    assert (found["kafka"]["state"], found["kafka"]["address"]) == ("up", broker)
    checks = json.loads(CliRunner().invoke(app, ["doctor", "--format", "json"]).stdout)["checks"]
    assert {check["name"]: check["outcome"] for check in checks}["Kafka"] == "ok"


def test_simulate_sends_what_it_says(broker):
    before = messages(broker)
    planned = re.search(r"would send ([\d,]+) frames", slipstream(*SIMULATE, "--dry-run").stdout)
    assert messages(broker) == before
    sent = re.search(r"session cli: ([\d,]+) frames .* ([\d,]+) acknowledged", slipstream(*SIMULATE).stdout)
    assert planned is not None
    assert sent is not None
    assert sent[1] == sent[2] == planned[1]
    assert messages(broker) - before == int(sent[1].replace(",", ""))


def test_simulate_keeps_time(broker):
    result = slipstream("produce", "simulate", "--cars", "1", "--duration", "20", "--no-faults", "--speed", "10")
    elapsed = re.search(r"in (\d+\.\d) s", result.stdout)
    assert elapsed is not None
    assert float(elapsed[1]) >= 1.8  # the last of 20 frames is due 19 s after the first, ten times as fast


def test_replay_sends_what_it_says(broker, tmp_path):
    header = "lap,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number"
    rows = [
        f"1,2025-09-06T18:40:{second:02}.000Z,ath,{second},2025-09-06T18:39:{second:02}.000Z,GR86-001-1,1"
        for second in range(50)
    ]
    (tmp_path / "laps.csv").write_text("\n".join([header, *rows, "cut short"]) + "\n")
    before = messages(broker)
    result = slipstream("produce", "replay", str(tmp_path), "--session", "mine")
    assert "50 readings of 1 files" in result.stdout
    assert "50 acknowledged, 1 malformed lines left out" in result.stdout
    assert messages(broker) - before == 50


def test_a_topic_that_is_not_there_is_one_line(broker):
    result = CliRunner().invoke(app, [*SIMULATE, "--topic", "nowhere"])
    assert result.exit_code == 1
    assert "topic 'nowhere' does not exist" in result.stderr.splitlines()[-1]
