"""``gold.model_metrics``: the metrics of every model run, for those who would rather ask SQL than MLflow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from conf.tables import GOLD_MODEL_METRICS
from medallion.exchange import put_rows
from medallion.io import Lake


def write_metrics(
    lake: Lake, task: str, model_name: str, mlflow_run_id: str, values: Mapping[str, float], run_id: str
) -> None:
    """Write the metrics of one MLflow run in the place of those that it has; undefined ones are null."""
    of_run = {"mlflow_run_id": mlflow_run_id, "task": task, "model_name": model_name, "logged_ts": datetime.now(UTC)}
    rows = [
        of_run | {"metric": name, "value": None if math.isnan(value) else float(value)}
        for name, value in values.items()
    ]
    put_rows(lake, GOLD_MODEL_METRICS, rows, run_id)
