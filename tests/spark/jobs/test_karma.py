"""Wear through Spark and MLflow: learned from the lake, registered, scored alike by batch and stream, car by car."""

from __future__ import annotations

import json

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from pyspark.sql import functions as F

from benchmarks.local_tracker import local_tracker
from conf.karma import load_karma_rules
from conf.settings import AppConfig
from conf.tables import GOLD_KARMA_LATEST, GOLD_KARMA_SCORES, GOLD_LAP_FEATURES, SILVER_SESSIONS
from conf.wear import COMPONENTS
from jobs.score_karma import KarmaScorer, distinct_cars, score_karma
from jobs.train_karma import LABELS, KarmaTrainingResult, load_karma_model, train_karma
from medallion.io import Lake
from medallion.part import EVERYTHING
from medallion.provenance import JobRun
from medallion.reading import read_table
from ml.karma import MODEL
from ml.karma.fitting import FitParams
from ml.karma.learners import LearnerParams
from ml.karma.packaging import frozen_from_bytes
from ml.tracking import FROZEN, Tracker, TrackingError
from streaming import karma
from streaming.karma_beside import start_karma_beside
from streaming.query import Trigger
from tests.karma_sessions import CARS, LAPS, TRACKS, feature_rows, label_messages, session_rows, simulated

QUICK = FitParams(LearnerParams(trees=10, members=2, epochs=15, hidden=8), seed=3)
LABEL = ("session_id", "vehicle_id", "lap_number", "component", "damage_per_km", "part_factor", "is_complete")
SESSION_COUNT = sum(len(names) for names in TRACKS.values())


@pytest.fixture(scope="module")
def driven(new_lake, to_bronze) -> Lake:
    """A lake with features and labels of six simulated sessions."""
    lake: Lake = new_lake("karma")
    laps, truth = simulated()
    lake.append(lake.spark.createDataFrame(feature_rows(laps)), GOLD_LAP_FEATURES)
    lake.append(lake.spark.createDataFrame(session_rows(laps)), SILVER_SESSIONS)
    lake.append(to_bronze(label_messages(truth, LABEL)), LABELS)
    return lake


@pytest.fixture(scope="module")
def tracker(driven: Lake) -> Tracker:
    return local_tracker(driven.settings.home, "mechanical-karma")


@pytest.fixture(scope="module")
def trained(driven: Lake, tracker: Tracker) -> KarmaTrainingResult:
    return train_karma(driven, tracker, ("random_forest", "mlp", "lstm"), QUICK)


@pytest.fixture(scope="module")
def scored(driven: Lake, tracker: Tracker, trained: KarmaTrainingResult, new_lake) -> Lake:
    """The lake with its scores, by Spark; whoever writes takes a copy."""
    assert trained.promoted
    lake = new_lake("scored", driven, driver_max_samples=0)
    score_karma(lake, tracker)
    return lake


def tracked(lake: Lake, tracker: Tracker) -> Lake:
    """The same lake, whose settings name the tracker's store."""
    return Lake(lake.spark, lake.settings.model_copy(update={"mlflow_tracking_uri": tracker.uri}))


def test_a_training_is_tracked_registered_and_used(driven, tracker, trained, rows) -> None:
    assert (trained.promoted, trained.verdict) == (True, "the first model")
    assert set(trained.r2) == {"random_forest", "mlp", "lstm"}
    assert trained.r2[trained.algorithm] >= max(trained.r2.values()) - 0.005
    assert trained.laps == {part: len(names) * CARS * LAPS for part, names in TRACKS.items()}
    run = tracker.client.get_run(trained.run_id)
    nested = tracker.client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{trained.run_id}'")
    assert {one.data.tags["algorithm"] for one in nested} == set(trained.r2)
    artifacts = {a.path for a in MlflowClient(tracker.uri).list_artifacts(trained.run_id, "plots")}
    assert {f"plots/karma_{what}_race_car.png" for what in ("predicted", "calibration", "importance")} <= artifacts
    metrics = rows(driven, "gold.model_metrics", "logged_ts")
    version = tracker.client.get_model_version(MODEL, trained.version)
    assert version.description.startswith("**What for.**")
    assert version.tags["slipstream.verdict"] == "the first model"
    assert run.data.metrics["train.r2"] > run.data.metrics["test.r2"] - 0.1
    read = {one.tags[0].value: json.loads(one.dataset.source) for one in run.inputs.dataset_inputs}
    assert set(read) == {"training", "testing", "promotion", "labels"}
    assert all(f"'{track}'" in read["promotion"]["query"] for track in TRACKS["promotion"])
    r2 = metrics.filter(pl.col("metric") == "everything.r2.engine")["value"][0]
    assert r2 == pytest.approx(trained.evaluations["everything"].r2[COMPONENTS.index("engine")])
    assert r2 > 0.8


