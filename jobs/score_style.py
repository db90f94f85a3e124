"""Job: the registered driving-style model over gold windows, into ``gold.style_predictions`` (V20-V25)."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.tables import GOLD_STYLE_PREDICTIONS, GOLD_TELEMETRY_WINDOWS
from jobs.job import BatchJob, RunContext
from jobs.train_style import MODEL, add_features, style_model_name
from medallion.arrow_rows import arrow_frame, stamp_rows
from medallion.exchange import exchange_table
from medallion.gold import drivers
from medallion.io import Lake
from medallion.part import EVERYTHING, Part
from medallion.reading import count_rows, read_table
from medallion.samples import are_few_rows
from ml.style.features import AGGRESSIVE, NORMAL
from ml.style.model import OnnxStyleModel
from ml.tracking import RegisteredModel, Tracker

_KEY: Final = ["session_id", "vehicle_id", "window_end_ts"]
_COMPLETE: Final = Part(({"is_complete": [True]},))
Answer = Callable[[pd.DataFrame], pd.DataFrame]
_ANSWERS: Final = (
    "session_id string, vehicle_id string, window_end_ts timestamp, label string, probability_aggressive double, "
    "confidence_pct double, display_text string, n_samples int, model_name string, model_version string, "
    "model_alias string, predicted_ts timestamp"
)
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
    """Score every complete window with the model in use, and bring the drivers' summaries up to date.

    An answer that has not changed is not written again.
    """
    registered = tracker.load(model)
    features = OnnxStyleModel(registered.onnx).features
    with JOB.record_run(lake) as run:
        total = count_rows(lake, GOLD_TELEMETRY_WINDOWS, EVERYTHING)
        complete = count_rows(lake, GOLD_TELEMETRY_WINDOWS, _COMPLETE)
        answer = partial(answer_windows, model=registered, threshold=threshold)
        score = _score_on_driver if are_few_rows(lake, total, 1) else _score_by_spark
        scored = score(lake, registered.onnx, features, answer, run.run_id)
        run.rows_in, run.rows_out = total, scored
        drivers.sum_up_scored(lake, run.run_id)
    return StyleScoringResult(registered, scored, total - complete, complete - scored)


def _score_on_driver(lake: Lake, onnx: bytes, features: Sequence[str], answer: Answer, run_id: str) -> int:
    columns = [*_KEY, "n_samples", *features]
    windows = read_table(lake, GOLD_TELEMETRY_WINDOWS, _COMPLETE, columns).to_pandas().dropna(subset=list(features))
    p = OnnxStyleModel(onnx).predict_batch(windows[list(features)]) if len(windows) else np.empty(0)
    answers = arrow_frame(GOLD_STYLE_PREDICTIONS, answer(windows.assign(p=p)))
    exchange_table(lake, GOLD_STYLE_PREDICTIONS, stamp_rows(answers, run_id), EVERYTHING)
    return len(windows)


def _score_by_spark(lake: Lake, onnx: bytes, features: Sequence[str], answer: Answer, run_id: str) -> int:
    known = lake.read(GOLD_TELEMETRY_WINDOWS).where("is_complete").na.drop(subset=list(features))
    answered = predict_windows(known, onnx).mapInPandas(lambda frames: map(answer, frames), _ANSWERS)
    rows = answered.withColumn("run_id", F.lit(run_id)).persist()
    try:
        lake.upsert(rows, GOLD_STYLE_PREDICTIONS, delete_where="true")
        return rows.count()
    finally:
        rows.unpersist()


def answer_windows(windows: pd.DataFrame, *, model: RegisteredModel, threshold: float) -> pd.DataFrame:
    """Rows of ``gold.style_predictions``, less their run.

    Args:
        windows: Key, ``n_samples`` and ``p``, the probability of AGGRESSIVE.
        model: What gave it.
        threshold: Probability above which driving is called aggressive.
    """
    aggressive = windows["p"].to_numpy() > threshold
    confidence = 100.0 * np.where(aggressive, windows["p"], 1.0 - windows["p"])
    name = np.where(aggressive, "Aggressive", "Normal")
    return windows[_KEY].assign(
        label=np.where(aggressive, AGGRESSIVE, NORMAL),
        probability_aggressive=windows["p"],
        confidence_pct=confidence,
        display_text=[f"{int(share + 0.5)}% {text}" for share, text in zip(confidence, name, strict=True)],
        n_samples=windows["n_samples"],
        model_name=model.name,
        model_version=model.version,
        model_alias=model.alias,
        predicted_ts=datetime.now(UTC),
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
    outputs=(GOLD_STYLE_PREDICTIONS, *drivers.TABLES),
    other_inputs=(f"MLflow model {MODEL}",),
    arguments=add_features,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
