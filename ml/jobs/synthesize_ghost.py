"""Job: from a trained ghost model and a session's laps to a ghost lap (G12 to G18, G26, G27)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from conf.ghost import Chaining, Segmentation, load_segmentation
from medallion.gold import ghosts, microsectors
from medallion.gold.microsectors import SegmentationError, Segmented, fit_laps, latest, quickest_traces
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.provenance import code_version, job_run
from medallion.silver.laps import LAPS
from ml.jobs.segment_ghost import EXPERIMENT, fast_laps, segment_sessions, track_of_sessions
from ml.jobs.train_ghost import load_model
from ml.tracking import KIND, Tracker
from physics.circuit import Circuit, LapTrace
from physics.ghost.bootstrap import Bootstrap
from physics.ghost.chain import ChainError, Focusing, Source, chain
from physics.ghost.errors import integration_error_s, limit_error, stitched_error
from physics.ghost.feasible import Verdict, judge, summary
from physics.ghost.gate import Gate
from physics.ghost.ghost_lap import Ghost, assemble
from physics.ghost.grid_lap import GridLap, grid_lap, stitched_s
from physics.ghost.human_laps import HumanLaps, human_laps
from physics.ghost.lap_pieces import PiecesError, lap_pieces
from physics.ghost.limits import Limits, learn_limits
from physics.ghost.stretches import stretches, zones_of
from physics.ghost.zones import Zone, at_least
from physics.limit_lap.seen import SeenLimit, seen_limit_lap

SourceKind = Literal["gan", "bootstrap"]
OnProgress = Callable[[int, int], None]  # stretches done, of how many

_SIGMAS: Final = 2.0
_STRICTER_MPS2: Final = 0.1
_STRICTER_SHARE: Final = 0.75


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


@dataclass(frozen=True)
class Ground:
    """What a session's laps say of car and track.

    Attributes:
        keys: The laps that were learned from, the quickest first.
        grid: The same laps on the grid.
        zones: What is stitched.
        stitched_s: The best passage of each zone, added up.
    """

    circuit: Circuit
    made: Segmented
    keys: tuple[LapKey, ...]
    traces: tuple[LapTrace, ...]
    grid: tuple[GridLap, ...]
    zones: tuple[Zone, ...]
    stitched_s: float
    laps: HumanLaps
    seen: SeenLimit
    limits: Limits
    rules: Segmentation


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
    inputs = (LAPS, microsectors.TABLE)
    with job_run(lake, "ghost_synthesize", inputs, ghosts.TABLES) as job:
        ground = _ground(lake, tracker, session_id, track_id)
        source, model = _source(tracker, ground, kind, model_version)
        with tracker.run(EXPERIMENT, f"synthesize-{session_id}", _tags()) as run:
            run.params({"session": session_id, "source": kind, "model": model, "seed": seed, "rounds": rounds})
            ghost, verdict, outcomes = _best_of(ground, source, seed, rounds, on_progress)
            found = _summary(ground, ghost, verdict, kind)
            uid = f"{session_id}/{ghosts.GHOST}/{ghosts.next_number(lake, session_id)}"
            row = found | {"lap_uid": uid, "session_id": session_id} | {"seed": seed, "mlflow_run_id": run.run_id}
            run.metrics({k: float(v) for k, v in row.items() if isinstance(v, float | bool)})
            samples = ghost.samples(ground.circuit, ground.made.track.pieces)
            parquet = _export(lake, row["lap_uid"], samples)
            registered = {
                "model_uri": model, "distance_m": ground.circuit.length_m, "parquet_path": str(parquet),
            }  # fmt: skip
            ghosts.write_ghost(lake, samples, row, registered, job.run_id)
            page = tracker.page(run)
        job.rows_in, job.rows_out = len(ground.laps), len(samples["sample_idx"])
    return _outcome(row, ground, verdict, parquet, page, outcomes)


def _tags() -> dict[str, str]:
    return {KIND: "ghost-lap", "code_version": code_version()}


def _ground(lake: Lake, tracker: Tracker, session_id: str, track_id: str | None) -> Ground:
    circuit = track_of_sessions(lake, [session_id])
    if track_id not in (None, circuit.track_id):
        raise SegmentationError(f"{session_id} was driven on {circuit.track_id}, not on {track_id}")
    made = latest(lake, circuit.track_id) or segment_sessions(lake, tracker, [session_id]).made
    laps = fit_laps(lake, [session_id])
    fast = fast_laps(laps)
    found = quickest_traces(lake, circuit, [lap for lap, _ in laps if lap in fast])
    good = [(lap, trace) for lap, trace in found if _is_sound(trace, circuit, made)]
    if not good:
        raise SegmentationError(
            f"no lap of {session_id} can be learned from: the column status of gold.lap_registry says why"
        )
    rules = load_segmentation()
    keys, found_traces = tuple(lap for lap, _ in good), tuple(trace for _, trace in good)
    zones = at_least(zones_of(made.track.pieces), rules.stitched_zone_m)
    grid = tuple(grid_lap(trace, circuit) for trace in found_traces)
    stitched = stitched_s(grid, zones)[0]
    seen = seen_limit_lap(found_traces, circuit, names=[key.uid for key in keys], not_above_s=stitched)
    human = human_laps(found_traces, circuit)
    limits = learn_limits(human, found_traces, circuit, seen, rules.feasibility)
    return Ground(circuit, made, keys, found_traces, grid, zones, stitched, human, seen, limits, rules)


def _is_sound(trace: LapTrace, circuit: Circuit, made: Segmented) -> bool:
    try:
        lap_pieces(trace, circuit, made.track.pieces)
    except PiecesError:
        return False
    return True


def _source(tracker: Tracker, ground: Ground, kind: SourceKind, version: str | None) -> tuple[Source, str | None]:
    """Where stretches come from, and what the model is called."""
    if kind == "bootstrap":
        return Bootstrap(ground.laps), None
    from ml.ghost.model import GanSource

    model, _ = load_model(tracker, version)
    return GanSource(model, ground.made.track), model.name


def _best_of(
    ground: Ground, source: Source, seed: int, rounds: int, on_progress: OnProgress | None
) -> tuple[Ghost, Verdict, tuple[tuple[float, bool], ...]]:
    """The fastest ghost of several rounds that a car could drive; the fastest of all where it could drive none.

    Raises:
        ChainError: If none of them came to an end.
    """
    parts = stretches(ground.made.track.pieces, ground.rules.stitched_zone_m)
    rules = ground.rules.chaining
    best: tuple[bool, float] = (True, float("inf"))
    kept: tuple[Ghost, Verdict] | None = None
    outcomes: list[tuple[float, bool]] = []
    failed = ChainError("no round was asked for: give at least one")
    for number in range(rounds):
        tell = _Counted(number * len(parts), rounds * len(parts), on_progress)
        try:
            chained = chain(
                source, parts, Gate(ground.limits, ground.laps, rules), ground.laps, rules,
                np.random.default_rng(seed + number), progress=tell,
            )  # fmt: skip
        except ChainError as error:
            failed = error
            outcomes.append((float("nan"), False))
            continue
        found = assemble(chained, ground.limits, ground.rules)
        verdict = judge(found)
        outcomes.append((found.lap_time_s, verdict.feasible))
        if not verdict.feasible:
            rules = _stricter(rules)
        if (not verdict.feasible, found.lap_time_s) < best:
            best, kept = (not verdict.feasible, found.lap_time_s), (found, verdict)
            if isinstance(source, Focusing):
                source.focus(chained)
    if kept is None:
        raise failed
    return *kept, tuple(outcomes)


def _stricter(rules: Chaining) -> Chaining:
    """Rules for candidates after a lap of theirs was refused as a whole: small excesses had added up."""
    return rules.model_copy(
        update={"margin_mps2": rules.margin_mps2 - _STRICTER_MPS2, "engine_n": _STRICTER_SHARE * rules.engine_n}
    )


class _Counted:
    """Counts stretches over all rounds."""

    def __init__(self, done: int, total: int, on_progress: OnProgress | None) -> None:
        self.done, self.total, self.on_progress = done, total, on_progress

    def __call__(self, *_: object) -> None:
        self.done += 1
        if self.on_progress:
            self.on_progress(self.done, self.total)


def _summary(ground: Ground, ghost: Ghost, verdict: Verdict, kind: SourceKind) -> dict[str, Any]:
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


def _outcome(
    row: dict[str, Any],
    ground: Ground,
    verdict: Verdict,
    parquet: Path,
    page: str,
    outcomes: Sequence[tuple[float, bool]],
) -> Synthesized:
    def timed(name: str) -> Timed:
        return Timed(row[f"{name}_lap_time_s"], row[f"{name}_error_s"])

    return Synthesized(
        row["lap_uid"], ground.circuit, timed("limit"), timed("ghost"), timed("stitched"), timed("best_human"),
        row["best_human_lap_uid"], verdict, parquet, page, tuple(outcomes),
    )  # fmt: skip
