"""Check what a local installation needs: ``slipstream doctor``."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from conf.errors import InputError, SlipstreamError
from conf.lake import storage_options, table_uri
from conf.plain_console import PlainConsole
from conf.plain_text import hide_passwords, one_line
from conf.settings import AppConfig
from conf.tables import OPS_STEP_FAILURES
from conf.topics import TELEMETRY_RAW
from infra.kafka import topics
from infra.kafka.client_options import java_options, librdkafka_options
from infra.kafka.cluster import BrokerUnavailableError
from infra.local import mlflow_server, ports, service, stack
from infra.local.jars import SETS, read_lock, verify_jars
from infra.local.java import JavaMissingError, find_java

Outcome = Literal["ok", "warn", "fail"]
GIB = 1024**3
_MOST_FAILURES = 5
LITTLE_DISK_GIB, TOO_LITTLE_DISK_GIB = 10, 2

PINNED = {"pyspark": ("4.2.0", "spark"), "delta-spark": ("4.4.0", "spark"), "mlflow": ("3.17.2", "ml")}
"""Packages that must have one version, because the jars or the stored models do, and the extra they come with."""


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        name: What was looked at.
        outcome: ``ok``; ``warn``: something is absent that some commands need; ``fail``: something is wrong.
        detail: What was found.
        remedy: What to do; empty when all is well.
    """

    name: str
    outcome: Outcome
    detail: str
    remedy: str = ""


CheckGroup = Callable[[AppConfig], Iterator[Finding]]


def run_checks(settings: AppConfig) -> list[Finding]:
    """Run all checks; never raises for what they find."""
    groups: tuple[CheckGroup, ...] = (
        _check_python,
        _check_java,
        _check_packages,
        _check_jars,
        _check_ports,
        _check_kafka,
        _check_mlflow,
        _check_secrets,
        _check_disk,
        _check_lake,
        _check_failures,
    )
    return [check for group in groups for check in run_guarded(group, settings)]


def print_checks(found: Sequence[Finding], console: PlainConsole) -> None:
    """Print the findings as a table, the remedies below it."""
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in ("outcome", "name", "detail"):
        table.add_column(name, overflow="fold")
    for check in found:
        table.add_row(Text(check.outcome, style=colours[check.outcome]), check.name, check.detail)
    console.print_wide(table)
    for check in found:
        if check.remedy:
            console.print(f"{check.name}: {check.remedy}", soft_wrap=True)


def run_guarded(group: CheckGroup, settings: AppConfig, name: str | None = None) -> Iterator[Finding]:
    """What a group finds; whatever it stumbles over, such as a damaged file, is a finding too, and the others go on.

    Args:
        group: Looks at something.
        settings: What it is given.
        name: Of the finding about an error; the group's own if left out.
    """
    try:
        yield from group(settings)
    except Exception as error:  # noqa: BLE001 - what a damaged file makes a library raise is not to be foreseen
        said = hide_passwords(one_line(error)) or type(error).__name__
        detail = said if isinstance(error, OSError | SlipstreamError) else f"{type(error).__name__}: {said}"
        remedy = f"Look at {settings.home}, or use another home."
        yield Finding(name or group.__name__.strip("_").removeprefix("check_"), "fail", detail, remedy)


def _check_python(_: AppConfig) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        yield Finding("Python", "ok", found)
    else:
        yield Finding("Python", "fail", found, "Use Python 3.11, 3.12 or 3.13.")


def _check_java(_: AppConfig) -> Iterator[Finding]:
    try:
        java = find_java()
    except JavaMissingError as error:
        yield Finding("Java", "fail", "none that can be used", str(error))
    else:
        yield Finding("Java", "ok", f"{java.full_version} ({java.executable})")


