"""The only code that imports MLflow: runs, figures, models, the registry, and the alias of the model in use."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature

from conf.errors import SlipstreamError
from conf.plain_text import hide_passwords
from infra.tracking_server import NOT_ANSWERED, ask_server
from ml.model_in_use import PRODUCTION

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ONNX: Final = "onnx/model.onnx"
_SHA256: Final = "slipstream.onnx_sha256"
_SHA256_OF: Final = "slipstream.sha256."
_REGISTERED: Final = "mlflow.modelVersions"
KIND: Final = "slipstream.kind"
_OF_ESTIMATORS: Final = ("cloudpickle", "mlflow", "numpy", "pandas", "scikit-learn")
_URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"


class TrackingError(SlipstreamError):
    """The tracking server does not answer, or a model is not what the registry says."""


@dataclass(frozen=True)
class RegisteredModel:
    """A version of a registered model, with the bytes that answer.

    Attributes:
        onnx: The model in ONNX form, checked against the SHA-256 recorded at training.
    """

    name: str
    version: str
    alias: str | None
    run_id: str
    onnx: bytes


class Tracker:
    """Runs and models on one tracking server.

    Args:
        tracking_uri: The server, or a ``sqlite:///`` store.

    Raises:
        TrackingError: If a server is named that does not answer.
    """

    def __init__(self, tracking_uri: str) -> None:
        if tracking_uri.startswith("http"):
            _require_answer(tracking_uri)
        self.uri = tracking_uri
        _silence_mlflow()
        _set_tracking_uri(tracking_uri)
        self.client = MlflowClient(tracking_uri)

    @contextmanager
    def run(
        self, experiment: str, name: str, tags: Mapping[str, str], *, is_nested: bool = False
    ) -> Iterator[TrackedRun]:
        """A run of an experiment; it is marked failed if the block raises."""
        mlflow.set_experiment(experiment)
        environment = {"python": platform.python_version(), "platform": platform.platform()}
        with mlflow.start_run(run_name=name, tags={**environment, **tags}, nested=is_nested) as active:
            yield TrackedRun(active.info.run_id, active.info.experiment_id, self)

    def page(self, run: TrackedRun) -> str:
        """Address of a run's page."""
        return f"{hide_passwords(self.uri)}/#/experiments/{run.experiment_id}/runs/{run.run_id}"

    def load(self, name: str, alias: str | None = PRODUCTION, version: str | None = None) -> RegisteredModel:
        """A registered model by alias, or by version.

        Raises:
            TrackingError: If there is no such model, or its file is not the one that was trained.
        """
        found = self._find(name, alias, version, "style")
        path = Path(mlflow.artifacts.download_artifacts(run_id=found.run_id, artifact_path=_ONNX))
        data = path.read_bytes()
        expected = self.client.get_run(found.run_id).data.tags.get(_SHA256)
        if hashlib.sha256(data).hexdigest() != expected:
            raise TrackingError(f"model '{name}' version {found.version}: its file is not the one that was trained")
        return RegisteredModel(name, str(found.version), None if version else alias, found.run_id, data)

    def newest_run(self, experiment: str, kind: str) -> str | None:
        """Id of the newest finished run of an experiment that is tagged as of a kind, ``None`` where there is none."""
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            return None
        query = f"tags.`{KIND}` = '{kind}' and attributes.status = 'FINISHED'"
        runs = self.client.search_runs([found.experiment_id], query, max_results=1, order_by=["start_time DESC"])
        return str(runs[0].info.run_id) if runs else None

    def read(self, run_id: str, path: str) -> bytes:
        """An artifact of a run.

        Raises:
            TrackingError: If it is not the one that was logged, or not there.
        """
        try:
            data = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)).read_bytes()
            expected = self.client.get_run(run_id).data.tags.get(f"{_SHA256_OF}{path}")
        except (MlflowException, OSError) as error:
            raise TrackingError(
                f"run {run_id} at {hide_passwords(self.uri)} has no artifact {path}: {error}"
            ) from error
        if hashlib.sha256(data).hexdigest() != expected:
            raise TrackingError(f"{path} of run {run_id} is not the file that was logged")
        return data

    def files(
        self, name: str, alias: str = PRODUCTION, version: str | None = None, trained_by: str = "ghost"
    ) -> RegisteredFiles:
        """A model registered as files, see :meth:`TrackedRun.register`.

        Raises:
            TrackingError: If there is no such model.
        """
        found = self._find(name, alias, version, trained_by)
        return RegisteredFiles(name, str(found.version), found.run_id, self)

    def _find(self, name: str, alias: str | None, version: str | None, trained_by: str) -> Any:
        """A version in the registry, by number or alias."""
        try:
            if version:
                return self.client.get_model_version(name, version)
            return self.client.get_model_version_by_alias(name, alias or PRODUCTION)
        except MlflowException as error:
            what = f"version {version}" if version else f"alias '{alias}'"
            raise TrackingError(
                f"no model '{name}' with {what} at {hide_passwords(self.uri)}: train one with "
                f"`slipstream train {trained_by}`"
            ) from error

    def incumbent(self, name: str) -> RegisteredModel | None:
        """The model in use, ``None`` where there is none yet."""
        return None if self.version_in_use(name) is None else self.load(name)

    def version_in_use(self, name: str) -> str | None:
        """Version that is in use, ``None`` where there is none yet."""
        try:
            return str(self.client.get_model_version_by_alias(name, PRODUCTION).version)
        except MlflowException:
            return None

    def promote(self, name: str, version: str) -> None:
        """Move the alias ``production``."""
        self.client.set_registered_model_alias(name, PRODUCTION, version)


