"""What the tracker does to the process around it."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from conf.settings import AppConfig
from ml.model_to_log import Column, TrackedDataset
from ml.style.model import FittedStyle, ForestParams, train_forest
from ml.style.packaging import style_to_log
from ml.tracking import Tracker, TrackingError, list_versions


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


@pytest.fixture(scope="module")
def forest() -> FittedStyle:
    frame = pd.DataFrame({"speed": np.linspace(0, 1, 40), "brake": np.linspace(1, 0, 40)})
    return train_forest(frame, ["NORMAL"] * 20 + ["AGGRESSIVE"] * 20, ForestParams(n_estimators=3, n_jobs=1))


def windows(n: int) -> pd.DataFrame:
    return pd.DataFrame({"speed": np.linspace(0, 1, n), "brake": np.linspace(1, 0, n), "other": 0.0})


def test_a_model_is_registered_without_a_word_on_the_terminal(
    forest: FittedStyle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)  # a store in a file keeps what is logged beside it
    (tmp_path / "uv.lock").write_text("of whatever project one stands in")
    (tmp_path / "pyproject.toml").write_text("[project]")
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    tracker.client.search_experiments()  # makes the store, which its migrations tell of
    logging.getLogger("alembic").setLevel(logging.ERROR)
    capfd.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with tracker.run("style", "forest", {"unknown": None}) as run:
            versions = [run.register("style", style_to_log(forest, windows(3), 0.5), "test.f1") for _ in range(2)]
            run.conclude("style", "2", "what it is", "better: all of it")
    assert versions == ["1", "2"]
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    registered = tracker.client.get_model_version("style", "2")
    logged = tracker.client.get_logged_model(registered.source.rpartition("/")[2])
    assert registered.run_id == run.run_id
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "style", "version": "2"}]
    assert registered.description == "what it is"
    said = {"kind": "style", "headline": "test.f1", "verdict": "better: all of it"}
    assert registered.tags == {f"slipstream.{name}": value for name, value in said.items()}
    assert tracker.client.get_experiment(run.experiment_id).tags["mlflow.experimentKind"] == "custom_model_development"
    kept = {path.name for path in Path(mlflow.artifacts.download_artifacts("models:/style/2")).rglob("*")}
    assert {"style.py", "model.onnx"} <= kept
    assert not {name for name in kept if name.endswith((".pkl", ".lock"))}, "nothing that runs, and no lock of others"


def test_a_registered_model_answers_as_the_one_that_was_trained(
    forest: FittedStyle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with tracker.run("style", "forest", {}) as run:
        version = run.register("style", style_to_log(forest, windows(3), 0.5), "test.f1", "onnx")
    loaded = mlflow.pyfunc.load_model(f"models:/style/{version}")
    some = windows(9)
    answered = loaded.predict(some, params={"threshold": 0.9})
    np.testing.assert_allclose(answered["probability_aggressive"], forest.predict_proba(some), atol=1e-6)
    assert list(answered["label"]) == ["AGGRESSIVE" if p > 0.9 else "NORMAL" for p in forest.predict_proba(some)]
    assert [column.name for column in loaded.metadata.signature.inputs] == ["speed", "brake"]
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"missing inputs.*speed"):
        loaded.predict(some.drop(columns="speed"))
    tracker.promote("style", version)
    assert tracker.load("style").onnx == forest.to_onnx()


def test_a_run_names_the_rows_that_it_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    columns = (Column("speed_kmh"), Column("label", "string"))
    read = [
        TrackedDataset(
            "gold.style_dataset", 3, "/lake/gold/style_dataset", f"split = '{part}'", "d1", part, 40, columns
        )
        for part in ("training", "testing")
    ]
    with tracker.run("style", "forest", {}) as run:
        run.datasets(read)
        run.metrics({"f1": 0.5, "unknown": np.nan}, read[1])
    inputs = tracker.client.get_run(run.run_id).inputs.dataset_inputs
    assert {one.tags[0].value for one in inputs} == {"training", "testing"}
    source = mlflow.data.get_source(next(one.dataset for one in inputs if one.tags[0].value == "testing"))
    assert (source.path, source.delta_table_version) == ("/lake/gold/style_dataset", 3)
    queries = {json.loads(one.dataset.source)["query"] for one in inputs}
    assert "select * from gold.style_dataset where split = 'testing'" in queries
    assert tracker.client.get_run(run.run_id).data.metrics == {"f1": 0.5}


def test_models_of_earlier_trainings_are_still_read(
    forest: FittedStyle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forest's ONNX form under a tag of its own, and a folder of files, as they were registered before."""
    monkeypatch.chdir(tmp_path)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "model.onnx").write_bytes(forest.to_onnx())
    with tracker.run("earlier", "style", {}) as run:
        mlflow.log_artifact(str(tmp_path / "model.onnx"), "onnx")
        mlflow.set_tag("slipstream.onnx_sha256", hashlib.sha256(forest.to_onnx()).hexdigest())
        run.file(b"{}", "model/karma.json")
        root = tracker.client.get_run(run.run_id).info.artifact_uri
        for name, source in (("style", f"{root}/onnx"), ("wear", f"{root}/model")):
            tracker.client.create_registered_model(name)
            tracker.client.create_model_version(name, source, run.run_id)
            tracker.promote(name, "1")
    assert tracker.load("style").onnx == forest.to_onnx()
    assert tracker.files("wear").read("model/karma.json") == b"{}"
    (found,) = list_versions(tracker, "wear")
    assert (found.is_in_use, found.kind, found.has_frozen, found.datasets) == (True, None, False, ())
    (tmp_path / "model.onnx").write_bytes(b"another")
    tracker.client.log_artifact(run.run_id, str(tmp_path / "model.onnx"), "onnx")
    with pytest.raises(TrackingError, match="its file is not the one that was trained"):
        tracker.load("style")
