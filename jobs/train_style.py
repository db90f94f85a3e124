"""Job: from gold windows to a registered driving-style model (V14-V19)."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import InputError, TrainingDataError
from conf.tables import GOLD_MODEL_METRICS, GOLD_STYLE_DATASET, GOLD_TELEMETRY_WINDOWS
from jobs.arguments import add_seed
from jobs.job import BatchJob, RunContext
from jobs.model_metrics import write_metrics
from medallion.arrow_rows import arrow_frame, stamp_rows
from medallion.exchange import exchange_table
from medallion.io import Lake
from medallion.part import EVERYTHING
from medallion.provenance import JobRun, code_version, git_sha
from medallion.reading import read_table
from ml.comparison import ModelComparison
from ml.model_to_log import Column, TrackedDataset
from ml.style.dataset import KEY, StyleDataset, build_style_dataset
from ml.style.evaluation import (
    StyleEvaluation,
    compare_style_models,
    evaluate_style,
    majority_class,
    permutation_importances,
)
from ml.style.features import CHASSIS_FEATURES, STYLE_FEATURES
from ml.style.model import FittedStyle, ForestParams, OnnxStyleModel, train_forest
from ml.style.packaging import HEADLINE, ONNX_FILE, style_card, style_to_log
from ml.style.plots import confusion_figure, importance_figure
from ml.style.split import PROMOTION, TEST, TRAIN, assert_no_leak
from ml.tracking import FROZEN, GIT_COMMIT, TrackedRun, Tracker, TrackingError

MODEL: Final = "driving-style"
EXPERIMENT: Final = "driving-style"
_CONTEXTS: Final = {TRAIN: "training", TEST: "testing", PROMOTION: "promotion"}
_ONNX: Final = "onnx"  # folder of the run that `score style` reads
FEATURE_SETS: Final = {"all": STYLE_FEATURES, "chassis": CHASSIS_FEATURES}


def style_model_name(feature_set: str) -> str:
    """Registered model of a feature set."""
    return MODEL if feature_set == "all" else f"{MODEL}-{feature_set}"


@dataclass(frozen=True)
class StyleTrainingResult:
    """Outcome of a training run.

    Attributes:
        evaluation: Scores on vehicles that it never saw.
        learned: Scores on those that it learned from.
        comparison: Candidate against the model in use on the promotion set; ``None`` for the first model.
        promoted: Whether ``production`` now names this version.
        verdict: Why, or why not.
    """

    run_id: str
    page: str
    model: str
    version: str
    evaluation: StyleEvaluation
    learned: StyleEvaluation
    comparison: ModelComparison | None
    promoted: bool
    verdict: str
    plots: tuple[Path, ...]
    n_train: int

    @property
    def sentence(self) -> str:
        """What was trained, how good it is, and whether it is in use now."""
        accuracy = self.evaluation.balanced_accuracy.value
        state = "now production" if self.promoted else "not promoted"
        return (
            f"{self.model} version {self.version}: balanced accuracy {accuracy:.3f} on vehicles it never saw; "
            f"{state} ({self.verdict})"
        )


class MLDatasetProcessor:
    """Labelled, complete windows with their split, from ``gold.telemetry_windows`` into ``gold.style_dataset``.

    Args:
        lake: Where the tables are.
        run_id: Job run that the rows will name.
        features: Feature columns to learn from.
    """

    def __init__(self, lake: Lake, run_id: str, features: tuple[str, ...] = STYLE_FEATURES) -> None:
        self.lake = lake
        self.run_id = run_id
        self.features = features

    def process(self) -> StyleDataset:
        """Build the data set and write it.

        Raises:
            TrainingDataError: If there are no labelled windows.
        """
        columns = [*KEY, "is_complete", "style_label", *self.features]
        windows = read_table(self.lake, GOLD_TELEMETRY_WINDOWS, EVERYTHING, columns)
        frame = windows.filter(pc.field("style_label").is_valid()).to_pandas()
        # As Spark gave it to pandas: the data set's version is a digest of it.
        frame["window_end_ts"] = frame["window_end_ts"].dt.tz_localize(None).astype("datetime64[ns]")
        if frame.empty:
            raise TrainingDataError(
                "gold.telemetry_windows has no labelled windows: simulate some (`slipstream produce simulate`), then "
                "`slipstream run`"
            )
        dataset = build_style_dataset(frame, self.features)
        self._write(dataset)
        return dataset

    def _write(self, dataset: StyleDataset) -> None:
        named = dataset.frame[[*KEY, "label", "split", "split_group"]].assign(dataset_version=dataset.version)
        rows = stamp_rows(arrow_frame(GOLD_STYLE_DATASET, named), self.run_id)
        place = rows.schema.get_field_index("features")
        features = _feature_maps(dataset).cast(rows.schema.field(place).type)
        rows = rows.set_column(place, rows.schema.field(place), features)
        exchange_table(self.lake, GOLD_STYLE_DATASET, rows, EVERYTHING)


def _feature_maps(dataset: StyleDataset) -> pa.MapArray:
    """Of each row its features, by name."""
    n, width = len(dataset.frame), len(dataset.features)
    names = pa.array(np.tile(np.array(dataset.features, dtype=object), n), pa.string())
    values = pa.array(dataset.frame[list(dataset.features)].to_numpy(np.float64).ravel())
    return pa.MapArray.from_arrays(np.arange(0, n * width + 1, width, dtype=np.int32), names, values)


class MLSplitProcessor:
    """The splits as Parquet files, one each (V15)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def process(self, dataset: StyleDataset) -> Path:
        """Write ``train_forest.parquet``, ``test.parquet`` and ``promotion.parquet``; returns their folder."""
        assert_no_leak(dataset.frame)
        target = self.folder / dataset.version
        target.mkdir(parents=True, exist_ok=True)
        for split in (TRAIN, TEST, PROMOTION):
            dataset.frame[dataset.frame["split"] == split].to_parquet(target / f"{split}.parquet", index=False)
        return target


