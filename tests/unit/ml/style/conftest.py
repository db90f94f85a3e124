"""Simulated sessions with labelled drivers, their windows, and a model trained on them, made once for all tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from analysis.signals.windows import CHANNELS, window_ends, window_features
from ml.style.dataset import build_style_dataset
from ml.style.model import ForestParams, OnnxStyleModel, train_forest
from ml.style.split import SplitConfig
from producers.simulator.config import SimulatorConfig
from producers.simulator.simulator import VehicleSimulator


def channels_of(samples: pl.DataFrame):
    """``(t_s, channels)`` of one simulated car."""
    t_s = samples["t_us"].to_numpy() / 1e6
    return t_s, {name: samples[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in CHANNELS}


@pytest.fixture(scope="session")
def simulated():
    """Samples of three sessions on different tracks, by (session, vehicle)."""
    runs = {}
    for seed, track in enumerate(["three-oaks", "alder-ridge", "harbour-mile"]):
        config = SimulatorConfig(
            session_id=f"s{seed}",
            track=track,
            n_cars=12,
            duration_s=100,
            rate_hz=20,
            seed=seed,
            profiles={"aggressive": 2, "normal": 1, "safe": 1, "eco": 1},
        )
        for (vehicle,), samples in VehicleSimulator(config).to_polars().group_by(["vehicle_id"], maintain_order=True):
            runs[config.session_id, vehicle] = samples
    return runs


@pytest.fixture(scope="session")
def windows(simulated):
    """Their windows, as ``gold.telemetry_windows`` has them."""
    parts = []
    for (session, vehicle), samples in simulated.items():
        t_s, channels = channels_of(samples)
        ends = window_ends(t_s)
        part = pd.DataFrame(window_features(t_s, channels, ends))
        key = {"session_id": session, "vehicle_id": vehicle, "window_end_ts": pd.to_datetime(ends, unit="s", utc=True)}
        parts.append(part.assign(**key, driver_profile=samples["driver_profile"][0]))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def dataset(windows):
    return build_style_dataset(windows, config=SplitConfig(test_share=0.4, promotion_share=0.0))


@pytest.fixture(scope="session")
def fitted(dataset):
    """The forest with the settings that are promised: 300 trees, depth 12, balanced."""
    x, y, _ = dataset.part("train")
    return train_forest(x, y, ForestParams(n_jobs=2))


@pytest.fixture(scope="session")
def onnx_model(fitted):
    return OnnxStyleModel(fitted.to_onnx())
