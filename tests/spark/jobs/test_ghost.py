"""The ghost's jobs on a simulated race: cut, train through Spark's distributor, chain, publish; what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from pyspark.sql import functions as F

from analysis.segmentation.lap_segments import STEPS
from benchmarks.local_tracker import local_tracker
from conf.errors import TrainingDataError
from conf.settings import AppConfig
from conf.tables import GOLD_GHOST_LAPS, GOLD_GHOST_SUMMARY, GOLD_MICROSECTOR_TRACES, GOLD_MICROSECTORS
from jobs.segment_tracks import SegmentationResult, segment_all, segment_sessions
from jobs.synthesize_ghost import GhostSynthesisResult, synthesize_ghost
from jobs.train_ghost import MODEL, load_ghost_model, train_ghost
from medallion.gold import microsectors
from medallion.gold.microsectors import SegmentationError
from medallion.io import Lake
from medallion.silver import telemetry_100hz, tracks
from ml.ghost.networks import NetworkShape
from ml.ghost.passages import passages_from_bytes
from ml.ghost.training import TrainingError, TrainingParams
from ml.tracking import FROZEN, Tracker, TrackingError
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from tests.spark.races import close, ingest, simulated

SESSION = "ghosts-R1"
QUICK = TrainingParams(steps=4, warm_share=0.5, batch=16, evaluate_every=2, shape=NetworkShape(hidden=8, latent=2))


@pytest.fixture(scope="module")
def raced(new_lake, to_bronze) -> Lake:
    """A race of four cars, its laps on the even grid."""
    lake = new_lake("ghosts")
    config = SimulatorConfig(
        session_id=SESSION, track="three-oaks", n_cars=4, n_laps=5, seed=7, rate_hz=10, data_faults=DataFaults.none()
    )
    ingest(lake, to_bronze, simulated(VehicleSimulator(config)), 0)
    close(lake)
    telemetry_100hz.update_100hz(lake, tracks.laps_with_telemetry(lake, [SESSION]), "run")
    return lake


@pytest.fixture(scope="module")
def tracker(raced: Lake) -> Tracker:
    return local_tracker(raced.settings.home, "ghost-gan")


@pytest.fixture(scope="module")
def segmented(raced: Lake, tracker: Tracker) -> SegmentationResult:
    (done,), sessions = segment_all(raced, tracker, None)
    assert sessions == [SESSION]
    return done


@pytest.fixture(scope="module")
def ghost(raced: Lake, tracker: Tracker, segmented: SegmentationResult) -> GhostSynthesisResult:
    return synthesize_ghost(raced, tracker, SESSION, track_id="three-oaks", kind="bootstrap", rounds=1)


def test_every_lap_is_cut_alike_and_its_time_is_the_sum_of_its_pieces(
    raced: Lake, segmented: SegmentationResult, rows
) -> None:
    pieces, traces = rows(raced, GOLD_MICROSECTORS), rows(raced, GOLD_MICROSECTOR_TRACES)
    assert 200 < pieces.height < 500
    assert set(pieces["zone_type"]) == {"Turn", "Straight", "Braking"}
    np.testing.assert_allclose(pieces["start_m"][1:], pieces["end_m"][:-1])
    per_lap = traces.group_by("lap_uid").agg(
        pl.len(), pl.col("t_s").max(), pl.col("duration_s").filter(pl.col("step") == 0).sum().alias("sum_s")
    )
    assert per_lap.height == segmented.eligible >= 8
    assert set(per_lap["len"]) == {pieces.height * STEPS}
    np.testing.assert_allclose(per_lap["sum_s"], per_lap["t_s"])
    timed = rows(raced, "silver.laps").with_columns(
        lap_uid=pl.format("{}/{}/{}", "session_id", "vehicle_id", "lap_number"), timed_s=pl.col("lap_time_ms") / 1000
    )
    both = per_lap.join(timed, "lap_uid")
    assert (both["t_s"] - both["timed_s"]).abs().max() < 0.1


def test_the_registry_says_of_every_lap_what_it_is_good_for(raced: Lake, segmented: SegmentationResult, rows) -> None:
    found = rows(raced, "gold.lap_registry").filter(pl.col("lap_kind") == "human")
    assert found.height == rows(raced, "silver.laps").filter(pl.col("sample_count") > 0).height
    good = found.filter(pl.col("status") == "eligible")
    assert good.height == segmented.eligible
    first = found.filter(pl.col("lap_number") == 1)
    assert all("first lap" in status for status in first["status"])
    assert good["integrated_time_s"].null_count() == 0
    assert found["driver_id"].null_count() == 0


def test_the_normalised_columns_are_what_the_scaler_makes_of_the_others(
    raced: Lake, segmented: SegmentationResult, rows
) -> None:
    found = rows(raced, GOLD_MICROSECTOR_TRACES)
    scaling = segmented.scaling
    expected = (found["throttle_pct"].to_numpy() - scaling.least[1]) / scaling.span[1]
    np.testing.assert_allclose(found["throttle_n"], expected)
    assert set(found["scaler_id"]) == {scaling.scaler_id}


def test_cutting_again_changes_nothing_and_anew_makes_a_version(
    raced: Lake, tracker: Tracker, segmented: SegmentationResult, home: AppConfig, rows
) -> None:
    import shutil

    shutil.copytree(Path(raced.settings.lake_root), Path(home.lake_root))
    lake = Lake(raced.spark, home)
    before = rows(lake, GOLD_MICROSECTOR_TRACES)
    same = segment_sessions(lake, tracker, [SESSION])
    assert not same.is_new
    assert same.scaling == segmented.scaling
    assert rows(lake, GOLD_MICROSECTOR_TRACES).equals(before)
    anew = segment_sessions(lake, tracker, [SESSION], rebuild=True)
    assert anew.is_new
    assert anew.made.version == 2
    assert microsectors.latest_segmentation(lake, "three-oaks").version == 2


def test_what_cannot_be_cut_is_said(raced: Lake, tracker: Tracker) -> None:
    with pytest.raises(SegmentationError, match="nothing says on which track nowhere was driven"):
        segment_sessions(raced, tracker, ["nowhere"])
    with pytest.raises(SegmentationError, match=f"{SESSION} was driven on three-oaks, not on monza"):
        synthesize_ghost(raced, tracker, SESSION, track_id="monza", kind="bootstrap")


def test_without_a_model_the_user_is_told_how_to_train_one(
    raced: Lake, tracker: Tracker, segmented: SegmentationResult
) -> None:
    with pytest.raises(TrackingError, match="no model 'ghost-gan'"):
        load_ghost_model(tracker, version="999")


def test_a_ghost_is_published_with_all_that_vouches_for_it(raced: Lake, ghost: GhostSynthesisResult, rows) -> None:
    (summary,) = rows(raced, GOLD_GHOST_SUMMARY).to_dicts()
    samples = rows(raced, GOLD_GHOST_LAPS)
    assert summary["lap_uid"] == ghost.uid == f"{SESSION}/ghost/1"
    assert summary["feasible"] == ghost.verdict.feasible
    assert ghost.verdict.feasible or summary["feasibility_notes"]
    assert ghost.limit.time_s <= ghost.ghost.time_s
    assert samples["t_s"].diff()[1:].round(6).unique().to_list() == [0.01]
    assert samples["t_s"].max() == pytest.approx(summary["ghost_lap_time_s"], abs=0.011)
    assert samples["lap_distance_m"].is_sorted()
    assert set(samples["microsector_id"]) == set(rows(raced, GOLD_MICROSECTORS)["microsector_id"])
    assert samples["is_synthetic"].all()
    exported = pl.read_parquet(ghost.parquet)
    np.testing.assert_allclose(exported["speed_kmh"], samples["speed_kmh"])
    (registered,) = rows(raced, "gold.lap_registry").filter(pl.col("lap_kind") == "ghost").to_dicts()
    assert registered["status"] == ("published" if ghost.verdict.feasible else "rejected")
    assert registered["lap_time_s"] == summary["ghost_lap_time_s"]


def test_training_runs_through_the_distributor_and_registers_the_whole(
    raced: Lake, tracker: Tracker, segmented: SegmentationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.ghost.scores._STEPS", 3)
    told: list[tuple[str, int]] = []
    done = train_ghost(
        raced,
        tracker,
        [segmented],
        [SESSION],
        QUICK,
        processes=2,
        on_progress=lambda kind, step, _: told.append((kind, step)),
    )
    assert {kind for kind, _ in told} == {"Turn", "Straight", "Braking"}
    assert done.promoted
    model, run_id = load_ghost_model(tracker)
    assert run_id == done.run_id
    assert model.scaler_id == segmented.scaling.scaler_id
    nested = tracker.client.search_runs(
        [tracker.client.get_run(run_id).info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'"
    )
    assert sorted(r.data.tags["zone_type"] for r in nested) == ["Braking", "Straight", "Turn"]
    assert all("distance" in r.data.metrics for r in nested)
    assert all(plot.is_file() for plot in done.plots)
    passages = passages_from_bytes(tracker.read(run_id, FROZEN))
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{done.version}")
    asked = passages[loaded.metadata.signature.inputs.input_names()]
    assert (loaded.predict(asked)["time_s"] / passages["driven_time_s"]).between(0.1, 10).all()
    again = train_ghost(raced, tracker, [segmented], [SESSION], QUICK)
    assert not again.promoted
    assert [e.distance for e in again.zones["Turn"].history] == [e.distance for e in done.zones["Turn"].history]


def test_a_training_that_goes_astray_registers_nothing(
    raced: Lake, tracker: Tracker, segmented: SegmentationResult
) -> None:
    before = _versions(tracker.client)
    with pytest.raises(TrainingError, match=r"not a number any more.*--learning-rate"):
        train_ghost(raced, tracker, [segmented], [SESSION], replace(QUICK, learning_rate=float("inf")))
    assert _versions(tracker.client) == before


def test_too_few_laps_are_refused(
    raced: Lake, tracker: Tracker, segmented: SegmentationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Lake.read

    def few(lake: Lake, name: str, version: int | None = None):
        found = read(lake, name, version)
        return found.where(F.col("lap_number") == 3) if name == GOLD_MICROSECTOR_TRACES else found

    monkeypatch.setattr(Lake, "read", few)
    with pytest.raises(TrainingDataError, match=r"at least 8 are needed.*gold\.lap_registry"):
        train_ghost(raced, tracker, [segmented], [SESSION], QUICK)


def _versions(client: MlflowClient) -> int:
    return len(client.search_model_versions(f"name = '{MODEL}'"))
