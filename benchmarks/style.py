"""Row 6: the driving-style forest, one row and many.

The forest is trained on windows of simulated laps with the model's own settings (300 trees). One row: our ONNX model
against scikit-learn's ``predict_proba`` on one thread, where it is fastest, for the same rows. Many: the scoring job's
Spark function from Parquet to the noop sink, against models in this process over the same file: ours, which takes one
thread, the same forest in an ONNX Runtime that takes all cores, and scikit-learn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import pandas as pd
import polars as pl

from analysis.signals.windows import window_ends, window_features
from benchmarks.bench import Bench
from benchmarks.inputs import simulate
from benchmarks.runner import BenchmarkError, Goal, Result, Run, Unit, compare, must_be, race, timed
from conf.arrays import Float32Array, FloatArray
from jobs.score_style import predict_windows
from ml.style.export import INPUT, OUTPUT
from ml.style.features import AGGRESSIVE, NORMAL, STYLE_FEATURES
from ml.style.model import FittedStyle, OnnxStyleModel, train_forest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TITLE = "driving-style forest"
OURS = "OnnxStyleModel"
SKLEARN = "scikit-learn, one thread"
SPARK = "Spark scoring"
LOCAL = "OnnxStyleModel, this process"
ONNX_ALL = "ONNX Runtime, all cores"
SKLEARN_ALL = "scikit-learn, all cores"
GOAL_US = 50.0
GOAL = 0.7


def measure(bench: Bench) -> list[Result]:
    """One row, then many."""
    windows = simulated_windows(bench.pick(2_000, 10_000))
    fitted = train_forest(windows[list(STYLE_FEATURES)], windows["label"])
    nodes = sum(tree.tree_.node_count for tree in fitted.estimator.estimators_)
    bench.say(f"row 6: {len(windows):,} windows, {len(fitted.estimator.estimators_)} trees with {nodes:,} nodes")
    return [*_one_row(bench, fitted, windows), *_many(bench, fitted, windows)]


def simulated_windows(n: int) -> pd.DataFrame:
    """About ``n`` complete windows of simulated cars, with their label."""
    simulator = simulate(n, faults=False, cars=16)
    parts = []
    for car in simulator.cars:
        samples = simulator.samples(car.vehicle_id)
        t_s = samples["t_us"].to_numpy() / 1e6
        ends_s = window_ends(t_s)
        names = samples.select(pl.selectors.numeric()).columns
        channels = {name: samples[name].cast(pl.Float64).to_numpy() for name in names}
        frame = pd.DataFrame(window_features(t_s, channels, ends_s))
        label = AGGRESSIVE if car.profile == "aggressive" else NORMAL
        parts.append(frame.assign(session_id="benchmark", vehicle_id=car.vehicle_id, end_s=ends_s, label=label))
    windows = pd.concat(parts, ignore_index=True)
    whole = windows["is_complete"] & windows[list(STYLE_FEATURES)].notna().all(axis=1)
    return windows[whole].reset_index(drop=True)


def _one_row(bench: Bench, fitted: FittedStyle, windows: pd.DataFrame) -> list[Result]:
    model, forest = OnnxStyleModel(fitted.to_onnx()), fitted.estimator
    rows = windows[list(model.features)].to_numpy(dtype=np.float32)
    forest.n_jobs = 1
    del forest.feature_names_in_  # so that it takes bare arrays, its quickest way
    _must_agree(
        forest.predict_proba(rows[:200])[:, list(forest.classes_).index(AGGRESSIVE)], model.predict_batch(rows[:200])
    )
    calls = bench.pick(100, 2_000)

    def ours() -> dict[str, float]:
        return {OURS: _median_s(model.predict_one, rows, calls)}

    def peer() -> dict[str, float]:
        return {SKLEARN: _median_s(lambda row: forest.predict_proba(row.reshape(1, -1)), rows, max(calls // 10, 20))}

    times = race([ours, peer], bench.runs, say=bench.say)
    note = "a run's time is the median over its calls, each for another row; array in, probability out"
    return [compare(times, OURS, SKLEARN, "one row", 1, Unit("us/row", seconds=1e6), Goal(most=GOAL_US), note)]


def _many(bench: Bench, fitted: FittedStyle, windows: pd.DataFrame) -> list[Result]:
    n, onnx = bench.pick(20_000, 400_000), fitted.to_onnx()
    path = bench.folder("windows") / "windows.parquet"
    write_windows(windows, n, path)
    spark, features = bench.spark, list(OnnxStyleModel(onnx).features)
    fitted.estimator.n_jobs = -1

    def local() -> dict[str, float]:
        return {LOCAL: timed(lambda: OnnxStyleModel(onnx).predict_batch(pd.read_parquet(path, columns=features)))}

    def all_cores() -> dict[str, float]:
        return {ONNX_ALL: timed(lambda: _onnx_all_cores(onnx, pd.read_parquet(path, columns=features)))}

    def sklearn() -> dict[str, float]:
        return {SKLEARN_ALL: timed(lambda: fitted.predict_proba(pd.read_parquet(path, columns=features)))}

    times = race([_spark(spark, path, onnx), local, all_cores, sklearn], bench.runs, say=bench.say)
    must_be(predict_windows(spark.read.parquet(str(path)), onnx).count(), n, "rows scored by Spark")
    unit, note = Unit("rows/s"), f"{n} windows; Spark has all cores, the model in this process one thread"
    return [
        compare(times, SPARK, LOCAL, "many rows", n, unit, Goal(ratio=GOAL), note),
        compare(times, SPARK, ONNX_ALL, "many rows", n, unit, Goal(ratio=GOAL), f"{n} windows; both have all cores"),
        compare(times, SPARK, SKLEARN_ALL, "many rows", n, unit, Goal(ratio=GOAL), f"{n} windows; both have all cores"),
    ]


def write_windows(windows: pd.DataFrame, n: int, path: Path) -> None:
    """Write ``n`` windows as the job reads them, those there are over and over with ends of their own."""
    frame = windows.iloc[np.arange(n) % len(windows)].reset_index(drop=True)
    ends = pd.to_datetime(1_757_181_600 + np.arange(n), unit="s", utc=True).astype("datetime64[us, UTC]")
    frame = frame.assign(window_end_ts=ends, n_samples=frame["n_samples"].astype(np.int32))
    # Several row groups, so that Spark has something to share out.
    frame.drop(columns=["end_s", "label"]).to_parquet(path, index=False, row_group_size=max(n // 8, 1))


def _spark(spark: SparkSession, path: Path, onnx: bytes) -> Run:
    def run() -> dict[str, float]:
        def score() -> None:
            predict_windows(spark.read.parquet(str(path)), onnx).write.format("noop").mode("overwrite").save()

        return {SPARK: timed(score)}

    return run


def _onnx_all_cores(onnx: bytes, rows: pd.DataFrame) -> None:
    session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    session.run([OUTPUT], {INPUT: rows.to_numpy(dtype=np.float64)})


def _median_s(predict: Callable[[Float32Array], object], rows: Float32Array, calls: int) -> float:
    taken = np.empty(calls)
    for call in range(calls):
        row = rows[call % len(rows)]
        began = time.perf_counter()
        predict(row)
        taken[call] = time.perf_counter() - began
    return float(np.median(taken))


def _must_agree(theirs: FloatArray, ours: FloatArray) -> None:
    worst = float(np.abs(theirs - ours).max())
    if worst > 1e-5:
        raise BenchmarkError(f"ONNX and scikit-learn differ by {worst:.2g}: they do not do the same work")
