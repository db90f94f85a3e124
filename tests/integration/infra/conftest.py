"""A home with ports of its own, and nothing left running after the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.settings import AppConfig
from infra.local import ports, spark_cluster, stack


def own_ports(tmp: Path, jars_dir: Path, offset: int) -> AppConfig:
    """Settings whose ports were free just now and lie in a range that differs from one test process to the next."""
    start = 21000 + os.getpid() % 100 * 100 + offset
    chosen: list[int] = []
    for _ in range(3):
        chosen.append(ports.choose_port("test", "a port", start, auto_port=True, exclude=chosen))
    return AppConfig(
        slipstream_home=tmp,
        slipstream_jars=jars_dir,
        kafka_port=chosen[0],
        kafka_controller_port=chosen[1],
        mlflow_port=chosen[2],
        _env_file=None,
    )


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Iterator[AppConfig]:
    """A home whose Kafka and MLflow are up."""
    settings = own_ports(tmp_path_factory.mktemp("stack"), jars_dir, offset=0)
    stack.start_stack(settings)
    yield settings
    stack.stop_stack(settings)


@pytest.fixture
def idle(tmp_path: Path, jars_dir: Path) -> Iterator[AppConfig]:
    """A home with nothing running yet."""
    settings = own_ports(tmp_path, jars_dir, offset=50)
    yield settings
    spark_cluster.stop_cluster(settings)
    stack.stop_stack(settings)
