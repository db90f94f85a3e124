"""Shared fixtures: where the real data are, and a home of its own for every test that needs one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conf.settings import AppConfig

REPO = Path(__file__).resolve().parents[1]


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
