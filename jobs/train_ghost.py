"""Job: from micro-sector traces to a registered ghost model (G20 to G23)."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from analysis.segmentation.lap_segments import NORMALISED, STEPS
from analysis.segmentation.stretches import split_into_stretches
from analysis.segmentation.zones import TYPES, ZoneType
from conf.errors import TrainingDataError
from conf.ghost import load_ghost_rules
from conf.tables import GOLD_MICROSECTOR_TRACES, GOLD_MICROSECTORS, GOLD_MODEL_METRICS
from jobs.arguments import add_seed, add_sessions, whole_number
from jobs.job import BatchJob, RunContext
from jobs.model_metrics import write_metrics
from jobs.segment_tracks import EXPERIMENT, SCALER, SegmentationResult, segment_all
from medallion.gold.microsectors import TrackSegmentation
from medallion.io import Lake
from medallion.part import sessions_part
from medallion.provenance import code_version, git_sha
from ml.ghost import MODEL
from ml.ghost.dataset import GhostDataset, build_ghost_dataset
from ml.ghost.packaging import HEADLINE, ghost_card, ghost_to_log
from ml.ghost.passages import passages_to_bytes, windows_to_passages
from ml.ghost.scaler import scaler_from_bytes
from ml.ghost.windows import LapProfile
from ml.model_to_log import Column, TrackedDataset
from ml.registered import FILES, load_ghost_model
from ml.tracking import FROZEN, GIT_COMMIT, KIND, TrackedRun, Tracker

if TYPE_CHECKING:
    from ml.ghost.evaluation import GhostScores
    from ml.ghost.model import GhostModel
    from ml.ghost.training import TrainedZone, TrainingParams

_POLL_S: Final = 1.0
_PROGRESS: Final = "progress.jsonl"  # as in ml.ghost.train_worker, which needs torch to be read

OnProgress = Callable[[ZoneType, int, float], None]  # zone type, step, distance from held-out laps


@dataclass(frozen=True)
class GhostTrainingResult:
    """Outcome of a training.

    Attributes:
        zones: Training of each zone type.
        scores: Figures on laps that were kept aside.
        laps: Laps, those kept aside among them.
        promoted: Whether ``production`` now names this version.
        verdict: Why, or why not.
    """

    run_id: str
    page: str
    version: str
    zones: Mapping[ZoneType, TrainedZone]
    scores: GhostScores
    laps: int
    promoted: bool
    verdict: str
    plots: tuple[Path, ...]

    @property
    def sentence(self) -> str:
        """What was trained on how many laps, and whether it is in use now."""
        state = "now production" if self.promoted else "not promoted"
        return (
            f"{MODEL} version {self.version} from {self.laps:,} laps, scored on {self.scores.windows:,} windows of "
            f"{self.scores.laps} laps kept aside; {state} ({self.verdict})"
        )


def train_ghost(
    lake: Lake,
    tracker: Tracker,
    segmented: Sequence[SegmentationResult],
    sessions: Sequence[str],
    params: TrainingParams,
    *,
    processes: int = 1,
    rebuild: bool = False,
    on_progress: OnProgress | None = None,
) -> GhostTrainingResult:
    """Train a ghost model on the fast laps of sessions and register it.

    A training that was killed goes on where it was, as long as laps and settings are the same.

    Args:
        lake: Where the traces are.
        tracker: Where runs and models go.
        segmented: Outcome of the cutting of these sessions, one a track.
        sessions: Sessions.
        params: Settings of the training.
        processes: Zone types trained at the same time.
        rebuild: Drop what a killed training left.
        on_progress: Called after every evaluation.

    Raises:
        TrainingDataError: If there are too few laps, or a zone type is missing.
        TrainingError: If training went astray; nothing is registered then.
    """
    from ml.ghost.evaluation import evaluate_ghost

    settings = lake.settings
    with JOB.record_run(lake) as job:
        data = _dataset(lake, tracker, segmented, sessions, params.seed)
        exported = settings.home / "exports" / "ghost" / data.version
        data.save(exported)
        folder = settings.home / "training" / "ghost" / f"{data.version}-{_digest(params)}"
        if rebuild:
            shutil.rmtree(folder, ignore_errors=True)
        tags = {KIND: "ghost", "dataset_version": data.version, "code_version": code_version(), GIT_COMMIT: git_sha()}
        with tracker.run(EXPERIMENT, f"ghost-{data.version[:8]}", tags) as run:
            read = _log_inputs(run, lake, data, segmented, sessions, params)
            zones = _train_distributed(lake, exported, folder, params, processes, on_progress)
            model, files = _pack_model(tracker, segmented[0].scaling.scaler_id, folder, params)
            passages = windows_to_passages(data.held_out, model.scaler)
            run.file(passages_to_bytes(passages), FROZEN)
            scores = evaluate_ghost(model, data, params.seed)
            plots = _log_zones(run, tracker, zones, model, data, settings.reports_dir / "ghost")
            version = run.register(MODEL, ghost_to_log(files, passages.head(3)), HEADLINE, FILES)
            run.metrics(scores.metrics(), read)
            promoted, verdict = _promote(run, tracker, model, scores, data, params.seed, version)
            run.conclude(MODEL, version, ghost_card(data, scores).to_markdown(verdict), verdict)
            write_metrics(lake, "ghost", MODEL, run.run_id, scores.metrics(), job.run_id)
        job.rows_in, job.rows_out = len(data.laps), len(data.train) + len(data.held_out)
    return GhostTrainingResult(
        run.run_id, tracker.page(run), version, zones, scores, len(data.laps), promoted, verdict, plots
    )


def _dataset(
    lake: Lake, tracker: Tracker, segmented: Sequence[SegmentationResult], sessions: Sequence[str], seed: int
) -> GhostDataset:
    scalers = {one.scaling.scaler_id for one in segmented}
    if len(scalers) > 1:
        raise TrainingDataError("the sessions were normalised by different scalers: segment them anew in one go")
    rows = lake.read(GOLD_MICROSECTOR_TRACES).where(sessions_part(sessions).sql()).where("is_fast_lap")
    columns = ("lap_uid", "track_id", "microsector_id", "step", "distance_m", *NORMALISED)
    frame = rows.select(*columns).orderBy("lap_uid", "microsector_id", "step").toPandas()
    least = load_ghost_rules().stitched_zone_m
    made: dict[str, TrackSegmentation] = {one.made.track_id: one.made for one in segmented}
    tracks = {key: (one.track, split_into_stretches(one.track.pieces, least)) for key, one in made.items()}
    scaler = scaler_from_bytes(tracker.read(scalers.pop(), SCALER))
    return build_ghost_dataset(rows_to_profiles(frame), tracks, scaler, seed)


def rows_to_profiles(frame: pd.DataFrame) -> list[LapProfile]:
    """Laps out of rows of ``gold.microsector_traces`` in the order of its key; where pieces meet, one point is kept."""
    following = frame.groupby("lap_uid", sort=False)["microsector_id"].shift(-1)
    kept = frame[(frame["step"] < STEPS - 1) | (following != frame["microsector_id"] + 1)]
    return [
        LapProfile(
            str(uid),
            str(lap["track_id"].iloc[0]),
            lap["distance_m"].to_numpy(np.float64),
            lap[list(NORMALISED)].to_numpy(np.float64),
        )
        for uid, lap in kept.groupby("lap_uid", sort=True)
    ]


def _train_distributed(
    lake: Lake, data: Path, folder: Path, params: TrainingParams, processes: int, on_progress: OnProgress | None
) -> dict[ZoneType, TrainedZone]:
    """Train all zone types through Spark's distributor; on a cluster its executors must see the folders."""
    from pyspark.ml.torch.distributor import TorchDistributor

    from ml.ghost.train_worker import ERROR, train_zone_share
    from ml.ghost.training import TrainingError, has_gpu, read_trained_zone

    is_local = (lake.spark.sparkContext.master or "").startswith("local")
    distributor = TorchDistributor(num_processes=min(processes, len(TYPES)), local_mode=is_local, use_gpu=has_gpu())
    with _ProgressWatcher(folder, on_progress):
        try:
            distributor.run(train_zone_share, str(data), str(folder), asdict(params))
        except RuntimeError as error:
            said = [path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"*/{ERROR}"))]
            if not said:
                raise
            raise TrainingError("; ".join(said)) from error
    return {kind: read_trained_zone(folder / kind) for kind in TYPES}