def _check_packages(_: AppConfig) -> Iterator[Finding]:
    for name, (wanted, extra) in PINNED.items():
        found, remedy = _version(name), f"pip install 'slipstream-lake[{extra}]'"
        if found is None:
            yield Finding(name, "warn", f"not installed; comes with the '{extra}' extra", remedy)
        elif found != wanted:
            yield Finding(name, "fail", f"{found}, but {wanted} is needed", remedy)
        else:
            yield Finding(name, "ok", found)
    pandas = _version("pandas")
    if pandas is not None and int(pandas.partition(".")[0]) >= 3:
        yield Finding("pandas", "fail", f"{pandas}, but Spark 4.2 needs one below 3", "pip install 'pandas<3'")
    elif pandas is not None:
        yield Finding("pandas", "ok", pandas)


def _check_jars(settings: AppConfig) -> Iterator[Finding]:
    folder = settings.jars_dir
    if not any((folder / name).exists() for name in SETS):
        yield Finding("jars", "warn", f"not resolved yet in {folder}", "'slipstream up' resolves them.")
        return
    faults = verify_jars(folder)
    if faults:
        remedy = f"Delete {folder} and run 'slipstream up', which resolves them anew."
        yield Finding("jars", "fail", "; ".join(faults[:5]) + (" …" if len(faults) > 5 else ""), remedy)
    else:
        yield Finding("jars", "ok", f"{sum(map(len, read_lock().values()))} in {folder}, checksums match")


def _check_ports(settings: AppConfig) -> Iterator[Finding]:
    """A port of the local stack is either held by this home's own service or free for it."""
    wanted = []
    local = stack.local_services(settings)
    if "kafka" in local:
        wanted.append(("kafka", "KAFKA_PORT", settings.kafka_port))
        wanted.append(("kafka", "KAFKA_CONTROLLER_PORT", settings.kafka_controller_port))
    if "mlflow" in local:
        wanted.append(("mlflow", "MLFLOW_PORT", settings.mlflow_port))
    for name, setting, port in wanted:
        running = service.load_service(settings, name)
        if running is not None and running.is_up:
            if port in running.ports.values():
                yield Finding(f"port {port}", "ok", f"held by this home's {name}")
        elif ports.is_port_free(port):
            yield Finding(f"port {port}", "ok", f"free for {name}")
        else:
            remedy = f"Stop that program, set {setting}, or use 'slipstream up --auto-port'."
            yield Finding(f"port {port}", "warn", f"taken by another program, {name} cannot have it", remedy)


def _check_kafka(settings: AppConfig) -> Iterator[Finding]:
    bootstrap, configured = stack.find_endpoints(settings).bootstrap, settings.kafka_bootstrap_servers is not None
    # On loopback a closed port is known at once; the client would try for seconds.
    is_closed = not configured and not ports.accepts_connections(int(bootstrap.rpartition(":")[2]))
    if is_closed:
        yield _unreachable("Kafka", bootstrap, configured, "KAFKA_BOOTSTRAP_SERVERS")
        return
    try:
        found = topics.cluster_metadata(bootstrap, librdkafka_options(settings))
        java_options(settings)  # what Spark's client could not use is to be known before Spark starts
    except (BrokerUnavailableError, InputError) as error:
        yield Finding("Kafka", "fail" if configured or isinstance(error, InputError) else "warn", str(error))
        return
    wanted = topics.partition_counts(settings)
    missing = sorted(wanted.keys() - found.topics.keys())
    if missing:
        remedy = (
            "'slipstream up' creates those of a local broker, 'python -m infra.kafka.topics' those of a configured one."
        )
        yield Finding("Kafka", "fail", f"{bootstrap} lacks the topics {', '.join(missing)}", remedy)
        return
    yield Finding("Kafka", "ok", f"{bootstrap}, {len(wanted)} topics")
    actual = len(found.topics[TELEMETRY_RAW.name].partitions)
    if actual != wanted[TELEMETRY_RAW.name]:
        detail = f"{TELEMETRY_RAW.name} has {actual} partitions, KAFKA_PARTITIONS says {wanted[TELEMETRY_RAW.name]}"
        yield Finding(
            "partitions", "warn", detail, "A topic keeps those it was created with; set KAFKA_PARTITIONS to it."
        )


