"""An MLflow tracking server with model registry on SQLite, on loopback."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from conf.errors import InputError, SlipstreamError
from conf.plain_text import hide_passwords
from conf.settings import AppConfig
from infra.local import ports, process, service
from infra.local.files import make_private_folder
from infra.local.service import Service
from infra.tracking_server import NOT_ANSWERED, ask_server

NAME = "mlflow"
READY_TIMEOUT_S = 120.0
"""The first start also creates the database's tables."""

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Its job runner serves features for language models and costs several processes; nothing here needs it.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


class MlflowMissingError(SlipstreamError):
    """MLflow is not installed; the message names the remedy."""


def launch_mlflow(settings: AppConfig, port: int) -> Service:
    """Start the server's process on the database and artifacts under ``<home>/mlflow``; `wait_ready` waits for it.

    Args:
        settings: For the home.
        port: A free one.

    Raises:
        MlflowMissingError: If the ``ml`` extra is not installed.
    """
    if find_spec("mlflow") is None:
        raise MlflowMissingError("MLflow is not installed. Install the 'ml' extra: pip install 'slipstream-lake[ml]'.")
    folder, log = settings.home / "mlflow", service.log_path(settings, NAME)
    artifacts = make_private_folder(folder) / "artifacts"
    artifacts.mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", ports.HOST, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--serve-artifacts", "--artifacts-destination", artifacts.as_uri()),
    ]
    started = process.spawn_process(command, log, cwd=folder, env=ENVIRONMENT, umask=0o077)
    server = Service(NAME, f"http://{ports.HOST}:{port}", {"http": port}, started, log)
    service.save_service(settings, server)
    return server


def wait_for_mlflow(_: AppConfig, server: Service) -> None:
    """Wait until the server holds its port and says that it is well.

    Raises:
        infra.local.process.ProcessError: If it does not come up; the message says why, and where its log is.
    """
    process.wait_until_ready(
        "MLflow",
        server.process,
        lambda: server.is_up and is_healthy(server.address),
        server.log,
        READY_TIMEOUT_S,
    )


def is_healthy(address: str, timeout_s: float = 5.0) -> bool:
    """Whether a tracking server at ``http(s)://…`` says that it is well.

    Raises:
        InputError: If the address is of another kind, such as a database or a folder.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(
            f"{hide_passwords(address)} is not the address of a tracking server: it must begin with http:// or https://"
        )
    try:
        with ask_server(address, "/health", timeout_s) as response:
            return bool(response.status == 200)
    except NOT_ANSWERED:
        return False