class _ProgressWatcher:
    """Reports progress while the processes train."""

    def __init__(self, folder: Path, on_progress: OnProgress | None) -> None:
        self.folder, self.on_progress = folder, on_progress
        self.seen = dict.fromkeys(TYPES, 0)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        if self.on_progress:
            self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        if self.on_progress:
            self.thread.join()

    def _look(self) -> None:
        while not self.is_over.wait(_POLL_S):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        for kind in TYPES:
            path = self.folder / kind / _PROGRESS
            if path.is_file() and self.on_progress:
                lines = path.read_text(encoding="utf-8").splitlines()
                if len(lines) > self.seen[kind]:
                    newest = json.loads(lines[-1])
                    self.seen[kind] = len(lines)
                    self.on_progress(kind, newest["step"], newest["distance"])


def _pack_model(
    tracker: Tracker, scaler_id: str, folder: Path, params: TrainingParams
) -> tuple[GhostModel, dict[str, bytes]]:
    from ml.ghost.model import model_from_files, model_to_files
    from ml.ghost.training import WEIGHTS

    weights = {kind: (folder / kind / WEIGHTS).read_bytes() for kind in TYPES}
    files = model_to_files(weights, params.shape, tracker.read(scaler_id, SCALER), scaler_id)
    return model_from_files(files.__getitem__, "the new model"), files


