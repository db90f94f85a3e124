"""Job: from lap features and labels of simulated wear to a registered model (K8 to K10).

The only reader of ``bronze.truth_events``: what it reads there is the label.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from pyspark.sql import functions as F

from conf.contract import load_contract
from conf.families import TRUTH
from conf.karma import KarmaRules, load_karma_rules
from conf.tables import GOLD_LAP_FEATURES, GOLD_MODEL_METRICS, SILVER_SESSIONS
from conf.wear import COMPONENTS
from jobs.arguments import add_seed
from jobs.job import BatchJob, RunContext
from jobs.model_metrics import write_metrics
from medallion.io import Lake
from medallion.provenance import code_version, git_sha
from medallion.schema import struct_type
from ml.karma import MODEL
from ml.karma.dataset import KEY, PROMOTION, TEST, TRAIN, KarmaDataset, build_karma_dataset
from ml.karma.evaluation import (
    KarmaEvaluation,
    choose_best_algorithm,
    compare_karma_models,
    component_rows,
    evaluate_karma,
    factor_importances,
    mean_r2,
)
from ml.karma.fitting import FitParams, FittedKarma, fit_karma
from ml.karma.learners import ALGORITHMS, Algorithm
from ml.karma.model import KarmaModel, KarmaModelError
from ml.karma.packaging import HEADLINE, frozen_to_bytes, karma_card, karma_to_log
from ml.karma.plots import calibration_figure, importance_figure, predicted_figure
from ml.karma.score_laps import scoring_columns
from ml.model_to_log import Column, TrackedDataset
from ml.registered import FILES, load_karma_model
from ml.tracking import FROZEN, GIT_COMMIT, KIND, TrackedRun, Tracker, TrackingError

LABELS: Final = TRUTH.bronze
EXPERIMENT: Final = "mechanical-karma"
_CONTEXTS: Final = {TRAIN: "training", TEST: "testing", PROMOTION: "promotion"}
OnProgress = Callable[[str, int, int], None]  # what is being trained, done, of how many


@dataclass(frozen=True)
class KarmaTrainingResult:
    """Outcome of a training.

    Attributes:
        algorithm: The best on tracks left out of its training, which was registered.
        evaluations: By set of inputs, on laps kept aside, of that one.
        r2: By algorithm, mean R2 on tracks left out, over sets and components.
        laps: By part of the data set.
        promoted: Whether ``production`` now names this version.
        verdict: Why, or why not.
    """

    run_id: str
    page: str
    version: str
    algorithm: Algorithm
    evaluations: Mapping[str, KarmaEvaluation]
    r2: Mapping[str, float]
    laps: Mapping[str, int]
    dropped: Mapping[str, int]
    promoted: bool
    verdict: str
    plots: tuple[Path, ...]

    @property
    def sentence(self) -> str:
        """What was trained on how many laps, and whether it is in use now."""
        state = "now production" if self.promoted else "not promoted"
        laps = ", ".join(f"{n:,} laps to {what}" for what, n in self.laps.items())
        return f"{MODEL} version {self.version} ({self.algorithm}) from {laps}; {state} ({self.verdict})"


def train_karma(
    lake: Lake,
    tracker: Tracker,
    algorithms: Sequence[Algorithm],
    params: FitParams | None = None,
    on_progress: OnProgress | None = None,
) -> KarmaTrainingResult:
    """Train each algorithm on each set of inputs, register the best, and use it if it beats the one in use.

    Args:
        lake: With ``gold.lap_features`` of simulated sessions and the labels of their wear.
        tracker: Where runs and models go.
        algorithms: What to try.
        params: Settings; by default the library's, with the interval and sequence of ``conf/karma.yaml``.
        on_progress: Called before each fit.

    Raises:
        TrainingDataError: If there are not the laps that training needs.
    """
    rules = load_karma_rules()
    params = params or FitParams(interval=rules.interval, sequence_laps=rules.sequence_laps)
    with JOB.record_run(lake) as job:
        data = read_karma_dataset(lake, rules)
        tags = {KIND: "karma", "dataset_version": data.version, "code_version": code_version(), GIT_COMMIT: git_sha()}
        with tracker.run(EXPERIMENT, f"karma-{data.version[:8]}", tags) as run:
            read = _log_inputs(run, lake, data, params)
            models = _fit_all(run, tracker, data, rules, algorithms, params, on_progress)
            best = choose_best_algorithm({name: [f.r2 for f in model.sets.values()] for name, model in models.items()})
            model = models[best]
            version = register_karma_model(run, model, data.part(TEST)[0].head(3))
            learned, evaluations = (_evaluate_fits(model, data, rules, part) for part in (TRAIN, TEST))
            plots = _draw(run, model, data, rules, evaluations, lake.settings.reports_dir / "karma")
            found = mean_r2(evaluations.values()).metrics(HEADLINE) | _flat_metrics(evaluations)
            seen = {f"train.{name}": value for name, value in _flat_metrics(learned).items()}
            seen |= mean_r2(learned.values()).metrics("train.r2")
            run.metrics(found, read[TEST])
            run.metrics(seen, read[TRAIN])
            write_metrics(lake, "karma", MODEL, run.run_id, found | seen, job.run_id)
            promoted, verdict = _promote(run, tracker, model, data, version)
            run.conclude(MODEL, version, karma_card(model, data, learned, evaluations).to_markdown(verdict), verdict)
        laps = {split: len(data.part(split)[0]) for split in (TRAIN, TEST, PROMOTION)}
        job.rows_in, job.rows_out = len(data.laps), laps[TRAIN]
    r2 = {name: float(sum(f.r2.mean() for f in m.sets.values()) / len(m.sets)) for name, m in models.items()}
    return KarmaTrainingResult(
        run.run_id,
        tracker.page(run),
        version,
        model.algorithm,
        evaluations,
        r2,
        laps,
        data.dropped,
        promoted,
        verdict,
        plots,
    )


def read_karma_dataset(lake: Lake, rules: KarmaRules) -> KarmaDataset:
    """Laps with labels, split by track and car.

    Raises:
        TrainingDataError: If there are not the laps that training needs.
    """
    columns = tuple(dict.fromkeys((*scoring_columns(rules), *rules.columns(rules.best_set))))
    tracks = lake.read(SILVER_SESSIONS).select("session_id", "track_id")
    laps = lake.read(GOLD_LAP_FEATURES).select(*columns).join(tracks, "session_id", "left").toPandas()
    return build_karma_dataset(laps, read_wear_labels(lake), rules.columns(rules.best_set), rules.least_coverage)


def read_wear_labels(lake: Lake) -> pd.DataFrame:
    """What each lap did to each component; a label that was sent again counts once."""
    schema = struct_type(load_contract("event.truth.v1"))
    events = lake.read(LABELS).select("kafka_offset", F.from_json(F.col("payload").cast("string"), schema).alias("m"))
    labels = events.select("m.*").dropDuplicates([*KEY, "component"])
    return labels.select(*KEY, "component", "damage_per_km", "part_factor", "is_complete").toPandas()


def register_karma_model(run: TrackedRun, model: KarmaModel, example: pd.DataFrame) -> str:
    """Log a model with a run and register it; returns the version.

    Args:
        run: The run under way.
        model: The model.
        example: A few laps with its inputs.
    """
    run.params({"algorithm": model.algorithm})
    return run.register(MODEL, karma_to_log(model, example), HEADLINE, FILES)


def _log_inputs(run: TrackedRun, lake: Lake, data: KarmaDataset, params: FitParams) -> dict[str, TrackedDataset]:
    """Settings, tables, tracks and the frozen laps; returns the parts as what they were read from."""
    run.params({k: v for k, v in asdict(params).items() if k != "learner"} | asdict(params.learner))
    versions = {name: lake.version(name) for name in (GOLD_LAP_FEATURES, LABELS)}
    run.params({f"input.{name}.version": version for name, version in versions.items()})
    parts = {str(split): laps for split, laps in data.laps.groupby("split")}
    run.metrics({f"{split}.laps": float(len(laps)) for split, laps in parts.items()})
    tracks = {split: sorted(laps["track_id"].unique()) for split, laps in parts.items()}
    run.table(tracks, "tracks")
    run.table(data.dropped, "left_out")
    run.file(frozen_to_bytes(data), FROZEN)
    rules = load_karma_rules()
    columns = tuple(Column(name) for name in rules.columns(rules.best_set))
    read = {
        split: TrackedDataset(
            table=GOLD_LAP_FEATURES,
            version=versions[GOLD_LAP_FEATURES],
            uri=lake.uri(GOLD_LAP_FEATURES),
            where=_on_tracks(names),
            digest=data.version,
            context=_CONTEXTS[split],
            rows=len(parts[split]),
            columns=columns,
        )
        for split, names in tracks.items()
    }
    labels = TrackedDataset(
        LABELS, versions[LABELS], lake.uri(LABELS), "true", data.version, "labels", len(data.laps) * len(COMPONENTS)
    )
    run.datasets([*read.values(), labels])
    return read


def _on_tracks(names: Sequence[str]) -> str:
    """Condition on laps: driven on one of these tracks."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"session_id in (select session_id from {SILVER_SESSIONS} where track_id in ({listed}))"  # noqa: S608 - a note


