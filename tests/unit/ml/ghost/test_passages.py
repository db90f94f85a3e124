"""Passages as rows: there and back, drawn alike by hand and by MLflow's form, and compared lap by lap."""

from __future__ import annotations

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from analysis.segmentation.zones import TYPES
from conf.errors import InputError
from ml.ghost.dataset import GhostDataset, build_ghost_dataset
from ml.ghost.distance import LapDistance
from ml.ghost.evaluation import compare_ghost_models, generate_like, zone_distance
from ml.ghost.model import GhostModel, model_from_files, model_to_files
from ml.ghost.networks import Generator, NetworkShape
from ml.ghost.packaging import ghost_to_log
from ml.ghost.passages import (
    draw_passages,
    passage_times_s,
    passages_from_bytes,
    passages_to_bytes,
    passages_to_windows,
    windows_to_passages,
)
from ml.tracking import Tracker

SHAPE = NetworkShape(hidden=8, latent=2)


@pytest.fixture(scope="module")
def data(made) -> GhostDataset:
    return build_ghost_dataset(made.profiles, made.tracks, made.scaler)


@pytest.fixture(scope="module")
def files(made) -> dict[str, bytes]:
    from io import BytesIO

    weights = {}
    for k, kind in enumerate(TYPES):
        torch.manual_seed(k)
        buffer = BytesIO()
        torch.save(Generator(SHAPE).state_dict(), buffer)
        weights[kind] = buffer.getvalue()
    return model_to_files(weights, SHAPE, made.scaler_file, "run")


@pytest.fixture(scope="module")
def model(files) -> GhostModel:
    return model_from_files(files.__getitem__, "made")


def test_passages_come_back_as_the_windows_they_were(data: GhostDataset, made) -> None:
    passages = windows_to_passages(data.held_out, made.scaler)
    again = passages_to_windows(passages_from_bytes(passages_to_bytes(passages)), made.scaler)
    for name in ("values", "conditions"):
        np.testing.assert_allclose(getattr(again, name), getattr(data.held_out, name), atol=2e-4)
    for name in ("kind", "lap", "place"):
        np.testing.assert_array_equal(getattr(again, name), getattr(data.held_out, name))
    assert passages["length_m"].between(80, 330).all()
    assert passages["driven_time_s"].between(1.0, 15.0).all()


def test_a_time_is_the_length_over_the_speed() -> None:
    speed = np.array([np.full(32, 72.0), np.linspace(36.0, 108.0, 32), np.linspace(-1.0, 90.0, 32)])
    times = passage_times_s(speed, np.array([100.0, 100.0, 100.0]))
    np.testing.assert_allclose(times[:2], [5.0, 100.0 / 20.0 * np.log(3.0)], rtol=1e-3)
    assert np.isnan(times[2])


@pytest.mark.filterwarnings("ignore:.*validate_serving_input:FutureWarning")
def test_mlflow_loads_it_and_it_draws_alike(
    data: GhostDataset, files, model: GhostModel, made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    passages = windows_to_passages(data.held_out, made.scaler)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with tracker.run("ghost", "made", {}) as run:
        version = run.register("ghost", ghost_to_log(files, passages.head(3)), "test.distance")
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/ghost/{version}"))
    kinds = {path.suffix for path in folder.rglob("*") if path.is_file() and path.name != "ghost.py"}
    assert kinds <= {"", ".json", ".pt", ".txt", ".yaml"}
    example = (folder / "serving_input_example.json").read_text()
    assert len(mlflow.models.validate_serving_input(str(folder), example)) == 3
    loaded = mlflow.pyfunc.load_model(str(folder))
    asked = passages[loaded.metadata.signature.inputs.input_names()].head(6)
    answered = loaded.predict(asked, params={"seed": 3})
    pd.testing.assert_frame_equal(answered, draw_passages(model, asked, 3))
    drawn = model.scaler.physical(generate_like(model, data.held_out.take(np.arange(6)), 3).astype(np.float64))
    np.testing.assert_allclose(np.array(answered["speed_kmh"].tolist()), drawn[:, :, 0], atol=0.05)
    np.testing.assert_allclose([speed[0] for speed in answered["speed_kmh"]], asked["entry_speed_kmh"], atol=1e-3)


def test_what_cannot_be_drawn_is_said(data: GhostDataset, model: GhostModel, made) -> None:
    passages = windows_to_passages(data.held_out, made.scaler).head(2)
    with pytest.raises(InputError, match="zone_type Hill: use one of"):
        draw_passages(model, passages.assign(zone_type="Hill"), 0)
    short = passages.assign(limit_kmh=[[100.0] * 32, [100.0] * 5])
    with pytest.raises(InputError, match="row 1: limit_kmh has 5 numbers and needs 32"):
        draw_passages(model, short, 0)


def test_models_are_told_apart_by_the_laps_they_share(data: GhostDataset, model: GhostModel) -> None:
    aside = data.held_out
    far = zone_distance(aside, generate_like(model, aside))
    assert len(far.without) == len(np.unique(aside.lap))
    near = zone_distance(aside, aside.values)
    assert near.value == 0.0
    better, worse, same = (compare_ghost_models(*pair) for pair in ((near, far), (far, near), (far, far)))
    assert better.is_better
    assert better.difference.high < 0
    assert not worse.is_better
    assert worse.reason.startswith("worse")
    assert (same.difference.value, same.is_better) == (0.0, False)
    few = compare_ghost_models(LapDistance(0.1, np.array([0.1, 0.1])), LapDistance(0.9, np.array([0.9, 0.9])))
    assert not few.is_better
    assert "2 laps kept aside are too few" in few.reason
