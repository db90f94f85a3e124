"""Job: from a trained ghost model and a session's laps to a ghost lap (G12 to G18, G26, G27)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from analysis.tracks.circuit import Circuit
from conf.tables import GOLD_MICROSECTORS, SILVER_LAPS
from jobs.ghost_inputs import Ground, SourceKind, ground_of, source_of
from jobs.segment_tracks import EXPERIMENT
from medallion.gold import ghosts
from medallion.io import Lake
from medallion.provenance import code_version, job_run
from ml.ghost.search.feasibility import Verdict, summary
from ml.ghost.search.ghost_lap import GhostLap
from ml.ghost.search.search import OnProgress, SearchResult, search
from ml.ghost.search.uncertainty import integration_error_s, limit_error, stitched_error
from ml.tracking import KIND, Tracker

_SIGMAS: Final = 2.0


@dataclass(frozen=True)
class Timed:
    """A lap time with its standard error."""

    time_s: float
    error_s: float


@dataclass(frozen=True)
class Synthesized:
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
    limit: Timed
    ghost: Timed
    stitched: Timed
    best: Timed
    best_uid: str
    verdict: Verdict
    parquet: Path
    page: str
    rounds: tuple[tuple[float, bool], ...]

    @property
    def gain_s(self) -> Timed:
        """How much faster than the best human, and the standard error of that."""
        return Timed(self.best.time_s - self.ghost.time_s, float(np.hypot(self.best.error_s, self.ghost.error_s)))

    @property
    def is_faster(self) -> bool:
        """Whether the gain is more than twice its error."""
        return self.gain_s.time_s > _SIGMAS * self.gain_s.error_s


def synthesize(
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
) -> Synthesized:
    """Chain a ghost lap for a session's track and cars, judge it, and publish it or say why not.

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
    inputs = (SILVER_LAPS, GOLD_MICROSECTORS)
    with job_run(lake, "ghost_synthesize", inputs, ghosts.TABLES) as job:
        ground = ground_of(lake, tracker, session_id, track_id)
        source, model = source_of(tracker, ground, kind, model_version)
        with tracker.run(EXPERIMENT, f"synthesize-{session_id}", _tags()) as run:
            run.params({"session": session_id, "source": kind, "model": model, "seed": seed, "rounds": rounds})
            best = search(
                source, ground.parts, ground.laps, ground.limits, ground.rules, seed=seed, rounds=rounds,
                on_progress=on_progress,
            )  # fmt: skip
            found = _summary(ground, best.ghost, best.verdict, kind)
            uid = f"{session_id}/{ghosts.GHOST}/{ghosts.next_number(lake, session_id)}"
            row = found | {"lap_uid": uid, "session_id": session_id} | {"seed": seed, "mlflow_run_id": run.run_id}
            run.metrics({k: float(v) for k, v in row.items() if isinstance(v, float | bool)})
            samples = best.ghost.samples(ground.circuit, ground.made.track.pieces)
            parquet = _export(lake, row["lap_uid"], samples)
            registered = {
                "model_uri": model, "distance_m": ground.circuit.length_m, "parquet_path": str(parquet),
            }  # fmt: skip
            ghosts.write_ghost(lake, samples, row, registered, job.run_id)
            page = tracker.page(run)
        job.rows_in, job.rows_out = len(ground.laps), len(samples["sample_idx"])
    return _outcome(row, ground, best, parquet, page)


def _tags() -> dict[str, str]:
    return {KIND: "ghost-lap", "code_version": code_version()}


def _summary(ground: Ground, ghost: GhostLap, verdict: Verdict, kind: SourceKind) -> dict[str, Any]:
    """Columns of ``gold.ghost_summary`` that follow from the ghost and what stands beside it."""
    rng = np.random.default_rng(0)
    limit = limit_error(ground.traces, ground.seen, rng)
    stitched = stitched_error(ground.grid, ground.zones, rng)
    error_s = integration_error_s(ground.grid)
    return summary(ghost, verdict, ground.rules) | {
        "track_id": ground.circuit.track_id,
        "segmentation_version": ground.made.version,
        "source": kind,
        "ghost_error_s": error_s,
        "limit_error_s": limit.error_s,
        "stitched_lap_time_s": ground.stitched_s,
        "stitched_error_s": float(np.hypot(stitched.error_s, error_s)),
        "best_human_lap_time_s": ground.traces[0].lap_time_s,
        "best_human_error_s": error_s,
        "best_human_lap_uid": ground.keys[0].uid,
        "n_microsectors": len(ground.made.track.pieces),
    }


def _export(lake: Lake, uid: str, samples: dict[str, Any]) -> Path:
    """The ghost as a Parquet file (G26)."""
    folder = lake.settings.home / "exports" / "ghost"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uid.replace('/', '-')}.parquet"
    pd.DataFrame({name: values for name, values in samples.items() if values is not None}).to_parquet(path, index=False)
    return path


def _outcome(row: dict[str, Any], ground: Ground, best: SearchResult, parquet: Path, page: str) -> Synthesized:
    def timed(name: str) -> Timed:
        return Timed(row[f"{name}_lap_time_s"], row[f"{name}_error_s"])

    return Synthesized(
        row["lap_uid"], ground.circuit, timed("limit"), timed("ghost"), timed("stitched"), timed("best_human"),
        row["best_human_lap_uid"], best.verdict, parquet, page, best.rounds,
    )  # fmt: skip