def _fit_all(
    run: TrackedRun,
    tracker: Tracker,
    data: KarmaDataset,
    rules: KarmaRules,
    algorithms: Sequence[Algorithm],
    params: FitParams,
    on_progress: OnProgress | None,
) -> dict[str, KarmaModel]:
    """A nested run an algorithm."""
    laps, damage = data.part(TRAIN)
    models: dict[str, KarmaModel] = {}
    total = len(algorithms) * len(rules.sets)
    for algorithm in algorithms:
        tags = {KIND: "karma-algorithm", "algorithm": algorithm}
        with tracker.run(EXPERIMENT, algorithm, tags, is_nested=True) as own:
            sets: dict[str, FittedKarma] = {}
            for name in rules.sets:
                if on_progress:
                    on_progress(f"{algorithm} on {name}", len(models) * len(rules.sets) + len(sets), total)
                sets[name] = fit_karma(laps, damage, rules.columns(name), algorithm, params)
                own.metrics(evaluate_karma(sets[name], data, rules, params.sequence_laps).metrics(name))
            models[algorithm] = KarmaModel(algorithm, sets, params.sequence_laps, params.learner)
            own.metrics({"r2_left_out": float(sum(f.r2.mean() for f in sets.values()) / len(sets))})
    if on_progress:
        on_progress("done", total, total)
    run.metrics({"algorithms": float(len(models))})
    return models


