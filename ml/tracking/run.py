"""A run under way: parameters, figures, data sets, files, and the model that comes out of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from ml.model_to_log import ModelToLog, TrackedDataset
from ml.tracking.models import DELTA, FILES, input_schema, log_model_files, register_version, source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ml.tracking.tracker import Tracker

KIND: Final = "slipstream.kind"
"""Tag of runs, and of versions of models: what they are of."""
SHA256_OF: Final = "slipstream.sha256."
FROZEN: Final = "frozen.parquet"
"""File of a run with the rows on which versions are compared."""
HEADLINE: Final = "slipstream.headline"
VERDICT: Final = "slipstream.verdict"
_CONTEXT: Final = "mlflow.data.context"


@dataclass(frozen=True)
class TrackedRun:
    """A run under way."""

    run_id: str
    experiment_id: str
    tracker: Tracker

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        mlflow.log_params({k: v for k, v in values.items() if v is not None})

    def metrics(self, values: Mapping[str, float], dataset: TrackedDataset | None = None) -> None:
        """Log metrics; those that are not defined (NaN) are left out.

        Args:
            values: By name.
            dataset: What they were taken on, where it is one that the run has logged.
        """
        known = {k: float(v) for k, v in values.items() if v == v}  # noqa: PLR0124 - NaN
        mlflow.log_metrics(known, dataset=None if dataset is None else _entity(dataset))

    def history(self, name: str, points: Sequence[tuple[int, float]]) -> None:
        """Log a metric over steps; values that are not defined (NaN) are left out."""
        now_ms = int(time.time() * 1000)
        known = [Metric(name, float(value), now_ms, step) for step, value in points if value == value]  # noqa: PLR0124 - NaN
        self.tracker.client.log_batch(self.run_id, metrics=known)

    def datasets(self, read: Sequence[TrackedDataset]) -> None:
        """Log what the run reads: tables with version and query."""
        inputs = [DatasetInput(_entity(one), [InputTag(_CONTEXT, one.context)]) for one in read]
        self.tracker.client.log_inputs(self.run_id, datasets=inputs)

    def file(self, data: bytes, path: str) -> None:
        """Log a file, with its SHA-256 as a tag, so that nobody reads another in its place."""
        with TemporaryDirectory() as folder:
            local = Path(folder) / Path(path).name
            local.write_bytes(data)
            mlflow.log_artifact(str(local), str(Path(path).parent) if "/" in path else None)
        mlflow.set_tag(f"{SHA256_OF}{path}", hashlib.sha256(data).hexdigest())

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

    def register(self, name: str, model: ModelToLog, headline: str, folder: str = FILES) -> str:
        """Log a model in MLflow's form and register it.

        Its files are logged with the run besides: the product's jobs read those, each held to its SHA-256, and never
        run what the store holds.

        Args:
            name: Of the registered model.
            model: What to log.
            headline: Metric that tells versions apart.
            folder: Of the run's files that the jobs read.

        Returns:
            The version.
        """
        for path, data in model.files.items():
            self.file(data, f"{folder}/{path}")
        version = register_version(self.tracker.client, name, log_model_files(model), self.run_id)
        for tag, value in ((KIND, model.code), (HEADLINE, headline)):
            self.tracker.client.set_model_version_tag(name, version, tag, value)
        return version

    def conclude(self, name: str, version: str, card: str, verdict: str) -> None:
        """Say of a version what it is, and what came of it.

        Args:
            name: Of the registered model.
            version: The version.
            card: Its model card, Markdown.
            verdict: Whether it came into use, and why.
        """
        self.tracker.client.update_model_version(name, version, description=card)
        self.tracker.note_verdict(name, version, verdict)
        mlflow.set_tag("mlflow.note.content", card)


def _entity(dataset: TrackedDataset) -> Dataset:
    """MLflow's record of a data set: one for each table, content and query."""
    told = {"rows": dataset.rows, "query": dataset.query, "table": dataset.table, "version": dataset.version}
    digest = hashlib.sha256(f"{dataset.digest} {dataset.query}".encode()).hexdigest()[:16]
    return Dataset(
        name=dataset.table,
        digest=digest,
        source_type=DELTA,
        source=json.dumps(source_of(dataset)),
        schema=input_schema(dataset.columns),
        profile=json.dumps(told),
    )
