"""``gold.model_metrics``: the metrics of every model run, for those who would rather ask SQL than MLflow."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import functions as F

from conf.tables import GOLD_MODEL_METRICS
from medallion.io import Lake


def write_metrics(
    lake: Lake, task: str, model_name: str, mlflow_run_id: str, values: Mapping[str, float], run_id: str
) -> None:
    """Upsert the metrics of one MLflow run; undefined ones are null."""
    rows = [(mlflow_run_id, k, task, model_name, None if v != v else float(v), run_id) for k, v in values.items()]  # noqa: PLR0124
    schema = "mlflow_run_id string, metric string, task string, model_name string, value double, run_id string"
    frame = lake.spark.createDataFrame(rows, schema).withColumn("logged_ts", F.current_timestamp())
    lake.upsert(frame, GOLD_MODEL_METRICS, ignore=("run_id", "logged_ts"))
