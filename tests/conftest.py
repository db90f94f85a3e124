"""Shared fixtures: where the real data are, and a home of its own for every test that needs one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from conf.settings import AppConfig, get_settings

# Of several test processes each has its share of the cores; numpy and torch read this when they are first imported.
PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if PROCESSES > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // PROCESSES)))

# No test is timed: how long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REPO = Path(__file__).resolve().parents[1]

# What a user has set for his own lake is not for tests: each has a home of its own. Where jars and data are he may say.
for _name in AppConfig.model_fields:
    if _name not in ("slipstream_jars", "slipstream_data"):
        os.environ.pop(_name.upper(), None)


@pytest.fixture(autouse=True)
def settings_of_its_own() -> Iterator[None]:
    """No test sees settings that another has read."""
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with the real GR Cup and driving-style files; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SLIPSTREAM_DATA", REPO.parent / "shared" / "data"))
    if not (folder / "grcup").is_dir():
        pytest.skip(f"real data not found in {folder}; set SLIPSTREAM_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def jars_dir() -> Path:
    """Folder of the resolved jars, shared by all test homes."""
    return Path(os.environ.get("SLIPSTREAM_JARS", REPO / ".slipstream" / "jars"))


@pytest.fixture
def home(tmp_path: Path, jars_dir: Path) -> AppConfig:
    """Settings of a fresh home."""
    return AppConfig(slipstream_home=tmp_path / "home", slipstream_jars=jars_dir, _env_file=None)
