"""A lap's answer in one row: what the job writes of it, and the same from MLflow's form of the model."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from conf.wear import COMPONENTS
from ml.karma.dataset import KEY, PROMOTION, TEST, TRAIN
from ml.karma.evaluation import compare_karma_models, evaluate_karma, mean_r2
from ml.karma.packaging import frozen_from_bytes, frozen_to_bytes, karma_card, karma_to_log
from ml.karma.predict import predict_wear
from ml.karma.score_laps import score_laps
from ml.tracking import Tracker
from tests.unit.ml.karma.made_laps import RULES, made_laps

VEHICLE = "gr86-cup"
LAPS, _ = made_laps(["drawn-2"], cars=2, laps=5, seed=4)


def with_holes() -> pd.DataFrame:
    """Laps that lack inputs of the better sets, of every set, and none; in no order."""
    laps = LAPS.copy()
    laps.loc[1, "brake_temp_mean_c"] = np.nan
    laps.loc[2, "rpm_mean"] = np.nan
    laps.loc[3, "speed_mean"] = np.nan
    return laps.sample(frac=1.0, random_state=1)


def test_a_row_says_what_the_job_writes(model) -> None:
    laps = with_holes()
    answered = predict_wear(laps, model, RULES.reference(VEHICLE))
    assert list(answered.index) == list(laps.index)
    rows = pd.DataFrame(score_laps(laps, model, RULES, VEHICLE)).set_index([*KEY, "component"])
    for lap, answer in zip(laps.to_dict("records"), answered.to_dict("records"), strict=True):
        key = tuple(lap[name] for name in KEY)
        for component in COMPONENTS:
            row = rows.loc[(*key, component)]
            np.testing.assert_allclose(answer[f"{component}_damage_per_km"], row["damage_per_km"])
            np.testing.assert_allclose(answer[f"{component}_karma"], row["karma_score"])
            low, high = (answer[f"{component}_damage_per_km_{end}"] * lap["distance_km"] for end in ("low", "high"))
            np.testing.assert_allclose([low, high], row[["lap_damage_low", "lap_damage_high"]].astype(float))
        overall = rows.loc[(*key, "overall")]
        np.testing.assert_allclose(answer["overall_karma"], overall["karma_score"])
        assert answer["channel_set"] == (overall["channel_set"] if pd.notna(overall["channel_set"]) else None)
    assert set(answered["channel_set"].dropna()) == {"everything", "no_heat", "chassis"}
    assert answered.loc[3].isna().all()


@pytest.mark.filterwarnings("ignore:.*validate_serving_input:FutureWarning")
def test_mlflow_loads_it_and_it_answers_alike(model, dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with tracker.run("karma", "forest", {}) as run:
        version = run.register("wear", karma_to_log(model, dataset.part(TEST)[0].head(3)), "test.r2")
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/wear/{version}"))
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file() and path.name != "karma.py"}
    assert kinds <= {"", ".json", ".npz", ".skops", ".txt", ".yaml"}
    example = (folder / "serving_input_example.json").read_text()
    assert len(mlflow.models.validate_serving_input(str(folder), example)) == 3
    loaded = mlflow.pyfunc.load_model(str(folder))
    laps = with_holes()
    asked = laps[loaded.metadata.signature.inputs.input_names()]
    expected = predict_wear(laps, model, RULES.reference(VEHICLE))
    pd.testing.assert_frame_equal(loaded.predict(asked), expected)
    without = asked.drop(columns=["brake_temp_mean_c"])
    assert set(loaded.predict(without)["channel_set"].dropna()) == {"no_heat", "chassis"}


def test_frozen_laps_come_back_as_they_were(dataset, model) -> None:
    laps, damage = frozen_from_bytes(frozen_to_bytes(dataset))
    own = dataset.part(PROMOTION)
    np.testing.assert_array_equal(damage, own[1])
    assert compare_karma_models(model, model, laps, damage) == compare_karma_models(model, model, *own)


def test_intervals_hold_the_figures_and_the_card_shows_both(dataset, model) -> None:
    learned, aside = (
        {name: evaluate_karma(fitted, dataset, RULES, model.sequence_laps, part) for name, fitted in model.sets.items()}
        for part in (TRAIN, TEST)
    )
    for found in (*learned.values(), *aside.values()):
        for c in range(len(COMPONENTS)):
            r2 = found.estimate(c)
            assert r2.low < r2.value < r2.high
    overall = mean_r2(aside.values())
    assert overall.low < overall.value < overall.high
    assert mean_r2(learned.values()).value > overall.value
    metrics = aside["everything"].metrics("everything")
    assert metrics["everything.r2.engine_low"] == aside["everything"].estimate(0).low
    card = karma_card(model, dataset, learned, aside).to_markdown("better")
    assert f"| {mean_r2(learned.values()).text('.3f')} | {overall.text('.3f')} |" in card
    assert card.endswith("better")
