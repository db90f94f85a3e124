"""Models in MLflow's form: data files, and the one file of ours that answers from them (models from code)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from importlib import import_module, metadata
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from ml.model_to_log import Column, ModelToLog, TrackedDataset

FILES: Final = "model"
"""Folder of a model's files, in the run and in the model."""
DELTA: Final = "delta_table"
"""MLflow's name for a source that is a Delta table."""
_REGISTERED: Final = "mlflow.modelVersions"
_OURS: Final = "slipstream-lake"
_TYPES: Final = {"double": DataType.double, "long": DataType.long, "string": DataType.string}


def log_model_files(model: ModelToLog) -> Any:
    """Log a model with the run under way; returns MLflow's account of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of its own type hints
        pyfunc = import_module("mlflow.pyfunc")  # what `from mlflow` gives imports it on first use
    with TemporaryDirectory() as folder:
        root = Path(folder) / FILES
        for path, data in model.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return pyfunc.log_model(
            name="model",
            python_model=str(files("ml.served") / f"{model.code}.py"),
            artifacts={FILES: str(root)},
            signature=_signature(model),
            input_example=(model.example, dict(model.params)) if model.params else model.example,
            # Named, else MLflow loads the model in a process of its own to see what it needs.
            pip_requirements=_requirements(model.packages),
        )


def register_version(client: MlflowClient, name: str, logged: Any, run_id: str) -> str:
    """Register a logged model; returns the version.

    Not by ``log_model``, which would print that it did; the tag links the two on MLflow's pages.
    """
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = str(client.create_model_version(name, logged.model_uri, run_id, model_id=logged.model_id).version)
    registered = json.dumps([{"name": name, "version": version}])
    client.set_logged_model_tags(logged.model_id, {_REGISTERED: registered})
    return version


def input_schema(columns: Sequence[Column]) -> str | None:
    """Columns of a data set as MLflow's pages show them."""
    return json.dumps({"mlflow_colspec": _schema(columns).to_dict()}) if columns else None


def source_of(dataset: TrackedDataset) -> dict[str, Any]:
    """Where a data set is from, in the form of MLflow's Delta source, and the query besides."""
    version = {} if dataset.version is None else {"delta_table_version": dataset.version}
    return {"path": dataset.uri, **version, "table": dataset.table, "query": dataset.query}


def _signature(model: ModelToLog) -> ModelSignature:
    params = [ParamSpec(name, _param_type(value), value) for name, value in model.params.items()]
    return ModelSignature(_schema(model.inputs), _schema(model.outputs), ParamSchema(params) if params else None)


def _schema(columns: Sequence[Column]) -> Schema:
    return Schema(
        [
            ColSpec(
                Array(DataType.double) if column.type == "doubles" else _TYPES[column.type],
                column.name,
                required=column.is_required,
            )
            for column in columns
        ]
    )


def _param_type(value: float | str) -> DataType:
    if isinstance(value, str):
        return DataType.string
    return DataType.long if isinstance(value, int) else DataType.double


def _requirements(packages: Sequence[str]) -> list[str]:
    """Packages at their versions; this package itself only where it is installed and not a mere checkout."""
    found = [f"{name}=={metadata.version(name)}" for name in sorted({"mlflow", *packages})]
    try:
        return [f"{_OURS}[ml]=={metadata.version(_OURS)}", *found]
    except metadata.PackageNotFoundError:
        return found