def _check_mlflow(settings: AppConfig) -> Iterator[Finding]:
    address = stack.find_endpoints(settings).tracking_uri
    shown = hide_passwords(address)
    if not address.startswith(("http://", "https://")):
        yield Finding("MLflow", "ok", f"{shown} (not a server, nothing to reach)")
    elif mlflow_server.is_healthy(address):
        yield Finding("MLflow", "ok", shown)
    else:
        yield _unreachable("MLflow", shown, settings.mlflow_tracking_uri is not None, "MLFLOW_TRACKING_URI")


def _unreachable(name: str, address: str, configured: bool, setting: str) -> Finding:
    if configured:
        return Finding(name, "fail", f"{address} does not answer", f"Start it, or correct {setting}.")
    return Finding(name, "warn", f"{address} does not answer", "'slipstream up' starts it.")


def _check_secrets(settings: AppConfig) -> Iterator[Finding]:
    """Files that hold secrets are their owner's alone; nothing where there are none, or all are."""
    for path in (Path(".env"), settings.kafka_ssl_key, settings.firebase_credentials):
        place = path and path.expanduser().resolve()
        if place and place.is_file() and place.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            mode = stat.filemode(place.stat().st_mode)
            yield Finding("secrets", "warn", f"{place} is not its owner's alone ({mode})", f"chmod 600 {place}")


def _check_disk(settings: AppConfig) -> Iterator[Finding]:
    free_gib = shutil.disk_usage(_nearest_existing(settings.home)).free / GIB
    detail = f"{free_gib:.0f} GiB free under {settings.home}"
    remedy = "Make room, or set SLIPSTREAM_HOME to a larger disk."
    if free_gib < TOO_LITTLE_DISK_GIB:
        yield Finding("disk", "fail", detail, remedy)
    elif free_gib < LITTLE_DISK_GIB:
        yield Finding("disk", "warn", detail, remedy)
    else:
        yield Finding("disk", "ok", detail)


def _check_lake(settings: AppConfig) -> Iterator[Finding]:
    if settings.azure_storage_account:
        yield Finding("lake", "ok", f"{settings.lake_root} (on Azure; writing there is not tried)")
        return
    try:
        with tempfile.TemporaryFile(dir=_nearest_existing(Path(settings.lake_root))) as probe:
            probe.write(b"slipstream")
    except OSError as error:
        remedy = "Correct its permissions, or set SLIPSTREAM_HOME to a folder of yours."
        yield Finding("lake", "fail", f"{settings.lake_root} cannot be written: {error}", remedy)
    else:
        yield Finding("lake", "ok", f"{settings.lake_root} can be written")


def _check_failures(settings: AppConfig) -> Iterator[Finding]:
    """What steps could not be done for while they went on with all else; nothing without what reads tables."""
    if find_spec("deltalake") is None:
        return
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    uri = table_uri(OPS_STEP_FAILURES, settings)
    try:
        table = DeltaTable(uri, storage_options=storage_options(settings))
        rows = table.to_pyarrow_dataset().to_table().sort_by([("failed_ts", "descending")]).to_pylist()
    except TableNotFoundError:
        return
    except (DeltaError, OSError, ValueError) as error:
        detail = f"{OPS_STEP_FAILURES} at {uri} cannot be read: {one_line(error)}"
        yield Finding("steps", "fail", detail, "See the files below.")
        return
    for row in rows[:_MOST_FAILURES]:
        who = f"session {row['session_id']}" + (f", vehicle {row['vehicle_id']}" if row["vehicle_id"] else "")
        yield Finding("steps", "warn", f"{row['step']} lacks {who}: {row['reason']}", str(row["remedy"]))
    if len(rows) > _MOST_FAILURES:
        more = f"{len(rows) - _MOST_FAILURES} more in {OPS_STEP_FAILURES}"
        yield Finding("steps", "warn", more, "slipstream sql 'select * from ops.step_failures' lists all.")


def _nearest_existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(each for each in (path, *path.parents) if each.exists())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