class MLTrainingProcessor:
    """Trains on exported splits and tracks the run (V15-V17).

    Args:
        folder: Folder with the splits' Parquet files.
        tracker: Where runs and models go.
        features: Feature columns in order.
        model_name: Registered model.
    """

    def __init__(self, folder: Path, tracker: Tracker, features: tuple[str, ...], model_name: str = MODEL) -> None:
        self.folder = folder
        self.tracker = tracker
        self.features = features
        self.model_name = model_name

    def read(self) -> dict[str, pd.DataFrame]:
        """Load the splits.

        Raises:
            TrainingDataError: If a file is missing, or training or test lack a class.
        """
        splits = {}
        for name in (TRAIN, TEST, PROMOTION):
            path = self.folder / f"{name}.parquet"
            if not path.is_file():
                raise TrainingDataError(f"{path} is missing: export the splits first (`slipstream train style` does)")
            splits[name] = pd.read_parquet(path)
        for name in (TRAIN, TEST):
            classes = sorted(splits[name]["label"].unique())
            if len(classes) < 2:
                raise TrainingDataError(
                    f"the {name} split holds {classes or 'no windows'}: simulate more cars of each profile, so that "
                    "vehicles of both classes fall into it"
                )
        return splits

    def process(
        self, inputs: dict[str, int], params: ForestParams, plots: Path, threshold: float = 0.5, uri: str = ""
    ) -> StyleTrainingResult:
        """Train, evaluate, log, register, and promote if better.

        Args:
            inputs: Delta versions of the tables that the splits came from.
            params: Settings of the forest.
            plots: Folder for copies of the figures.
            threshold: Probability above which driving is called aggressive.
            uri: Where ``gold.style_dataset`` lies.
        """
        splits = self.read()
        tags = {"dataset_version": self.folder.name, "code_version": code_version(), GIT_COMMIT: git_sha()}
        with self.tracker.run(EXPERIMENT, f"forest-{len(self.features)}-features", tags) as run:
            run.params(params.to_dict() | {"n_features": len(self.features), "threshold": threshold})
            run.params({f"input.{name}.version": version for name, version in inputs.items()})
            read = self._datasets(splits, inputs, uri)
            run.datasets(list(read.values()))
            run.file((self.folder / f"{PROMOTION}.parquet").read_bytes(), FROZEN)
            fitted = train_forest(splits[TRAIN][list(self.features)], splits[TRAIN]["label"], params)
            package = style_to_log(fitted, splits[TEST].head(5), threshold)
            version = run.register(self.model_name, package, HEADLINE, _ONNX)
            learned, aside = self._evaluate(run, OnnxStyleModel(package.files[ONNX_FILE]), splits, read, threshold)
            figures = _draw(run, fitted, splits[TEST], aside, plots)
            comparison, promoted, verdict = self._promote(run, fitted, splits[PROMOTION], version, aside, threshold)
            card = style_card(splits, learned, aside, self.folder.name)
            run.conclude(self.model_name, version, card.to_markdown(verdict), verdict)
            return StyleTrainingResult(
                run.run_id,
                self.tracker.page(run),
                self.model_name,
                version,
                aside,
                learned,
                comparison,
                promoted,
                verdict,
                figures,
                len(splits[TRAIN]),
            )

    def _datasets(self, splits: dict[str, pd.DataFrame], inputs: dict[str, int], uri: str) -> dict[str, TrackedDataset]:
        """The splits as what they were read from."""
        return {
            name: TrackedDataset(
                table=GOLD_STYLE_DATASET,
                version=inputs.get(GOLD_STYLE_DATASET),
                uri=uri,
                where=f"split = '{name}'",
                digest=self.folder.name,
                context=_CONTEXTS[name],
                rows=len(rows),
                columns=(*(Column(feature) for feature in self.features), Column("label", "string")),
            )
            for name, rows in splits.items()
        }

    @staticmethod
    def _evaluate(
        run: TrackedRun,
        model: OnnxStyleModel,
        splits: dict[str, pd.DataFrame],
        read: dict[str, TrackedDataset],
        threshold: float,
    ) -> tuple[StyleEvaluation, StyleEvaluation]:
        """Scores on the windows learned from, and on the vehicles kept aside."""
        majority = majority_class(splits[TRAIN]["label"])
        found = {
            name: evaluate_style(
                splits[name]["label"],
                model.predict_batch(splits[name]),
                splits[name]["split_group"],
                majority=majority,
                threshold=threshold,
            )
            for name in (TRAIN, TEST)
        }
        for name, evaluation in found.items():
            run.metrics({f"{name}.{k}": v for k, v in evaluation.metrics().items()}, read[name])
        run.metrics({"promotion.n_windows": len(splits[PROMOTION])}, read[PROMOTION])
        return found[TRAIN], found[TEST]

    def _promote(
        self,
        run: TrackedRun,
        fitted: FittedStyle,
        frozen: pd.DataFrame,
        version: str,
        evaluation: StyleEvaluation,
        threshold: float,
    ) -> tuple[ModelComparison | None, bool, str]:
        first = "first model"
        try:
            incumbent = self.tracker.incumbent(self.model_name)
            model = None if incumbent is None else OnnxStyleModel(incumbent.onnx)
        except (TrackingError, InputError):
            incumbent, model, first = None, None, "the one in use is of another version, or not what was trained"
        if incumbent is None or model is None:
            better = evaluation.balanced_accuracy.value > 0.5
            verdict = first if better else "no better than always answering the majority class"
            if better:
                self.tracker.promote(self.model_name, version)
            return None, better, verdict
        absent = set(model.features) - set(frozen.columns)
        if frozen.empty or absent:
            return (
                None,
                False,
                "the promotion set is empty" if frozen.empty else f"the incumbent needs {sorted(absent)}",
            )
        comparison = compare_style_models(
            fitted.predict_proba(frozen),
            model.predict_batch(frozen),
            frozen["label"],
            frozen["split_group"],
            threshold=threshold,
        )
        run.metrics(comparison.metrics())
        if comparison.is_better:
            self.tracker.promote(self.model_name, version)
        return comparison, comparison.is_better, f"against version {incumbent.version}: {comparison.reason}"