def _log_inputs(
    run: TrackedRun,
    lake: Lake,
    data: GhostDataset,
    segmented: Sequence[SegmentationResult],
    sessions: Sequence[str],
    params: TrainingParams,
) -> TrackedDataset:
    """Settings, tables and laps; returns the laps as what they were read from."""
    run.params({k: v for k, v in asdict(params).items() if k != "shape"} | asdict(params.shape))
    run.params({"sessions": ", ".join(sessions), "scaler_id": segmented[0].scaling.scaler_id})
    run.params({f"segmentation.{one.made.track_id}": one.made.version for one in segmented})
    version = lake.version(GOLD_MICROSECTOR_TRACES)
    run.params({f"input.{GOLD_MICROSECTOR_TRACES}.version": version})
    sizes = {"laps": len(data.laps), "train_windows": len(data.train), "held_out_windows": len(data.held_out)}
    run.metrics(sizes)
    run.table({"laps": data.laps, "held_out": data.held_out_laps}, "laps")
    aside = _quoted(data.held_out_laps)
    parts = {
        part: TrackedDataset(
            table=GOLD_MICROSECTOR_TRACES,
            version=version,
            uri=lake.uri(GOLD_MICROSECTOR_TRACES),
            where=f"is_fast_lap and session_id in ({_quoted(sessions)}) and lap_uid {which} ({aside})",
            digest=data.version,
            context=part,
            rows=rows,
            columns=tuple(Column(name) for name in NORMALISED),
        )
        for part, which, rows in (
            ("training", "not in", len(data.laps) - len(data.held_out_laps)),
            ("testing", "in", len(data.held_out_laps)),
        )
    }
    run.datasets(list(parts.values()))
    return parts["testing"]


def _log_zones(
    run: TrackedRun,
    tracker: Tracker,
    zones: Mapping[ZoneType, TrainedZone],
    model: GhostModel,
    data: GhostDataset,
    plots: Path,
) -> tuple[Path, ...]:
    """A nested run a zone type, with its losses and pictures."""
    from ml.ghost.evaluation import generate_like
    from ml.ghost.plots import loss_figure, sample_figure

    paths = [run.figure(loss_figure(zones), "ghost_losses", plots)]
    for kind, zone in zones.items():
        with tracker.run(EXPERIMENT, kind.lower(), {KIND: "ghost-zone", "zone_type": kind}, is_nested=True) as own:
            own.params({"device": zone.device, "best_step": zone.best_step, "stopped_early": zone.stopped_early})
            for name in ("reconstruction", "divergence", "generator_loss", "critic_loss", "distance"):
                own.history(name, [(e.step, getattr(e, name)) for e in zone.history])
            own.metrics({"seconds": zone.seconds, "gpu_seconds": 0.0 if zone.device == "cpu" else zone.seconds})
            aside = data.held_out.of(kind)
            picture = sample_figure(kind, aside, generate_like(model, aside), model.scaler)
            paths.append(own.figure(picture, f"ghost_samples_{kind.lower()}", plots))
    return tuple(path for path in paths if path)


