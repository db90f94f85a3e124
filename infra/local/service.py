"""Records of started services: ``<home>/run/<name>.json``, with process ids and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.settings import AppConfig
from infra.local import process
from infra.local.files import make_private_folder, read_json, write_json
from infra.local.process import Process


@dataclass(frozen=True)
class Service:
    """A background service of this home.

    Attributes:
        name: Such as ``kafka``; one of a name at a time.
        address: Where clients reach it, such as ``127.0.0.1:9092`` or ``http://127.0.0.1:5000``.
        ports: Every port it listens on, by purpose.
        process: Its process, or the one that leads it where it starts more.
        since: When it was started, ISO 8601 in UTC.
        log: Its log file.
    """

    name: str
    address: str
    ports: Mapping[str, int]
    process: Process
    log: Path
    since: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def is_up(self) -> bool:
        """Whether its process runs and holds all of its ports."""
        return process.is_alive(self.process) and all(
            process.holds_port(self.process, port) for port in self.ports.values()
        )

    @property
    def is_up_in_part(self) -> bool:
        """Whether anything of it still runs, such as workers whose leader was killed."""
        return bool(process.session_pids(self.process))


class _Record(FrozenModel):
    """What the file of a service holds."""

    name: str
    address: str
    ports: dict[str, int]
    pid: int = Field(gt=1)
    started: str
    log: Path
    since: str


def record_path(settings: AppConfig, name: str) -> Path:
    """The file that remembers a service."""
    return settings.home / "run" / f"{name}.json"


def log_path(settings: AppConfig, name: str) -> Path:
    """The log file of a service."""
    return settings.logs_dir / f"{name}.log"


def save_service(settings: AppConfig, service: Service) -> None:
    """Remember a started service."""
    content: dict[str, Any] = {
        "name": service.name,
        "pid": service.process.pid,
        "started": service.process.started,
        "address": service.address,
        "ports": dict(service.ports),
        "log": str(service.log),
        "since": service.since,
    }
    make_private_folder(record_path(settings, service.name).parent)
    write_json(record_path(settings, service.name), content)


def load_service(settings: AppConfig, name: str) -> Service | None:
    """The remembered service, whether it still runs or not; ``None`` if none was started or it was stopped.

    Raises:
        InputError: If the record was written by something else; the message names the file and the remedy.
    """
    path = record_path(settings, name)
    content = read_json(path)
    if content is None:
        return None
    try:
        record = _Record.model_validate(content)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(each["loc"][0]) for each in error.errors(include_url=False)}))
        raise InputError(
            f"{path}: {wrong} cannot be read; stop {name} by hand if it runs, and delete the file"
        ) from None
    process_of = Process(record.pid, record.started)
    return Service(record.name, record.address, record.ports, process_of, record.log, record.since)


def stop_service(settings: AppConfig, name: str, timeout_s: float = 20.0) -> bool:
    """Stop a service and forget it; returns whether anything of it was running."""
    service = load_service(settings, name)
    if service is None:
        return False
    was_running = service.is_up_in_part
    process.stop_process(service.process, timeout_s)
    record_path(settings, name).unlink(missing_ok=True)
    return was_running
