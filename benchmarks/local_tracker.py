"""A tracker that needs no server, for benchmarks and tests."""

from __future__ import annotations

from pathlib import Path

from ml.tracking import Tracker


def local_tracker(folder: Path, experiment: str) -> Tracker:
    """A store of runs and models in a folder, with an experiment."""
    found = Tracker(f"sqlite:///{folder}/mlflow.db")
    found.client.create_experiment(experiment, artifact_location=(folder / "artifacts").as_uri())
    return found
