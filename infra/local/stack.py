"""The local stack as a whole: ``slipstream up``, ``down`` and ``status``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock
from rich.table import Table
from rich.text import Text

from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.plain_console import PlainConsole
from conf.settings import AppConfig
from infra.local import broker, mlflow_server, ports, service
from infra.local.jars import ensure_jars
from infra.local.process import ProcessError
from infra.local.service import Service

SERVICES = (broker.NAME, mlflow_server.NAME)
State = Literal["up", "down", "stale"]


@dataclass(frozen=True)
class Endpoints:
    """Where the clients of this home find Kafka and MLflow."""

    bootstrap: str
    tracking_uri: str


class ServiceStatus(FrozenModel):
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


def find_endpoints(settings: AppConfig) -> Endpoints:
    """Where Kafka and MLflow are: as the settings say, else as started in this home, else at the default ports."""
    kafka, mlflow = (service.load_service(settings, name) for name in SERVICES)
    return Endpoints(
        bootstrap=settings.kafka_bootstrap_servers or (kafka.address if kafka else settings.bootstrap),
        tracking_uri=settings.mlflow_tracking_uri or (mlflow.address if mlflow else settings.tracking_uri),
    )


def local_services(settings: AppConfig) -> list[str]:
    """The services that run here: those whose address is not set, or is set to the local one."""
    defaults = settings.model_copy(update={"kafka_bootstrap_servers": None, "mlflow_tracking_uri": None})
    places = (
        (broker.NAME, settings.kafka_bootstrap_servers, defaults.bootstrap),
        (mlflow_server.NAME, settings.mlflow_tracking_uri, defaults.tracking_uri),
    )
    return [name for name, place, local in places if (place or local).replace("localhost", ports.HOST) == local]


def start_stack(
    settings: AppConfig,
    auto_port: bool = False,
    services: Sequence[str] | None = None,
    console: PlainConsole | None = None,
) -> list[ServiceStatus]:
    """Start the services that are not running, create the topics and print all addresses.

    Args:
        settings: For the home, the ports and the number of partitions.
        auto_port: Take the next free port where one is taken.
        services: Which ones, out of `SERVICES`; by default those that the settings do not place elsewhere.
        console: Where progress is printed; nowhere by default.

    Raises:
        InputError: If a service is unknown.
        infra.local.ports.PortTakenError: If a port is taken and ``auto_port`` is off.
        infra.local.java.JavaMissingError: If there is no Java for Kafka.
        infra.local.jars.JarError: If the jars are absent and cannot be had.
        infra.local.mlflow_server.MlflowMissingError: If MLflow is not installed.
        infra.local.process.ProcessError: If a service does not come up.
    """
    services = local_services(settings) if services is None else services
    unknown = sorted(set(services) - set(SERVICES))
    if unknown:
        raise InputError(f"unknown service {', '.join(unknown)}; known are {', '.join(SERVICES)}")
    console = console or PlainConsole(quiet=True)
    with FileLock(settings.home / "run" / ".lock"):  # two at once would format the same storage
        wanted = [name for name in SERVICES if name in services and not _is_up(settings, name, console)]
        if broker.NAME in wanted:
            ensure_jars(settings, console)
        chosen = _choose_ports(settings, wanted, auto_port)  # all of them before anything starts
        with console.status(f"Starting {' and '.join(wanted)} …"):
            _wait_all(settings, _launch_all(settings, chosen), console)
    return stack_status(settings)


def stop_stack(
    settings: AppConfig,
    services: Sequence[str] = SERVICES,
    console: PlainConsole | None = None,
    timeout_s: float = 20.0,
) -> None:
    """Stop the services and whatever they started; their data stay."""
    console = console or PlainConsole(quiet=True)
    with FileLock(settings.home / "run" / ".lock"):
        for name in services:
            stopped = service.stop_service(settings, name, timeout_s)
            console.print(f"{name}: {'stopped' if stopped else 'was not running'}")


def stack_status(settings: AppConfig) -> list[ServiceStatus]:
    """State of each service of this home."""
    return [_status_of(settings, name) for name in SERVICES]


def print_status(statuses: Sequence[ServiceStatus], console: PlainConsole) -> None:
    """Print the services as a table, and where to look for those that are not as they should be."""
    colours = {"up": "green", "down": "dim", "stale": "red"}
    table = Table("service", "state", "address", "pid", "since", box=None, pad_edge=False)
    for each in statuses:
        state = Text(each.state, style=colours[each.state])
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
    found = service.load_service(settings, name)
    if found is None:
        return ServiceStatus(
            name=name, state="down", pid=None, address=None, since=None, log=service.log_path(settings, name)
        )
    state: State = "up" if found.is_up else "stale"
    return ServiceStatus(
        name=name, state=state, pid=found.process.pid, address=found.address, since=found.since, log=found.log
    )


def _is_up(settings: AppConfig, name: str, console: PlainConsole) -> bool:
    found = service.load_service(settings, name)
    if found is not None and found.is_up:
        console.print(f"{name}: already up at {found.address}", soft_wrap=True)
        return True
    service.stop_service(settings, name)  # what a killed one left behind
    return False


def _choose_ports(settings: AppConfig, names: Sequence[str], auto_port: bool) -> dict[str, list[int]]:
    """Ports for each service, none promised twice."""
    chosen: dict[str, list[int]] = {name: [] for name in names}
    wanted = (
        (broker.NAME, "KAFKA_PORT", settings.kafka_port),
        (broker.NAME, "KAFKA_CONTROLLER_PORT", settings.kafka_controller_port),
        (mlflow_server.NAME, "MLFLOW_PORT", settings.mlflow_port),
    )
    for name, setting, port in wanted:
        if name in chosen:
            promised = {each for several in chosen.values() for each in several}
            chosen[name].append(ports.choose_port(name, setting, port, auto_port, promised))
    return chosen


def _launch_all(settings: AppConfig, chosen: dict[str, list[int]]) -> list[Service]:
    launched = []
    if broker.NAME in chosen:
        port, controller_port = chosen[broker.NAME]
        launched.append(broker.launch_broker(settings, port, controller_port))
    if mlflow_server.NAME in chosen:
        launched.append(mlflow_server.launch_mlflow(settings, *chosen[mlflow_server.NAME]))
    return launched


def _wait_all(settings: AppConfig, launched: Sequence[Service], console: PlainConsole) -> None:
    """Wait for each; one that fails does not keep the others from being waited for."""
    waits = {broker.NAME: broker.wait_for_broker, mlflow_server.NAME: mlflow_server.wait_for_mlflow}
    failures = []
    for each in launched:
        try:
            waits[each.name](settings, each)
        except ProcessError as error:
            service.stop_service(settings, each.name)
            failures.append(str(error))
        else:
            console.print(f"{each.name}: up at {each.address} (log {each.log})", soft_wrap=True)
    if failures:
        raise ProcessError("\n\n".join(failures))
