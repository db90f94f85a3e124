"""What the tracker does to the process around it."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from conf.settings import AppConfig
from ml.tracking import Tracker


@pytest.mark.parametrize("said", [None, "http://tracking.example:5000"])
def test_a_tracker_leaves_the_settings_of_the_process_as_they_are(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is None:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", said)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    Tracker(uri)
    assert mlflow.get_tracking_uri() == uri
    assert AppConfig(_env_file=None).mlflow_tracking_uri == said
