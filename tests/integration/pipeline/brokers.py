"""Brokers of a test's own, which it may kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conf.settings import AppConfig
from infra.local import broker, ports, stack


@contextmanager
def own_broker(folder: Path, jars_dir: Path, first_port: int, **settings: Any) -> Iterator[AppConfig]:
    """A broker that is up, on the next free ports; given back when it is left."""
    port = ports.choose_port("test", "a port", first_port, auto_port=True)
    home = AppConfig(
        slipstream_home=folder,
        slipstream_jars=jars_dir,
        kafka_port=port,
        kafka_controller_port=ports.choose_port("test", "a port", port + 1, auto_port=True),
        **settings,
        _env_file=None,
    )
    stack.start_stack(home, services=[broker.NAME])
    try:
        yield home
    finally:
        stack.stop_stack(home, services=[broker.NAME])
