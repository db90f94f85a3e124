"""The command line as a user calls it, with a home of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slipstream.cli import app

Invoke = Callable[..., "object"]


@pytest.fixture
def lake_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``$SLIPSTREAM_HOME`` of the command line; ports that no other test holds."""
    for name, value in {
        "SLIPSTREAM_HOME": str(tmp_path / "home"),
        "KAFKA_PORT": "39092",
        "KAFKA_CONTROLLER_PORT": "39093",
        "MLFLOW_PORT": "35000",
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "MLFLOW_TRACKING_URI", "AZURE_STORAGE_ACCOUNT", "SIM_RATE_HZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def slipstream(lake_home: Path) -> Invoke:
    """Call the command line; returns the result with ``exit_code``, ``stdout``, ``stderr``."""
    runner = CliRunner()
    return lambda *args, **options: runner.invoke(app, list(args), **options)