def _evaluate_fits(model: KarmaModel, data: KarmaDataset, rules: KarmaRules, part: str) -> dict[str, KarmaEvaluation]:
    """Figures of each set of inputs on a part of the laps."""
    return {name: evaluate_karma(fitted, data, rules, model.sequence_laps, part) for name, fitted in model.sets.items()}


def _flat_metrics(evaluations: Mapping[str, KarmaEvaluation]) -> dict[str, float]:
    return {name: value for of_set, one in evaluations.items() for name, value in one.metrics(of_set).items()}


def _draw(
    run: TrackedRun,
    model: KarmaModel,
    data: KarmaDataset,
    rules: KarmaRules,
    evaluations: Mapping[str, KarmaEvaluation],
    folder: Path,
) -> tuple[Path, ...]:
    """Tables and figures of each set of inputs on the laps kept aside; returns the figures' copies."""
    paths: list[Path | None] = []
    aside, _ = data.part(TEST)
    for name, found in evaluations.items():
        about = f"{model.algorithm} on {name}: {found.cars} cars on tracks never seen"
        table = factor_importances(model.sets[name], aside, rules, model.sequence_laps)
        run.table(component_rows(found), f"{name}_components")
        run.table(table.round(4).to_dict(), f"{name}_importance")
        drawn = {
            "predicted": predicted_figure(found, about),
            "calibration": calibration_figure(found, about),
            "importance": importance_figure(table, about),
        }
        paths += [run.figure(figure, f"karma_{what}_{name}", folder) for what, figure in drawn.items()]
    return tuple(path for path in paths if path)


def _promote(
    run: TrackedRun, tracker: Tracker, model: KarmaModel, data: KarmaDataset, version: str
) -> tuple[bool, str]:
    """Move the alias if the new model explains more of the frozen laps than the one in use."""
    try:
        incumbent, theirs, _ = load_karma_model(tracker)
    except (TrackingError, KarmaModelError) as error:
        tracker.promote(MODEL, version)
        first = isinstance(error, TrackingError)
        return True, "the first model" if first else "the one in use is of another version of this software"
    comparison = compare_karma_models(model, incumbent, *data.part(PROMOTION))
    run.metrics(comparison.metrics())
    if comparison.is_better:
        tracker.promote(MODEL, version)
    return comparison.is_better, f"against version {theirs}, {comparison.reason}"


def choose_algorithms(name: str) -> tuple[Algorithm, ...]:
    """The algorithm of that name; every one for ``all``."""
    return tuple(algorithm for algorithm in ALGORITHMS if name in ("all", algorithm))


def fit_params(seed: int) -> FitParams:
    """Settings of a training: the library's, with the interval and sequence of ``conf/karma.yaml``."""
    rules = load_karma_rules()
    return FitParams(interval=rules.interval, sequence_laps=rules.sequence_laps, seed=seed)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--algorithm", choices=("all", *ALGORITHMS), default="all", help="what learns; all tries each, the best is kept"
    )
    add_seed(parser)


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    return train_karma(lake, tracker, choose_algorithms(given.algorithm), fit_params(given.seed)).sentence


JOB: Final = BatchJob(
    name="train_karma",
    module="jobs.train_karma",
    command="train karma",
    summary="Train the model of wear on simulated laps whose wear is known, and register the best.",
    inputs=(GOLD_LAP_FEATURES, LABELS, SILVER_SESSIONS),
    outputs=(GOLD_MODEL_METRICS,),
    other_outputs=(f"MLflow model {MODEL}",),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