def _promote(
    run: TrackedRun,
    tracker: Tracker,
    model: GhostModel,
    scores: GhostScores,
    data: GhostDataset,
    seed: int,
    version: str,
) -> tuple[bool, str]:
    """Move the alias if the new model is nearer to the laps kept aside than the one in use."""
    from ml.ghost.evaluation import compare_ghost_models, generate_like, zone_distance
    from ml.ghost.model import ModelFormatError
    from ml.tracking import TrackingError

    try:
        incumbent, _ = load_ghost_model(tracker)
    except (TrackingError, ModelFormatError):
        tracker.promote(MODEL, version)
        return True, "the first model, or the one in use is of another version"
    if incumbent.scaler_id != model.scaler_id:
        tracker.promote(MODEL, version)
        return True, f"{incumbent.name} was trained with another scaler"
    theirs = zone_distance(data.held_out, generate_like(incumbent, data.held_out, seed))
    comparison = compare_ghost_models(scores.mean_distance, theirs)
    run.metrics(comparison.metrics())
    if comparison.is_better:
        tracker.promote(MODEL, version)
    return comparison.is_better, f"against {incumbent.name}: {comparison.reason}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _digest(params: TrainingParams) -> str:
    return hashlib.sha256(json.dumps(asdict(params), sort_keys=True).encode()).hexdigest()[:8]


def training_params(
    steps: int | None = None, seed: int = 0, learning_rate: float | None = None, *, unconditional: bool = False
) -> TrainingParams:
    """Settings of a training; the library's own where nothing is given."""
    from ml.ghost.networks import NetworkShape
    from ml.ghost.training import TrainingParams

    given: dict[str, Any] = {"steps": steps, "seed": seed, "learning_rate": learning_rate}
    given["shape"] = NetworkShape(is_conditional=False) if unconditional else None
    return TrainingParams(**{name: value for name, value in given.items() if value is not None})


def _add_arguments(parser: ArgumentParser) -> None:
    add_sessions(parser, "learn from the laps of this session; repeat it (default: all whose track is known)")
    parser.add_argument("--steps", type=whole_number(10), help="most steps a zone type (default: 3000)")
    add_seed(parser, "seed of weights, batches and the laps kept aside")
    parser.add_argument("--learning-rate", type=float, help="highest rate (default: 0.004)")
    parser.add_argument(
        "--processes", type=whole_number(1, 3), default=2, help="zone types trained at the same time (default: 2)"
    )
    parser.add_argument("--unconditional", action="store_true", help="tell the networks nothing of the stretch")
    parser.add_argument(
        "--rebuild", action="store_true", help="start anew instead of going on with a training that was killed"
    )


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    params = training_params(given.steps, given.seed, given.learning_rate, unconditional=given.unconditional)
    segmented, sessions = segment_all(lake, tracker, given.sessions)
    return train_ghost(
        lake, tracker, segmented, sessions, params, processes=given.processes, rebuild=given.rebuild
    ).sentence


JOB: Final = BatchJob(
    name="train_ghost",
    module="jobs.train_ghost",
    command="train ghost",
    summary="Train the ghost model, a network for each zone type, on the fast laps of sessions.",
    inputs=(GOLD_MICROSECTOR_TRACES, GOLD_MICROSECTORS),
    outputs=(GOLD_MODEL_METRICS,),
    other_outputs=(f"MLflow model {MODEL}", "what ghost_segment writes, where laps are not cut yet"),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
