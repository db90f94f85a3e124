"""The local stack as a whole: ``slipstream up``, ``down`` and ``status``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from conf.settings import AppConfig
from infra import broker, mlflow_server, ports, service, topics
from infra.files import locked
from infra.jars import ensure_jars
from infra.service import Service

SERVICES = (broker.NAME, mlflow_server.NAME)
State = Literal["up", "down", "stale"]


@dataclass(frozen=True)
class Endpoints:
    """Where the clients of this home find Kafka and MLflow."""

    bootstrap: str
    tracking_uri: str


@dataclass(frozen=True)
class ServiceStatus:
    """State of a service.

    Attributes:
        name: ``kafka`` or ``mlflow``.
        state: ``up``; ``down``: never started or stopped; ``stale``: started, and not stopped, but not running whole.
        pid: Process id of the one started; ``None`` when down.
        address: Where it is, or was, to be reached; ``None`` when down.
        since: When it was started, ISO 8601 in UTC; ``None`` when down.
        log: Its log file.
    """

    name: str
    state: State
    pid: int | None
    address: str | None
    since: str | None
    log: Path


def endpoints(settings: AppConfig) -> Endpoints:
    """Where Kafka and MLflow are: as the settings say, else as started in this home, else at the default ports."""
    kafka, mlflow = (service.load(settings, name) for name in SERVICES)
    return Endpoints(
        bootstrap=settings.kafka_bootstrap_servers or (kafka.address if kafka else settings.bootstrap),
        tracking_uri=settings.mlflow_tracking_uri or (mlflow.address if mlflow else settings.tracking_uri),
    )


def up(
    settings: AppConfig,
    auto_port: bool = False,
    services: Sequence[str] = SERVICES,
    console: Console | None = None,
) -> list[ServiceStatus]:
    """Start what is not running yet, create the topics and say where everything is.

    Args:
        settings: For the home, the ports and the number of partitions.
        auto_port: Take the next free port where one is taken.
        services: Which ones, out of `SERVICES`.
        console: Where progress is printed; nowhere by default.

    Raises:
        ValueError: If a service is unknown.
        infra.ports.PortTakenError: If a port is taken and ``auto_port`` is off.
        infra.java.JavaMissingError: If there is no Java for Kafka.
        infra.jars.JarError: If the jars are absent and cannot be had.
        infra.process.ProcessError: If a service does not come up.
    """
    unknown = sorted(set(services) - set(SERVICES))
    if unknown:
        raise ValueError(f"unknown service {', '.join(unknown)}; known are {', '.join(SERVICES)}")
    console = console or Console(quiet=True)
    with locked(settings.home / "run" / ".lock"):  # two at once would format the same storage
        for name, starter in _STARTERS.items():
            if name in services:
                _up_one(settings, name, starter, auto_port, console)
    return status(settings)


def down(
    settings: AppConfig, services: Sequence[str] = SERVICES, console: Console | None = None, timeout_s: float = 20.0
) -> None:
    """Stop the services and whatever they started; their data stay."""
    console = console or Console(quiet=True)
    with locked(settings.home / "run" / ".lock"):
        for name in services:
            stopped = service.stop(settings, name, timeout_s)
            console.print(f"{name}: {'stopped' if stopped else 'was not running'}")


def status(settings: AppConfig) -> list[ServiceStatus]:
    """State of each service of this home."""
    return [_status_of(settings, name) for name in SERVICES]


def print_status(statuses: Sequence[ServiceStatus], console: Console) -> None:
    """Print the services as a table, and where to look for those that are not as they should be."""
    colours = {"up": "green", "down": "dim", "stale": "red"}
    table = Table("service", "state", "address", "pid", "since", box=None, pad_edge=False)
    for each in statuses:
        state = f"[{colours[each.state]}]{each.state}[/]"
        table.add_row(each.name, state, each.address or "", str(each.pid or ""), each.since or "")
    console.print(table)
    for each in statuses:
        if each.state == "stale":
            console.print(
                f"{each.name} was started and is not running any more. 'slipstream up' starts it again on the same "
                f"data; its log is {each.log}",
                soft_wrap=True,
            )


def _status_of(settings: AppConfig, name: str) -> ServiceStatus:
    found = service.load(settings, name)
    if found is None:
        return ServiceStatus(name, "down", None, None, None, service.log_path(settings, name))
    state: State = "up" if found.is_up else "stale"
    return ServiceStatus(name, state, found.process.pid, found.address, found.since, found.log)


Starter = Callable[[AppConfig, bool, Console], Service]


def _up_one(settings: AppConfig, name: str, starter: Starter, auto_port: bool, console: Console) -> None:
    found = service.load(settings, name)
    if found is not None and found.is_up:
        console.print(f"{name}: already up at {found.address}", soft_wrap=True)
        return
    service.stop(settings, name)  # what a killed one left behind
    with console.status(f"Starting {name} …"):
        started = starter(settings, auto_port, console)
    console.print(f"{name}: up at {started.address} (log {started.log})", soft_wrap=True)


def _start_kafka(settings: AppConfig, auto_port: bool, console: Console) -> Service:
    ensure_jars(settings, console)
    port = ports.choose("Kafka", "KAFKA_PORT", settings.kafka_port, auto_port)
    controller = ports.choose(
        "Kafka's controller", "KAFKA_CONTROLLER_PORT", settings.kafka_controller_port, auto_port, exclude={port}
    )
    started = broker.start(settings, port, controller)
    topics.ensure_topics(settings, started.address)
    return started


def _start_mlflow(settings: AppConfig, auto_port: bool, _: Console) -> Service:
    return mlflow_server.start(settings, ports.choose("MLflow", "MLFLOW_PORT", settings.mlflow_port, auto_port))


_STARTERS: dict[str, Starter] = {broker.NAME: _start_kafka, mlflow_server.NAME: _start_mlflow}
