"""Job: from a trained ghost model and a session's laps to a ghost lap (G12 to G18, G26, G27)."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import pandas as pd

from analysis.drivers.formatting import describe_gap
from analysis.tracks.circuit import Circuit
from conf.frozen import FrozenModel
from conf.tables import GOLD_MICROSECTORS, SILVER_LAPS
from jobs.arguments import add_seed, whole_number
from jobs.ghost_inputs import GhostInputs, SourceKind, load_ghost_inputs, open_source
from jobs.job import BatchJob, RunContext
from jobs.segment_tracks import EXPERIMENT
from medallion.gold import ghosts
from medallion.io import Lake
from medallion.provenance import code_version
from ml.ghost import MODEL
from ml.ghost.search.feasibility import FeasibilityVerdict, ghost_summary_columns
from ml.ghost.search.ghost_lap import GhostLap
from ml.ghost.search.search import OnProgress, SearchResult, search_ghost
from ml.ghost.search.uncertainty import integration_error_s, limit_lap_error, stitched_lap_error
from ml.tracking import KIND, Tracker

_SIGMAS: Final = 2.0


class LapTimeEstimate(FrozenModel):
    """A lap time with its standard error."""

    time_s: float
    error_s: float


class GhostAnswer(FrozenModel):
    """A ghost as programs read it; see :class:`GhostSynthesisResult`."""

    lap_uid: str
    track_id: str
    limit: LapTimeEstimate
    ghost: LapTimeEstimate
    stitched: LapTimeEstimate
    best: LapTimeEstimate
    gain_s: LapTimeEstimate
    best_human_lap_uid: str
    feasible: bool
    notes: tuple[str, ...]
    figures: dict[str, float]
    rounds: tuple[tuple[float, bool], ...]
    parquet: Path
    run: str


@dataclass(frozen=True)
class GhostSynthesisResult:
    """Outcome of a synthesis.

    Attributes:
        uid: The ghost, ``session/ghost/number``.
        limit: The limit lap.
        ghost: The ghost.
        stitched: Best human passage of each zone, added up.
        best: Best human lap.
        best_uid: Its name.
        verdict: Whether a car could drive the ghost.
        parquet: The exported file.
        rounds: Lap time and feasibility of each round; NaN where no lap could be chained.
    """

    uid: str
    circuit: Circuit
    limit: LapTimeEstimate
    ghost: LapTimeEstimate
    stitched: LapTimeEstimate
    best: LapTimeEstimate
    best_uid: str
    verdict: FeasibilityVerdict
    parquet: Path
    page: str
    rounds: tuple[tuple[float, bool], ...]

    @property
    def answer(self) -> GhostAnswer:
        """The ghost without its circuit."""
        return GhostAnswer(
            lap_uid=self.uid,
            track_id=self.circuit.track_id,
            limit=self.limit,
            ghost=self.ghost,
            stitched=self.stitched,
            best=self.best,
            gain_s=self.gain_s,
            best_human_lap_uid=self.best_uid,
            feasible=self.verdict.feasible,
            notes=tuple(self.verdict.notes),
            figures=dict(self.verdict.figures),
            rounds=self.rounds,
            parquet=self.parquet,
            run=self.page,
        )

    @property
    def gain_s(self) -> LapTimeEstimate:
        """How much faster than the best human, and the standard error of that."""
        error_s = float(np.hypot(self.best.error_s, self.ghost.error_s))
        return LapTimeEstimate(time_s=self.best.time_s - self.ghost.time_s, error_s=error_s)

    @property
    def is_faster(self) -> bool:
        """Whether the gain is more than twice its error."""
        return self.gain_s.time_s > _SIGMAS * self.gain_s.error_s

    @property
    def sentence(self) -> str:
        """How the ghost compares with the best human, and whether that can be trusted."""
        gain = self.gain_s
        how = describe_gap(-gain.time_s, "the best human")
        if not self.verdict.feasible:
            said = ", but no car could drive it"
        elif not self.is_faster:
            said = f", which is within twice the error of {gain.error_s:.3f} s"
        else:
            said = f" (error {gain.error_s:.3f} s), and a car could drive it"
        return f"{self.uid}: {self.ghost.time_s:.3f} s, {how}{said}"


def synthesize_ghost(
    lake: Lake,
    tracker: Tracker,
    session_id: str,
    *,
    track_id: str | None = None,
    kind: SourceKind = "gan",
    model_version: str | None = None,
    seed: int = 0,
    rounds: int = 4,
    on_progress: OnProgress | None = None,
) -> GhostSynthesisResult:
    """Chain a ghost lap for a session's track and cars, check it, and publish it or say why not.

    Args:
        lake: Where laps are and the ghost goes.
        tracker: Where the model is and the run goes.
        session_id: Session whose laps say what the car can do.
        track_id: Track, to be sure of it; the session's own if left out.
        kind: Draw stretches from the model, or resample human ones.
        model_version: Version of the model; the one in use if left out.
        seed: Of the first round; each further one has the next.
        rounds: Laps that are chained, each near the best before it; the fastest that a car could drive is kept.
        on_progress: Called after each stretch.

    Raises:
        SegmentationError: If the track is not the session's, or no lap is fit.
        ChainError: If no round gave a lap.
        TrackingError: If there is no model.
        ModelFormatError: If it is of another version of this software.
    """
    with JOB.record_run(lake) as job:
        inputs = load_ghost_inputs(lake, tracker, session_id, track_id)
        source, model = open_source(tracker, inputs, kind, model_version)
        with tracker.run(EXPERIMENT, f"synthesize-{session_id}", _tags()) as run:
            run.params({"session": session_id, "source": kind, "model": model, "seed": seed, "rounds": rounds})
            best = search_ghost(
                source,
                inputs.parts,
                inputs.laps,
                inputs.limits,
                inputs.rules,
                seed=seed,
                rounds=rounds,
                on_progress=on_progress,
            )
            found = _summary(inputs, best.ghost, best.verdict, kind)
            uid = f"{session_id}/{ghosts.GHOST}/{ghosts.next_ghost_number(lake, session_id)}"
            row = found | {"lap_uid": uid, "session_id": session_id} | {"seed": seed, "mlflow_run_id": run.run_id}
            run.metrics({k: float(v) for k, v in row.items() if isinstance(v, float | bool)})
            samples = best.ghost.samples(inputs.circuit, inputs.made.track.pieces)
            parquet = _export(lake, row["lap_uid"], samples)
            registered = {
                "model_uri": model,
                "distance_m": inputs.circuit.length_m,
                "parquet_path": str(parquet),
            }
            ghosts.write_ghost(lake, samples, row, registered, job.run_id)
            page = tracker.page(run)
        job.rows_in, job.rows_out = len(inputs.laps), len(samples["sample_idx"])
    return _outcome(row, inputs, best, parquet, page)


def _tags() -> dict[str, str]:
    return {KIND: "ghost-lap", "code_version": code_version()}


def _summary(inputs: GhostInputs, ghost: GhostLap, verdict: FeasibilityVerdict, kind: SourceKind) -> dict[str, Any]:
    """Columns of ``gold.ghost_summary`` that follow from the ghost and what stands beside it."""
    rng = np.random.default_rng(0)
    limit = limit_lap_error(inputs.traces, inputs.seen, rng)
    stitched = stitched_lap_error(inputs.grid, inputs.zones, rng)
    error_s = integration_error_s(inputs.grid)
    return ghost_summary_columns(ghost, verdict, inputs.rules) | {
        "track_id": inputs.circuit.track_id,
        "segmentation_version": inputs.made.version,
        "source": kind,
        "ghost_error_s": error_s,
        "limit_error_s": limit.error_s,
        "stitched_lap_time_s": inputs.stitched_s,
        "stitched_error_s": float(np.hypot(stitched.error_s, error_s)),
        "best_human_lap_time_s": inputs.traces[0].lap_time_s,
        "best_human_error_s": error_s,
        "best_human_lap_uid": inputs.keys[0].uid,
        "n_microsectors": len(inputs.made.track.pieces),
    }


def _export(lake: Lake, uid: str, samples: dict[str, Any]) -> Path:
    """The ghost as a Parquet file (G26)."""
    folder = lake.settings.home / "exports" / "ghost"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uid.replace('/', '-')}.parquet"
    pd.DataFrame({name: values for name, values in samples.items() if values is not None}).to_parquet(path, index=False)
    return path


def _outcome(
    row: dict[str, Any], inputs: GhostInputs, best: SearchResult, parquet: Path, page: str
) -> GhostSynthesisResult:
    def timed(name: str) -> LapTimeEstimate:
        return LapTimeEstimate(time_s=row[f"{name}_lap_time_s"], error_s=row[f"{name}_error_s"])

    return GhostSynthesisResult(
        row["lap_uid"],
        inputs.circuit,
        timed("limit"),
        timed("ghost"),
        timed("stitched"),
        timed("best_human"),
        row["best_human_lap_uid"],
        best.verdict,
        parquet,
        page,
        best.rounds,
    )


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--session", required=True, help="its laps say what the cars can do")
    parser.add_argument("--track", help="track, to be sure of it (default: the session's own)")
    parser.add_argument(
        "--source", choices=get_args(SourceKind), default="gan", help="draw from the model, or resample human laps"
    )
    parser.add_argument("--model-version", help=f"version of {MODEL} in the registry (default: the one in use)")
    add_seed(parser, "seed of the search")
    parser.add_argument("--rounds", type=whole_number(1), default=4, help="rounds of the search")


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    return synthesize_ghost(
        lake,
        tracker,
        given.session,
        track_id=given.track,
        kind=given.source,
        model_version=given.model_version,
        seed=given.seed,
        rounds=given.rounds,
    ).sentence


JOB: Final = BatchJob(
    name="ghost_synthesize",
    module="jobs.synthesize_ghost",
    command="ghost synthesize",
    summary="Make a ghost lap: faster than the best human, and one that a car could drive.",
    inputs=(SILVER_LAPS, GOLD_MICROSECTORS),
    outputs=ghosts.TABLES,
    other_inputs=(f"MLflow model {MODEL}",),
    other_outputs=(f"MLflow experiment {EXPERIMENT}", "a Parquet file"),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
