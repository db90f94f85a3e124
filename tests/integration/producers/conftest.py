"""A broker of the test's own, files to replay, and a look at what arrived."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from conf.settings import AppConfig
from infra.local import broker, ports, service, stack
from tests.integration.offsets import last_offset

RAW = "telemetry.raw"


@pytest.fixture
def running(tmp_path: Path, jars_dir: Path) -> Iterator[AppConfig]:
    """A home whose Kafka is up, on ports that differ from one test process to the next."""
    start = 31000 + os.getpid() % 100 * 100
    port = ports.choose_port("test", "a port", start, auto_port=True)
    settings = AppConfig(
        slipstream_home=tmp_path / "home",
        slipstream_jars=jars_dir,
        kafka_port=port,
        kafka_controller_port=ports.choose_port("test", "a port", start, auto_port=True, exclude=[port]),
        _env_file=None,
    )
    stack.start_stack(settings, services=[broker.NAME])
    yield settings
    stack.stop_stack(settings, services=[broker.NAME])


@pytest.fixture
def kill_broker(running: AppConfig) -> Callable[[], None]:
    """Ends the broker the hard way."""

    def kill() -> None:
        kafka = service.load_service(running, broker.NAME)
        assert kafka is not None
        os.kill(kafka.process.pid, signal.SIGKILL)

    return kill


@pytest.fixture
def consume() -> Callable[[AppConfig], list[Message]]:
    """Reads a topic from its beginning to its present end."""
    return everything_in


def everything_in(settings: AppConfig, topic: str = RAW) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "test", "enable.auto.commit": False})
    parts = [TopicPartition(topic, part, 0) for part in consumer.list_topics(topic).topics[topic].partitions]
    wanted = sum(last_offset(consumer, part) for part in parts)
    consumer.assign(parts)
    messages: list[Message] = []
    while len(messages) < wanted:
        batch = consumer.consume(min(10_000, wanted - len(messages)), timeout=10)
        assert batch, f"{len(messages)} of {wanted} messages arrived"
        assert not any(message.error() for message in batch)
        messages.extend(batch)
    consumer.close()
    return messages


@pytest.fixture
def write_telemetry(tmp_path: Path) -> Callable[[int], Path]:
    """Writes a long-form file of that many readings of three cars, 20 ms apart."""

    def write(rows: int, name: str = "synthetic.csv") -> Path:
        k = pl.int_range(rows, eager=True)
        clock = pl.from_epoch(1_735_689_600_000 + k // 4 * 20, time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        car = "GR86-00" + (k // 4 % 3).cast(pl.String)
        channels = pl.Series(["gear", "aps", "nmot", "speed"])
        frame = pl.DataFrame(
            {
                "expire_at": pl.Series([None] * rows, dtype=pl.String),
                "lap": k // 10_000 + 1,
                "meta_event": ["SYNTHETIC"] * rows,
                "meta_session": ["R1"] * rows,
                "meta_source": ["test"] * rows,
                "meta_time": clock,
                "original_vehicle_id": car,
                "outing": [0] * rows,
                "telemetry_name": channels.gather(k % 4),
                "telemetry_value": (k * 7919 % 1000) / 10,
                "timestamp": clock,
                "vehicle_id": car,
                "vehicle_number": k // 4 % 3,
            }
        )
        path = tmp_path / name
        frame.write_csv(path)
        return path

    return write