def test_mlflow_serves_what_the_job_would_write(tracker, trained) -> None:
    laps, damage = frozen_from_bytes(tracker.read(trained.run_id, FROZEN))
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{trained.version}")
    answered = loaded.predict(laps[loaded.metadata.signature.inputs.input_names()])
    model, _, _ = load_karma_model(tracker)
    predicted, _ = model.sets["everything"].predict(laps, model.sequence_laps)
    columns = [f"{component}_damage_per_km" for component in COMPONENTS]
    np.testing.assert_allclose(answered[columns], np.exp(predicted))
    assert set(answered["channel_set"]) == {"everything"}
    with tracker.run("mechanical-karma", "evaluation", {}):
        found = mlflow.models.evaluate(
            f"models:/{MODEL}/{trained.version}",
            laps.assign(true=damage[:, 0]),
            targets="true",
            predictions="engine_damage_per_km",
            extra_metrics=[mlflow.metrics.mse()],
            evaluator_config={"log_model_explainability": False},
        )
    assert found.metrics["mean_squared_error"] == pytest.approx(((answered[columns[0]] - damage[:, 0]) ** 2).mean())


def test_the_model_in_use_gives_way_only_to_a_better_one(driven, tracker, trained) -> None:
    again = train_karma(driven, tracker, ("random_forest",), QUICK)
    assert not again.promoted
    _, version, run_id = load_karma_model(tracker)
    assert (version, run_id) == (trained.version, trained.run_id)
    assert "against version" in again.verdict


def test_every_lap_has_six_rows_that_name_their_model(scored, trained, rows) -> None:
    found = rows(scored, GOLD_KARMA_SCORES, "scored_ts")
    assert found.height == SESSION_COUNT * CARS * LAPS * 6
    assert set(found["model_version"]) == {trained.version}
    assert found["not_scored_reason"].null_count() == found.height
    reference = load_karma_rules().reference("gr86-cup")
    parts = found.filter(pl.col("component") != "overall")
    expected = 100 * 2 ** -(parts["damage_per_km"] / parts["component"].replace_strict(reference))
    np.testing.assert_allclose(parts["karma_score"], expected)
    latest = rows(scored, GOLD_KARMA_LATEST, "scored_ts")
    assert latest.height == latest.select("vehicle_id").n_unique() * 6
    ends = found.group_by("vehicle_id").agg(pl.col("lap_end_ts").max())
    assert latest.join(ends, on=["vehicle_id", "lap_end_ts"]).height == latest.height


def test_scoring_again_writes_nothing(scored, tracker, rows) -> None:
    versions = {name: scored.version(name) for name in (GOLD_KARMA_SCORES, GOLD_KARMA_LATEST)}
    before = rows(scored, GOLD_KARMA_SCORES)
    assert score_karma(scored, tracker).laps == SESSION_COUNT * CARS * LAPS
    after = rows(scored, GOLD_KARMA_SCORES)
    assert after.equals(before), "scored_ts among the columns: no row was written again"
    assert all(scored.version(name) - version <= 1 for name, version in versions.items())


def test_car_by_car_gives_what_the_batch_gives(driven, tracker, scored, new_lake, rows) -> None:
    lake = new_lake("apart", driven)
    scorer = KarmaScorer(lake, tracker)
    for car in distinct_cars(read_table(lake, GOLD_LAP_FEATURES, EVERYTHING))[:4]:
        scorer.score([car], "run")
    some = rows(lake, GOLD_KARMA_SCORES, "scored_ts")
    whole = rows(scored, GOLD_KARMA_SCORES, "scored_ts")
    assert 0 < some.height < whole.height
    assert some.equals(whole.join(some.select("session_id", "vehicle_id").unique(), on=["session_id", "vehicle_id"]))


