"""A Spark standalone cluster on one machine: a master and workers from the pip package's own classes, on loopback."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from filelock import FileLock

from conf.errors import InputError
from conf.plain_console import PlainConsole
from conf.settings import AppConfig
from infra.local import ports, process, service
from infra.local.jars import pyspark_jars_dir
from infra.local.java import find_java
from infra.local.service import Service

MASTER = "spark-master"
WORKER = "spark-worker-"
READY_TIMEOUT_S = 60.0
_ENVIRONMENT = {"SPARK_LOCAL_IP": ports.HOST, "SPARK_DAEMON_MEMORY": "512m"}


@dataclass(frozen=True)
class ClusterSpec:
    """What to start.

    Attributes:
        workers: How many.
        cores: Of each worker; more than the machine has is allowed, they are task slots.
        memory: Of each worker, in Spark's notation; its executors share it.
        master_port: For drivers and workers.
        web_port: Of the master's web page; the workers take the next free ones.
        auto_port: Take the next free port where one is taken.

    Raises:
        InputError: If ``workers`` or ``cores`` is below 1.
    """

    workers: int = 2
    cores: int = 1
    memory: str = "1g"
    master_port: int = 7077
    web_port: int = 8080
    auto_port: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1 or self.cores < 1:
            raise InputError(f"a cluster needs at least one worker with one core, not {self.workers} with {self.cores}")


@dataclass(frozen=True)
class Worker:
    """A worker as the master sees it; ``state`` is ``ALIVE`` when it takes work."""

    name: str
    state: str
    cores: int
    memory_mib: int


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        master_url: For ``SPARK_MASTER`` or ``spark-submit --master``, such as ``spark://127.0.0.1:7077``.
        web_url: The master's web page.
        workers: Those it had when it was started.
    """

    master_url: str
    web_url: str
    workers: list[Worker]


def start_cluster(settings: AppConfig, spec: ClusterSpec | None = None, console: PlainConsole | None = None) -> Cluster:
    """Start a master and workers and wait until the master reports every worker as alive.

    Args:
        settings: For the home, which keeps logs, pids and work folders.
        spec: What to start; `ClusterSpec`'s defaults if not given.
        console: Where the result is printed; nowhere by default.

    Raises:
        InputError: If a cluster of this home is up already.
        infra.local.java.JavaMissingError: If there is no Java.
        infra.local.jars.JarError: If pyspark is not installed.
        infra.local.ports.PortTakenError: If a port is taken and ``auto_port`` is off.
        infra.local.process.ProcessError: If a part does not come up; the parts started are stopped.
    """
    find_java()
    with FileLock(settings.home / "run" / ".lock"):
        running = service.load_service(settings, MASTER)
        if running is not None and running.is_up:
            raise InputError(f"a Spark cluster of this home is up already at {running.address}; stop it first")
        _stop_all(settings)
        try:
            cluster = _start_all(settings, spec or ClusterSpec())
        except BaseException:
            _stop_all(settings)
            raise
    if console is not None:
        console.print(f"Spark: {len(cluster.workers)} workers at {cluster.master_url}, web page {cluster.web_url}")
    return cluster


def stop_cluster(settings: AppConfig, console: PlainConsole | None = None) -> None:
    """Stop the workers and the master; whatever runs on them ends too."""
    with FileLock(settings.home / "run" / ".lock"):
        for name in _stop_all(settings):
            (console or PlainConsole(quiet=True)).print(f"{name}: stopped")


def worker_states(web_url: str, timeout_s: float = 5.0) -> list[Worker]:
    """What the master at ``web_url`` reports of its workers; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"{web_url}/json/", timeout=timeout_s) as response:  # noqa: S310 (our own address)
            content = json.load(response)
    except (urllib.error.URLError, OSError):
        return []
    return [Worker(each["id"], each["state"], each["cores"], each["memory"]) for each in content["workers"]]


def _start_all(settings: AppConfig, spec: ClusterSpec) -> Cluster:
    port = ports.choose_port("Spark's master", "another master port", spec.master_port, spec.auto_port)
    web_port = ports.choose_port("Spark's web page", "another web port", spec.web_port, spec.auto_port, exclude={port})
    master_url, web_url = f"spark://{ports.HOST}:{port}", f"http://{ports.HOST}:{web_port}"
    options = ["--port", str(port), "--webui-port", str(web_port)]
    command = ["org.apache.spark.deploy.master.Master", *options]
    master = _launch(settings, MASTER, master_url, {"master": port, "web": web_port}, command)
    _wait_up(master)
    workers, taken = [], web_port
    for number in range(1, spec.workers + 1):
        taken = ports.choose_port("Spark's worker", "another web port", taken + 1, auto_port=True)
        workers.append(_launch_worker(settings, spec, number, taken, master_url))
    for worker in workers:
        _wait_up(worker)
    _wait_up(master, lambda: [each.state for each in worker_states(web_url)].count("ALIVE") == spec.workers)
    return Cluster(master_url, web_url, worker_states(web_url))


def _launch_worker(settings: AppConfig, spec: ClusterSpec, number: int, web_port: int, master_url: str) -> Service:
    folder = settings.home / "spark" / f"worker-{number}"
    options = ["--cores", str(spec.cores), "--memory", spec.memory, "--webui-port", str(web_port)]
    command = ["org.apache.spark.deploy.worker.Worker", *options, "--work-dir", str(folder), master_url]
    return _launch(settings, f"{WORKER}{number}", f"http://{ports.HOST}:{web_port}", {"web": web_port}, command)


def _wait_up(part: Service, ready: Callable[[], bool] = lambda: True) -> None:
    """Wait until a part holds its ports and ``ready`` says so, too."""
    process.wait_until_ready(part.name, part.process, lambda: part.is_up and ready(), part.log, READY_TIMEOUT_S)


def _launch(settings: AppConfig, name: str, address: str, held: dict[str, int], command: list[str]) -> Service:
    """Start one part through ``spark-class``, which adds the module options that Spark needs on this Java."""
    spark_home = pyspark_jars_dir().parent
    folder, log = settings.home / "spark", service.log_path(settings, name)
    folder.mkdir(parents=True, exist_ok=True)
    main_class, *options = command
    arguments = [str(spark_home / "bin" / "spark-class"), main_class, "--host", ports.HOST, *options]
    started = process.spawn_process(arguments, log, cwd=folder, env={**_ENVIRONMENT, "SPARK_HOME": str(spark_home)})
    part = Service(name, address, held, started, log)
    service.save_service(settings, part)
    return part


def _stop_all(settings: AppConfig) -> list[str]:
    """Stop workers before the master; returns the names of those that were running."""
    recorded = sorted(path.stem for path in (settings.home / "run").glob(f"{WORKER}*.json"))
    return [name for name in (*recorded, MASTER) if service.stop_service(settings, name)]