@dataclass(frozen=True)
class RegisteredFiles:
    """A version of a model that is a folder of files of the run that trained it."""

    name: str
    version: str
    run_id: str
    tracker: Tracker

    @property
    def uri(self) -> str:
        """What the registry calls it."""
        return f"models:/{self.name}/{self.version}"

    def read(self, path: str) -> bytes:
        """One of the files, checked against the SHA-256 recorded at training."""
        return self.tracker.read(self.run_id, path)


@dataclass(frozen=True)
class TrackedRun:
    """A run under way."""

    run_id: str
    experiment_id: str
    tracker: Tracker

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        mlflow.log_params({k: v for k, v in values.items() if v is not None})

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics; those that are not defined (NaN) are left out."""
        mlflow.log_metrics({k: float(v) for k, v in values.items() if v == v})  # noqa: PLR0124 - NaN

    def history(self, name: str, points: Sequence[tuple[int, float]]) -> None:
        """Log a metric over steps; values that are not defined (NaN) are left out."""
        now_ms = int(time.time() * 1000)
        known = [Metric(name, float(value), now_ms, step) for step, value in points if value == value]  # noqa: PLR0124 - NaN
        self.tracker.client.log_batch(self.run_id, metrics=known)

    def file(self, data: bytes, path: str) -> None:
        """Log a file, with its SHA-256 as a tag, so that nobody reads another in its place."""
        with TemporaryDirectory() as folder:
            local = Path(folder) / Path(path).name
            local.write_bytes(data)
            mlflow.log_artifact(str(local), str(Path(path).parent) if "/" in path else None)
        mlflow.set_tag(f"{_SHA256_OF}{path}", hashlib.sha256(data).hexdigest())

    def register(self, name: str, folder: str) -> str:
        """Register a folder of this run's files as a model; returns the version."""
        return self._register(name, f"{self.tracker.client.get_run(self.run_id).info.artifact_uri}/{folder}")

    def _register(self, name: str, source: str, model_id: str | None = None) -> str:
        client = self.tracker.client
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return str(client.create_model_version(name, source, self.run_id, model_id=model_id).version)

    def figure(self, figure: Figure, name: str, folder: Path | None = None) -> Path | None:
        """Log a figure, and keep a copy in ``folder``."""
        mlflow.log_figure(figure, f"plots/{name}.png")
        if folder is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        figure.savefig(path)
        return path

    def table(self, content: Any, name: str) -> None:
        """Log a dictionary or list as JSON."""
        mlflow.log_text(json.dumps(content, indent=2, default=str), f"{name}.json")

    def model(self, estimator: Any, onnx: bytes, example: pd.DataFrame, output: Any, name: str) -> str:
        """Log a fitted estimator (pickled, with signature and input example) and its ONNX form, and register it.

        Returns:
            The registered version.
        """
        mlflow.log_dict({"features": list(example.columns)}, "onnx/features.json")
        folder = Path(
            mlflow.artifacts.download_artifacts(run_id=self.run_id, artifact_path="onnx/features.json")
        ).parent
        local = folder / "model.onnx"
        local.write_bytes(onnx)
        mlflow.log_artifact(str(local), "onnx")
        mlflow.set_tag(_SHA256, hashlib.sha256(onnx).hexdigest())
        info = mlflow.sklearn.log_model(
            estimator,
            name="model",
            signature=infer_signature(example, output),
            input_example=example,
            # Named, else MLflow loads the model in a process of its own to see what it needs.
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in _OF_ESTIMATORS],
            # The default format refuses a forest's trees; pickle files are only ever loaded from one's own store.
            serialization_format="cloudpickle",
        )
        # Not by log_model, which would print that it did; the tag links the two on MLflow's pages.
        version = self._register(name, info.model_uri, info.model_id)
        registered = json.dumps([{"name": name, "version": version}])
        self.tracker.client.set_logged_model_tags(info.model_id, {_REGISTERED: registered})
        return version


def _silence_mlflow() -> None:
    """MLflow tells of every download; the jobs say what matters in one line, and its warnings go to our log."""
    logger = logging.getLogger("mlflow")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


def _set_tracking_uri(uri: str) -> None:
    """Set MLflow's default server but not the environment, where it would pass for the user's setting."""
    said = os.environ.get(_URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    if said is None:
        os.environ.pop(_URI_VARIABLE, None)
    else:
        os.environ[_URI_VARIABLE] = said


def _require_answer(uri: str) -> None:
    try:
        with ask_server(uri, "/health") as answer:
            answer.read()
    except HTTPError as error:
        raise TrackingError(
            f"the server at {hide_passwords(uri)} answers with {error.code} {error.reason}: is it MLflow's, and does "
            "it know who asks? Set MLFLOW_TRACKING_URI, and MLFLOW_TRACKING_USERNAME and _PASSWORD or _TOKEN"
        ) from None
    except NOT_ANSWERED as error:
        raise TrackingError(
            f"no MLflow server answers at {hide_passwords(uri)}: start one with `slipstream up`, or set "
            "MLFLOW_TRACKING_URI"
        ) from error
