"""A tracking server: its runs, the files that the product's jobs read from them, and the alias of the model in use."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.errors import SlipstreamError
from conf.plain_text import hide_passwords
from infra.tracking_server import NOT_ANSWERED, ask_server
from ml.model_in_use import PRODUCTION
from ml.tracking.run import KIND, SHA256_OF, VERDICT, TrackedRun

GIT_COMMIT: Final = "mlflow.source.git.commit"
ONNX: Final = "onnx/model.onnx"
_SHA256: Final = "slipstream.onnx_sha256"  # where earlier trainings have it
_URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"
_EXPERIMENT_KIND: Final = "mlflow.experimentKind"
_CLASSIC: Final = "custom_model_development"
_DEFAULTS: Final = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "2",  # seconds: trainings may be short
    "MLFLOW_UV_AUTO_DETECT": "false",  # else the uv.lock of whatever folder one stands in goes into each model
}


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
        self, experiment: str, name: str, tags: Mapping[str, str | None], *, is_nested: bool = False
    ) -> Iterator[TrackedRun]:
        """A run of an experiment; it is marked failed if the block raises.

        Args:
            experiment: Name of the experiment.
            name: Of the run.
            tags: Of the run; those without a value are left out.
            is_nested: Whether it belongs to the run under way; what the machine does is logged with that one.
        """
        self._open_experiment(experiment)
        environment = {"python": platform.python_version(), "platform": platform.platform()}
        known = {key: value for key, value in tags.items() if value is not None}
        with mlflow.start_run(
            run_name=name, tags=environment | known, nested=is_nested, log_system_metrics=not is_nested
        ) as active:
            yield TrackedRun(active.info.run_id, active.info.experiment_id, self)

    def _open_experiment(self, name: str) -> None:
        """Set the experiment; its pages open with runs and models, not with those of language models."""
        found = mlflow.set_experiment(name)
        if _EXPERIMENT_KIND not in found.tags:
            self.client.set_experiment_tag(found.experiment_id, _EXPERIMENT_KIND, _CLASSIC)

    def page(self, run: TrackedRun) -> str:
        """Address of a run's page."""
        return self.page_of(run.experiment_id, run.run_id)

    def page_of(self, experiment_id: str, run_id: str) -> str:
        """Address of the page of a run that is over."""
        return f"{hide_passwords(self.uri)}/#/experiments/{experiment_id}/runs/{run_id}"

    def load(self, name: str, alias: str | None = PRODUCTION, version: str | None = None) -> RegisteredModel:
        """A registered model by alias, or by version.

        Raises:
            TrackingError: If there is no such model, or its file is not the one that was trained.
        """
        found = self._find(name, alias, version, "style")
        path = Path(mlflow.artifacts.download_artifacts(run_id=found.run_id, artifact_path=ONNX))
        data = path.read_bytes()
        tags = self.client.get_run(found.run_id).data.tags
        expected = tags.get(f"{SHA256_OF}{ONNX}", tags.get(_SHA256))
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
            expected = self.client.get_run(run_id).data.tags.get(f"{SHA256_OF}{path}")
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
        """A model whose files a run has logged.

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

    def note_verdict(self, name: str, version: str, verdict: str) -> None:
        """Keep with a version whether it came into use, and why."""
        self.client.set_model_version_tag(name, version, VERDICT, verdict)


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


def _silence_mlflow() -> None:
    """MLflow tells of every download; the jobs say what matters in one line, and its warnings go to our log."""
    logger = logging.getLogger("mlflow")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


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