def _draw(
    run: TrackedRun, fitted: FittedStyle, test: pd.DataFrame, evaluation: StyleEvaluation, plots: Path
) -> tuple[Path, ...]:
    """Figures of the test vehicles; returns their copies."""
    importance = permutation_importances(fitted, test[list(fitted.features)], test["label"])
    run.table(importance.to_dict(orient="records"), "feature_importance")
    title = f"Held-out windows of {evaluation.n_vehicles} vehicles"
    drawn = {
        "style_confusion": confusion_figure(evaluation.confusion, title),
        "style_importance": importance_figure(importance),
    }
    paths = [run.figure(figure, name, plots) for name, figure in drawn.items()]
    return tuple(p for p in paths if p)


def train_style(
    lake: Lake, tracker: Tracker, feature_set: str = "all", params: ForestParams | None = None
) -> StyleTrainingResult:
    """Data set, splits, training, registry: the whole job (V32)."""
    features = FEATURE_SETS[feature_set]
    name = style_model_name(feature_set)
    settings = lake.settings
    with JOB.record_run(lake) as run:
        inputs = {GOLD_TELEMETRY_WINDOWS: lake.version(GOLD_TELEMETRY_WINDOWS) or 0}
        dataset = MLDatasetProcessor(lake, run.run_id, features).process()
        inputs[GOLD_STYLE_DATASET] = lake.version(GOLD_STYLE_DATASET) or 0
        folder = MLSplitProcessor(settings.home / "exports" / "style").process(dataset)
        trainer = MLTrainingProcessor(folder, tracker, features, name)
        trained = trainer.process(
            inputs,
            params or ForestParams(),
            settings.reports_dir / "style",
            settings.style_threshold,
            lake.uri(GOLD_STYLE_DATASET),
        )
        run.rows_in, run.rows_out = len(dataset.frame), trained.n_train
        _record(lake, trained, run)
    return trained


def _record(lake: Lake, trained: StyleTrainingResult, run: JobRun) -> None:
    parts = {TEST: trained.evaluation, TRAIN: trained.learned}
    values = {f"{part}.{k}": v for part, found in parts.items() for k, v in found.metrics().items()}
    write_metrics(lake, "style", trained.model, trained.run_id, values, run.run_id)


def add_features(parser: ArgumentParser) -> None:
    """Add ``--features``: which columns the model reads."""
    parser.add_argument(
        "--features",
        choices=tuple(FEATURE_SETS),
        default="all",
        help="chassis leaves out load and temperatures, for sources that do not send them",
    )


def _add_arguments(parser: ArgumentParser) -> None:
    add_features(parser)
    add_seed(parser, "seed of the forest")


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    return train_style(lake, tracker, given.features, ForestParams(seed=given.seed)).sentence


JOB: Final = BatchJob(
    name="train_style",
    module="jobs.train_style",
    command="train style",
    summary="Train the driving-style model on labelled windows and register it.",
    inputs=(GOLD_TELEMETRY_WINDOWS,),
    outputs=(GOLD_STYLE_DATASET, GOLD_MODEL_METRICS),
    other_outputs=(f"MLflow model {MODEL}",),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
