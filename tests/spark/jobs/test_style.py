"""Driving style through MLflow: learned from gold windows, registered, scored alike on the driver and by Spark."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from benchmarks.local_tracker import local_tracker
from conf.tables import GOLD_MODEL_METRICS, GOLD_STYLE_DATASET, GOLD_STYLE_PREDICTIONS, GOLD_TELEMETRY_WINDOWS
from jobs.score_style import score_style
from jobs.train_style import MODEL, StyleTrainingResult, train_style
from medallion.io import Lake
from medallion.provenance import git_sha
from ml.style.features import STYLE_FEATURES
from ml.style.model import ForestParams, OnnxStyleModel
from ml.tracking import FROZEN, GIT_COMMIT, Tracker, TrackingError

VEHICLES, WINDOWS = 30, 12
TAG = "slipstream.sha256.onnx/model.onnx"
T0 = datetime(2025, 9, 6, 12, tzinfo=UTC)


def windows() -> list[dict[str, object]]:
    """Windows of cars, every other one driven hard; of each car one is not whole, and one lacks a feature."""
    rng, rows = np.random.default_rng(3), []
    for car in range(VEHICLES):
        hard = car % 2
        for k in range(WINDOWS):
            end = T0 + timedelta(seconds=k)
            drawn = rng.normal(size=len(STYLE_FEATURES)) + 2.0 * hard
            values: dict[str, float | None] = dict(zip(STYLE_FEATURES, drawn.tolist(), strict=True))
            values["gear_changes_10s"] = float(round(values["gear_changes_10s"]))
            if k == 1:
                values[STYLE_FEATURES[3]] = None
            own = {"session_id": "s", "vehicle_id": f"v{car}", "window_end_ts": end, "n_samples": 10 * k}
            label = {"style_label": "AGGRESSIVE" if hard else "NORMAL", "is_complete": k > 0, "is_synthetic": True}
            rows.append(own | {"window_start_ts": end - timedelta(seconds=10)} | label | values)
    return rows


@pytest.fixture(scope="module")
def driven(new_lake) -> Lake:
    lake: Lake = new_lake("style")
    lake.append_rows(GOLD_TELEMETRY_WINDOWS, windows())
    return lake


@pytest.fixture(scope="module")
def tracker(driven: Lake) -> Tracker:
    return local_tracker(driven.settings.home, "driving-style")


@pytest.fixture(scope="module")
def trained(driven: Lake, tracker: Tracker) -> StyleTrainingResult:
    return train_style(driven, tracker, params=ForestParams(n_estimators=20))


def test_a_training_writes_its_data_set_and_its_metrics(driven, trained, rows) -> None:
    assert (trained.promoted, trained.verdict) == (True, "first model")
    dataset = rows(driven, GOLD_STYLE_DATASET)
    assert dataset.height == VEHICLES * (WINDOWS - 2)
    sent = {(w["vehicle_id"], w["window_end_ts"]): w for w in windows()}
    for row in dataset.sample(50, seed=1).to_dicts():
        window = sent[row["vehicle_id"], row["window_end_ts"]]
        assert row["features"] == {name: window[name] for name in STYLE_FEATURES}
        assert row["label"] == window["style_label"]
    metrics = dict(rows(driven, GOLD_MODEL_METRICS).select("metric", "value").iter_rows())
    assert metrics["test.balanced_accuracy"] == pytest.approx(trained.evaluation.balanced_accuracy.value)


def test_what_is_registered_says_all_of_itself(driven, tracker, trained) -> None:
    version = tracker.client.get_model_version(MODEL, trained.version)
    assert version.tags["slipstream.verdict"] == "first model"
    balanced = trained.evaluation.balanced_accuracy
    assert f"| {trained.learned.balanced_accuracy.text('.3f')} | {balanced.value:.3f}" in version.description
    assert "first model" in version.description
    run = tracker.client.get_run(trained.run_id)
    assert run.data.tags.get(GIT_COMMIT) == git_sha()
    assert run.data.metrics["train.balanced_accuracy_low"] == pytest.approx(trained.learned.balanced_accuracy.low)
    assert run.data.metrics["train.balanced_accuracy"] == pytest.approx(trained.learned.balanced_accuracy.value)
    read = {one.tags[0].value: json.loads(one.dataset.source) for one in run.inputs.dataset_inputs}
    assert read["promotion"]["query"] == f"select * from {GOLD_STYLE_DATASET} where split = 'promotion'"
    assert {one["delta_table_version"] for one in read.values()} == {driven.version(GOLD_STYLE_DATASET)}
    logged = tracker.client.get_logged_model(version.source.rpartition("/")[2])
    of_test = {m.key for m in logged.metrics if m.dataset_name == GOLD_STYLE_DATASET}
    assert {"test.balanced_accuracy", "train.balanced_accuracy"} <= of_test


def test_mlflow_evaluates_it_on_the_frozen_windows(tracker, trained) -> None:
    uri = f"models:/{MODEL}/{trained.version}"
    frozen = pd.read_parquet(BytesIO(tracker.read(trained.run_id, FROZEN)))
    with tracker.run("driving-style", "evaluation", {}):
        found = mlflow.models.evaluate(
            uri,
            frozen[list(STYLE_FEATURES)].assign(is_aggressive=(frozen["label"] == "AGGRESSIVE").astype(float)),
            targets="is_aggressive",
            predictions="probability_aggressive",
            extra_metrics=[mlflow.metrics.mse()],  # of a probability: the Brier score
            evaluator_config={"log_model_explainability": False},
        )
    p = OnnxStyleModel(tracker.load(MODEL).onnx).predict_batch(frozen)
    expected = float(((p - (frozen["label"] == "AGGRESSIVE")) ** 2).mean())
    assert found.metrics["mean_squared_error"] == pytest.approx(expected)


def test_the_driver_and_spark_score_alike(driven, tracker, trained, new_lake, rows) -> None:
    by_driver, by_spark = new_lake("driver", driven), new_lake("spark", driven, driver_max_samples=0)
    said = [score_style(lake, tracker, MODEL, 0.5) for lake in (by_driver, by_spark)]
    assert said[0].sentence == said[1].sentence
    assert (said[0].scored, said[0].incomplete, said[0].unavailable) == (VEHICLES * (WINDOWS - 2), VEHICLES, VEHICLES)
    found = [rows(lake, GOLD_STYLE_PREDICTIONS, "predicted_ts") for lake in (by_driver, by_spark)]
    assert_frame_equal(*found)
    one = found[0].row(0, named=True)
    shown = max(one["probability_aggressive"], 1.0 - one["probability_aggressive"])
    assert one["display_text"].startswith(f"{100.0 * shown:.0f}% ")
    assert set(found[0].filter(pl.col("probability_aggressive") > 0.5)["label"]) == {"AGGRESSIVE"}


def test_a_model_in_use_that_is_not_what_was_trained_gives_way_to_the_next(driven, tracker, trained, new_lake) -> None:
    lake, version = new_lake("instead", driven), tracker.version_in_use(MODEL)
    run = tracker.client.get_model_version(MODEL, version).run_id
    kept = tracker.client.get_run(run).data.tags[TAG]
    tracker.client.set_tag(run, TAG, "another")
    try:
        with pytest.raises(TrackingError, match="is not the one that was trained"):
            score_style(lake, tracker, MODEL, 0.5)
        again = train_style(lake, tracker, params=ForestParams(n_estimators=20))
    finally:
        tracker.client.set_tag(run, TAG, kept)
        tracker.promote(MODEL, version)
    assert again.promoted
    assert again.verdict.startswith("the one in use is of another version")


def test_scoring_again_writes_nothing(driven, tracker, trained, new_lake) -> None:
    lake = new_lake("again", driven)
    score_style(lake, tracker, MODEL, 0.5)
    before = lake.version(GOLD_STYLE_PREDICTIONS)
    score_style(lake, tracker, MODEL, 0.5)
    assert lake.version(GOLD_STYLE_PREDICTIONS) == before
