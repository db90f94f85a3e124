"""What the tracker does to the process around it."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from conf.settings import AppConfig
from ml.style.model import ForestParams, train_forest
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


def test_a_model_is_registered_without_a_word_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)  # a store in a file keeps what is logged beside it
    frame = pd.DataFrame({"speed": np.linspace(0, 1, 40), "brake": np.linspace(1, 0, 40)})
    fitted = train_forest(frame, ["NORMAL"] * 20 + ["AGGRESSIVE"] * 20, ForestParams(n_estimators=3, n_jobs=1))
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    tracker.client.search_experiments()  # makes the store, which its migrations tell of
    logging.getLogger("alembic").setLevel(logging.ERROR)
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "X .* feature names")
        with tracker.run("style", "forest", {}) as run:
            example = frame.head(3)
            versions = [
                run.model(fitted.estimator, fitted.to_onnx(), example, fitted.estimator.predict(example), "style")
                for _ in range(2)
            ]
    assert versions == ["1", "2"]
    assert capfd.readouterr() == ("", "")
    assert "'skops' format" in caplog.text  # what MLflow warns of is for whoever keeps a log
    registered = tracker.client.get_model_version("style", "2")
    logged = tracker.client.get_logged_model(registered.source.rpartition("/")[2])
    assert registered.run_id == run.run_id
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "style", "version": "2"}]
