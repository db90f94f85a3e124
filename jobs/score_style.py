"""Job: the registered driving-style model over gold windows, into ``gold.style_predictions`` (V20-V25)."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.tables import GOLD_STYLE_PREDICTIONS, GOLD_TELEMETRY_WINDOWS
from jobs.job import BatchJob, RunContext
from jobs.train_style import MODEL, add_features, style_model_name
from medallion.io import Lake
from ml.style.features import AGGRESSIVE, NORMAL
from ml.style.model import OnnxStyleModel
from ml.tracking import RegisteredModel, Tracker

_KEY: Final = ["session_id", "vehicle_id", "window_end_ts"]
_SCHEMA: Final = "session_id string, vehicle_id string, window_end_ts timestamp, n_samples int, p double"


@dataclass(frozen=True)
class StyleScoringResult:
    """Outcome of a scoring run.

    Attributes:
        scored: Windows that now have an answer.
        incomplete: Windows left out because less than 90 % of them is covered.
        unavailable: Complete windows left out because a feature the model needs is not there.
    """

    model: RegisteredModel
    scored: int
    incomplete: int
    unavailable: int

    @property
    def sentence(self) -> str:
        """How many windows were scored, and how many were left out and why."""
        return (
            f"{self.model.name} version {self.model.version}: {self.scored:,} windows scored; left out: "
            f"{self.incomplete:,} less than 90 % covered, {self.unavailable:,} without a feature the model needs"
        )


def predict_windows(windows: DataFrame, onnx: bytes) -> DataFrame:
    """Probability of AGGRESSIVE for each window, with the key.

    Args:
        windows: Rows of ``gold.telemetry_windows`` that have every feature.
        onnx: The model.
    """
    features = list(OnnxStyleModel(onnx).features)

    def score(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        model = OnnxStyleModel(onnx)
        for frame in frames:
            p = model.predict_batch(frame[features]) if len(frame) else np.empty(0)
            yield frame[[*_KEY, "n_samples"]].assign(p=p)

    return windows.select(*_KEY, "n_samples", *features).mapInPandas(score, _SCHEMA)


def score_style(lake: Lake, tracker: Tracker, model: str, threshold: float) -> StyleScoringResult:
    """Score every complete window with the model in use; an answer that has not changed is not written again."""
    registered = tracker.load(model)
    features = OnnxStyleModel(registered.onnx).features
    with JOB.record_run(lake) as run:
        windows = lake.read(GOLD_TELEMETRY_WINDOWS)
        whole = windows.where("is_complete")
        known = whole.na.drop(subset=list(features))
        rows = _predictions(predict_windows(known, registered.onnx), registered, threshold, run.run_id).persist()
        try:
            scored = rows.count()
            lake.upsert(rows, GOLD_STYLE_PREDICTIONS, delete_where="true")
        finally:
            rows.unpersist()
        total, complete = windows.count(), whole.count()
        run.rows_in, run.rows_out = total, scored
    return StyleScoringResult(registered, scored, total - complete, complete - scored)


def _predictions(rows: DataFrame, model: RegisteredModel, threshold: float, run_id: str) -> DataFrame:
    aggressive = F.col("p") > threshold
    confidence = 100.0 * F.when(aggressive, F.col("p")).otherwise(1.0 - F.col("p"))
    name = F.when(aggressive, "Aggressive").otherwise("Normal")
    return rows.select(
        *_KEY,
        F.when(aggressive, AGGRESSIVE).otherwise(NORMAL).alias("label"),
        F.col("p").alias("probability_aggressive"),
        confidence.alias("confidence_pct"),
        F.concat(F.round(confidence).cast("int").cast("string"), F.lit("% "), name).alias("display_text"),
        "n_samples",
        F.lit(model.name).alias("model_name"),
        F.lit(model.version).alias("model_version"),
        F.lit(model.alias).alias("model_alias"),
        F.current_timestamp().alias("predicted_ts"),
        F.lit(run_id).alias("run_id"),
    )


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    return score_style(lake, tracker, style_model_name(given.features), lake.settings.style_threshold).sentence


JOB: Final = BatchJob(
    name="score_style",
    module="jobs.score_style",
    command="score style",
    summary="Score every complete window with the driving-style model in use.",
    inputs=(GOLD_TELEMETRY_WINDOWS,),
    outputs=(GOLD_STYLE_PREDICTIONS,),
    other_inputs=(f"MLflow model {MODEL}",),
    arguments=add_features,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