def test_the_stream_writes_what_the_batch_writes_and_then_only_what_changed(
    driven, tracker, scored, new_lake, rows
) -> None:
    lake = tracked(new_lake("streamed", driven), tracker)
    karma.start_karma(lake, JobRun("karma"), Trigger(once=True)).awaitTermination()
    assert rows(lake, GOLD_KARMA_SCORES, "scored_ts").equals(rows(scored, GOLD_KARMA_SCORES, "scored_ts"))
    assert rows(lake, GOLD_KARMA_LATEST, "scored_ts").equals(rows(scored, GOLD_KARMA_LATEST, "scored_ts"))
    before = rows(lake, GOLD_KARMA_SCORES)
    session, vehicle = before["session_id"][0], before["vehicle_id"][0]
    mine = f"session_id = '{session}' AND vehicle_id = '{vehicle}' AND lap_number = {LAPS}"
    lake.table(GOLD_LAP_FEATURES).update(mine, {"impact_fatigue_g": F.lit(3.0), "impact_max_g": F.lit(3.0)})
    karma.start_karma(lake, JobRun("karma"), Trigger(once=True)).awaitTermination()
    after = rows(lake, GOLD_KARMA_SCORES)
    changed = after.join(before, on=after.columns, how="anti", nulls_equal=True)
    assert set(changed.select("session_id", "vehicle_id", "lap_number").rows()) == {(session, vehicle, LAPS)}
    worse = changed.filter(pl.col("component") == "suspension")["karma_score"][0]
    key = ["session_id", "vehicle_id", "lap_number", "component"]
    was = before.join(changed.select(key), on=key).filter(pl.col("component") == "suspension")["karma_score"][0]
    assert worse < was - 5
    lake.table(GOLD_LAP_FEATURES).delete(f"session_id = '{session}' AND vehicle_id = '{vehicle}'")
    karma.start_karma(lake, JobRun("karma"), Trigger(once=True)).awaitTermination()
    left = rows(lake, GOLD_KARMA_SCORES)
    assert left.height == before.height - LAPS * 6
    assert vehicle not in set(left.filter(pl.col("session_id") == session)["vehicle_id"])


def test_beside_the_layers_laps_wait_for_a_model(driven, trained, tracker, scored, new_lake, home, rows) -> None:
    lake = tracked(new_lake("beside", driven), tracker)
    without = Lake(lake.spark, lake.settings.model_copy(update={"mlflow_tracking_uri": f"sqlite:///{home.home}/no.db"}))
    home.home.mkdir(parents=True)
    once = Trigger(once=True)
    assert not start_karma_beside(without, JobRun("all"), once).follow()
    assert rows(lake, GOLD_KARMA_SCORES).is_empty()
    assert start_karma_beside(lake, JobRun("all"), once).follow()
    found, whole = (rows(each, GOLD_KARMA_SCORES, "scored_ts") for each in (lake, scored))
    assert found.equals(whole)
    assert not start_karma_beside(lake, JobRun("all"), once).follow()


def test_a_lap_that_cannot_be_scored_has_its_reason(driven, tracker, trained, new_lake, rows) -> None:
    lake = new_lake("holes", driven)
    lake.table(GOLD_LAP_FEATURES).update("lap_number = 2", {"coverage": F.lit(0.4)})
    lake.table(GOLD_LAP_FEATURES).update("lap_number = 1", {"brake_temp_mean_c": F.lit(None).cast("double")})
    done = score_karma(lake, tracker, session="three-oaks-40")
    assert done.reasons == {"too little telemetry": CARS}
    assert done.sets == {"everything": CARS, "no_heat": CARS}
    found = rows(lake, GOLD_KARMA_SCORES).filter(pl.col("component") == "brakes")
    thin, cold, warm = (found.filter(pl.col("lap_number") == lap) for lap in (2, 1, 3))
    assert thin["karma_score"].null_count() == CARS
    assert all("telemetry covers 40% of the lap" in reason for reason in thin["not_scored_reason"])
    assert all("brake_temp_mean_c" in missing for missing in cold["missing_inputs"])
    width = [(f["karma_high"] / f["karma_low"]).log().mean() for f in (cold, warm)]
    assert width[0] > width[1]


def test_without_a_model_it_says_how_to_get_one(driven, home: AppConfig) -> None:
    empty = Tracker(f"sqlite:///{home.home}/empty.db")
    with pytest.raises(TrackingError, match=r"no model 'mechanical-karma'.*slipstream train karma"):
        KarmaScorer(driven, empty)
    Tracker(f"sqlite:///{driven.settings.home}/mlflow.db")


def test_a_car_without_references_is_named(driven, tracker, trained) -> None:
    with pytest.raises(ValueError, match="no references for the vehicle 'kart'"):
        KarmaScorer(driven, tracker, "kart")
    assert tracker.client.get_registered_model(MODEL).name == MODEL
