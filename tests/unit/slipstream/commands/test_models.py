"""``slipstream models``: two versions of a model, one better than the other on vehicles that neither learned from."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.local_tracker import local_tracker
from ml.model_to_log import TrackedDataset
from ml.style.evaluation import evaluate_style
from ml.style.model import ForestParams, train_forest
from ml.style.packaging import style_to_log
from ml.tracking import FROZEN, Tracker

MODEL = "driving-style"
READ = TrackedDataset("gold.style_dataset", 7, "/lake/gold/style_dataset", "split = 'train'", "d", "training", 40)


def windows(seed: int, noise: float) -> pd.DataFrame:
    """Windows of twelve vehicles, every other one driven hard; a feature that tells, and one that does not."""
    rng = np.random.default_rng(seed)
    hard = np.repeat(np.arange(12) % 2, 30)
    return pd.DataFrame(
        {
            "told": hard + noise * rng.normal(size=hard.size),
            "idle": rng.normal(size=hard.size),
            "label": np.where(hard, "AGGRESSIVE", "NORMAL"),
            "split_group": np.repeat([f"s|v{k}" for k in range(12)], 30),
        }
    )


def register(tracker: Tracker, features: list[str]) -> str:
    """Train on some windows, and keep others to compare on."""
    learned, frozen = windows(1, 0.3), windows(2, 0.3)
    fitted = train_forest(learned[features], learned["label"], ForestParams(n_estimators=5, n_jobs=1))
    buffer = BytesIO()
    frozen.to_parquet(buffer)
    with tracker.run(MODEL, "forest", {}) as run:
        run.datasets([READ])
        run.params({"threshold": 0.5})
        run.file(buffer.getvalue(), FROZEN)
        version = run.register(MODEL, style_to_log(fitted, frozen.head(3), 0.5), "test.balanced_accuracy", "onnx")
        scores = evaluate_style(frozen["label"], fitted.predict_proba(frozen), frozen["split_group"], majority="NORMAL")
        run.metrics({f"test.{name}": value for name, value in scores.metrics().items()})
        run.conclude(MODEL, version, f"**What for.** Looks at {', '.join(features)}.", "first model")
    return version


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """A store of runs and models, empty at first: to make one takes seconds."""
    return local_tracker(tmp_path_factory.mktemp("store"), MODEL)


@pytest.fixture(scope="module")
def registered(store: Tracker) -> Tracker:
    """A poor version and a good one."""
    assert [register(store, ["idle"]), register(store, ["idle", "told"])] == ["1", "2"]
    return store


@pytest.fixture
def tracker(lake_home: Path, registered: Tracker, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """The poor version in use."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registered.uri)
    registered.promote(MODEL, "1")
    return registered


def test_without_models_it_says_how_to_get_one(slipstream, store: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    done = slipstream("models", "list")
    assert done.exit_code == 0
    assert done.stdout.startswith("no models yet: `slipstream train style` registers one")


def test_versions_are_listed_shown_compared_and_promoted(slipstream, tracker: Tracker) -> None:
    listed = json.loads(slipstream("models", "list", "--format", "json").stdout)
    assert [(one["version"], one["is_in_use"]) for one in listed] == [("2", False), ("1", True)]
    good = listed[0]["metrics"]["test.balanced_accuracy"]
    table = slipstream("models", "list").stdout
    assert f"test.balanced_accuracy {good:.3f}" in table
    assert table.splitlines()[-1] == "1 model, 2 versions"

    shown = slipstream("models", "show", MODEL, "--version", "2").stdout
    assert "Looks at idle, told." in shown
    assert "select * from gold.style_dataset where split = 'train'" in shown
    assert "not in use (first model)" in shown

    compared = json.loads(slipstream("models", "compare", MODEL, "2", "--format", "json").stdout)
    assert (compared["is_better"], compared["against"], compared["groups"]) == (True, "1", 12)
    assert 0 < compared["difference_low"] < compared["difference"] < compared["difference_high"]
    words = slipstream("models", "compare", MODEL, "1", "2").stdout
    assert "driving-style version 1 against driving-style version 2: worse: balanced accuracy -" in words

    dry = slipstream("models", "promote", MODEL, "2", "--dry-run").stdout
    assert dry.startswith("would put driving-style version 2 into use, against version 1: better")
    assert tracker.version_in_use(MODEL) == "1"
    done = slipstream("models", "promote", MODEL, "2")
    assert done.exit_code == 0
    assert tracker.version_in_use(MODEL) == "2"
    assert "in use already" in slipstream("models", "promote", MODEL, "production").stdout

    refused = slipstream("models", "promote", MODEL, "1")
    assert refused.exit_code == 1
    assert "stays out of use, against version 2: worse" in refused.stdout
    assert tracker.version_in_use(MODEL) == "2"
    assert slipstream("models", "promote", MODEL, "1", "--force").exit_code == 0
    assert tracker.version_in_use(MODEL) == "1"
    assert "promoted by hand, by --force, against version 2: worse" in slipstream("models", "show", MODEL).stdout


def test_what_is_not_there_is_said_with_what_is(slipstream, tracker: Tracker) -> None:
    for arguments, said in (
        (("show", "none"), "no model 'none'"),
        (("show", MODEL, "--version", "9"), f"no version of '{MODEL}' has the number 9; there are: 2, 1"),
        (("compare", MODEL, "2", "9"), "there are: 2, 1"),
    ):
        done = slipstream("models", *arguments)
        assert done.exit_code == 1
        assert said in done.stderr


def test_versions_without_rows_to_compare_on_are_named(slipstream, tracker: Tracker) -> None:
    for version in ("1", "2"):
        run_id = tracker.client.get_model_version(MODEL, version).run_id
        tracker.client.delete_tag(run_id, f"slipstream.sha256.{FROZEN}")
    done = slipstream("models", "compare", MODEL, "2")
    assert done.exit_code == 1
    assert "2 and 1 are of an earlier Slipstream; train a new version" in done.stderr
    refused = slipstream("models", "promote", MODEL, "2")
    assert refused.exit_code == 1
    assert "not compared with version 1" in refused.stdout
