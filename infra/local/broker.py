"""A real Apache Kafka broker (KRaft, one node) on loopback, run from its own jars."""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from conf.errors import InputError
from conf.failures import find_cause
from conf.settings import AppConfig
from conf.topics import MAX_MESSAGE_BYTES
from infra.kafka import topics
from infra.local import ports, process, service
from infra.local.files import make_private_folder
from infra.local.jars import ensure_jars
from infra.local.java import find_java
from infra.local.process import ProcessError
from infra.local.service import Service

NAME = "kafka"
READY_TIMEOUT_S = 90.0
"""A broker that was killed comes back only after its old registration has expired (9 s); starting takes about 5 s."""


def server_properties(data: Path, port: int, controller_port: int) -> dict[str, str]:
    """The broker's configuration.

    The controller quorum is static, so the node may come back on other ports with the same data.

    Args:
        data: Folder of the logs.
        port: For clients.
        controller_port: For the KRaft controller in the same process.
    """
    largest = str(MAX_MESSAGE_BYTES)
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://{ports.HOST}:{port},CONTROLLER://{ports.HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{ports.HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{ports.HOST}:{controller_port}",
        "log.dirs": str(data),
        # One node: whatever Kafka keeps for itself has one copy.
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "message.max.bytes": largest,
        "replica.fetch.max.bytes": largest,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "log.retention.hours": "168",
        "log.segment.bytes": str(256 * 1024 * 1024),
    }


def launch_broker(settings: AppConfig, port: int, controller_port: int, heap: str = "512m") -> Service:
    """Start the broker's process on the data under ``<home>/kafka``; `wait_ready` waits until it answers.

    Args:
        settings: For the home and the jars.
        port: Free port for clients.
        controller_port: Another free one.
        heap: The JVM's ``-Xmx``.

    Raises:
        infra.local.java.JavaMissingError: If there is no Java.
        infra.local.jars.JarError: If the jars are absent and cannot be had.
        ProcessError: If the storage cannot be formatted.
    """
    folder, log = settings.home / "kafka", service.log_path(settings, NAME)
    make_private_folder(folder)
    config = folder / "server.properties"
    properties = server_properties(folder / "data", port, controller_port)
    config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    java = [str(find_java().executable), "-cp", ":".join(map(str, ensure_jars(settings).kafka))]
    _format_storage(java, folder / "data", config, log)
    log4j = Path(__file__).parent / "log4j2.properties"
    command = [*java, f"-Xmx{heap}", f"-Dlog4j2.configurationFile={log4j}", "kafka.Kafka", str(config)]
    started = process.spawn_process(command, log, cwd=folder, umask=0o077)
    broker = Service(NAME, f"{ports.HOST}:{port}", {"broker": port, "controller": controller_port}, started, log)
    service.save_service(settings, broker)
    return broker


def wait_for_broker(settings: AppConfig, broker: Service) -> None:
    """Wait until the broker holds its ports and answers with the id of this home's cluster, then create the topics.

    Raises:
        ProcessError: If it does not come up; the message says why, and where its log is.
        InputError: If the broker's folder does not say which cluster it is of.
    """
    expected = _cluster_id(settings.home / "kafka" / "data" / "meta.properties")
    process.wait_until_ready(
        "Kafka",
        broker.process,
        lambda: broker.is_up and topics.fetch_cluster_id(broker.address) == expected,
        broker.log,
        READY_TIMEOUT_S,
    )
    topics.ensure_topics(settings, broker.address)


def _cluster_id(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line).get("cluster.id")
    if found is None:
        raise InputError(
            f"{path} has no line 'cluster.id=…': the broker's data are damaged; put the file back, or move "
            f"{path.parent} away to begin with empty topics"
        )
    return found


def _format_storage(java: list[str], data: Path, config: Path, log: Path) -> None:
    if (data / "meta.properties").exists():
        return
    command = [*java, "kafka.tools.StorageTool", "format", "-t", _new_cluster_id(), "-c", str(config)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        said = f"{result.stdout}\n{result.stderr}"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as kept:
            kept.write(said)
        raise ProcessError(f"Kafka's storage in {data} could not be formatted\ncause: {find_cause(said)}\nlog: {log}")


def _new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes in URL-safe base64; not with a leading dash, it is a command argument."""
    identifier = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return _new_cluster_id() if identifier.startswith("-") else identifier
