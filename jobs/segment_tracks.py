"""Job: cut the track of sessions into micro-sectors and their laps with it (G9 to G11), with the scaler (G8, G23)."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pyspark.sql import functions as F

from analysis.tracks.circuit import Circuit
from conf.ghost import load_ghost_rules
from conf.tables import (
    GOLD_LAP_REGISTRY,
    GOLD_MICROSECTOR_TRACES,
    GOLD_MICROSECTORS,
    SILVER_LAPS,
    SILVER_TELEMETRY_100HZ,
)
from jobs.arguments import add_sessions
from jobs.job import BatchJob, RunContext
from medallion.gold import lap_registry, microsectors
from medallion.gold.microsector_traces import ChannelScaling, LapSegmentation, update_traces
from medallion.gold.microsectors import (
    SegmentationError,
    TrackSegmentation,
    find_ghost_laps,
    latest_segmentation,
    newest_segmentation_version,
)
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.part import sessions_part
from medallion.silver.tracks import circuits_by_track, tracks_by_session
from ml.ghost.scaler import CHANNELS, fit_scaler, scaler_from_bytes, scaler_to_bytes
from ml.tracking import KIND, Tracker

EXPERIMENT: Final = "ghost-gan"
SCALER: Final = "scaler.json"
_KIND: Final = "scaler.json"


@dataclass(frozen=True)
class SegmentationResult:
    """Outcome of the job.

    Attributes:
        made: The segmentation that was used.
        is_new: Whether it was cut in this run.
        scaling: The scaler.
        cuts: What became of each lap that is fit for a ghost.
        fast: How many of them count as fast.
        eligible: Laps that ghosts can be learned from.
    """

    circuit: Circuit
    made: TrackSegmentation
    is_new: bool
    scaling: ChannelScaling
    cuts: tuple[LapSegmentation, ...]
    fast: int
    eligible: int

    @property
    def sentence(self) -> str:
        """What the track was cut into, and how many laps there are to learn from."""
        cut = "new" if self.is_new else "as before"
        return (
            f"{self.made.track_id}, segmentation {self.made.version} ({cut}): {len(self.made.track.pieces)} "
            f"micro-sectors, {self.eligible} laps to learn from, {self.fast} of them fast"
        )

    @property
    def problems(self) -> list[tuple[str, int]]:
        """Why laps were left out, the commonest first."""
        return Counter(cut.problem for cut in self.cuts if cut.problem).most_common()


def find_common_circuit(lake: Lake, sessions: Sequence[str]) -> Circuit:
    """The one track that sessions were driven on.

    Raises:
        SegmentationError: If one does not say, they were driven on several, or the track is not known.
    """
    tracks = tracks_by_session(lake, sessions)
    if silent := sorted(set(sessions) - tracks.keys()):
        raise SegmentationError(
            f"nothing says on which track {', '.join(silent)} was driven: see `slipstream track list`, or say it with "
            "`slipstream track assign`"
        )
    if len(found := sorted(set(tracks.values()))) > 1:
        raise SegmentationError(f"the sessions were driven on {', '.join(found)}: give those of one track at a time")
    circuit = circuits_by_track(lake, found).get(found[0])
    if circuit is None:
        raise SegmentationError(
            f"track '{found[0]}' is not known: build it with `slipstream track build --name {found[0]} --session "
            f"{sessions[0]}`"
        )
    return circuit


def segment_sessions(
    lake: Lake, tracker: Tracker, sessions: Sequence[str], *, rebuild: bool = False
) -> SegmentationResult:
    """Cut laps of sessions on one track into micro-sectors.

    The track is cut once, by the sessions it is first asked for with, and the scaler is fitted once for the lake.

    Args:
        lake: Where the tables are.
        tracker: Where the scaler is kept.
        sessions: Sessions.
        rebuild: Cut the track anew, as its next version.

    Raises:
        SegmentationError: If the track is not known, or no lap is fit for a ghost.
    """
    with JOB.record_run(lake) as run:
        circuit = find_common_circuit(lake, sessions)
        before = None if rebuild else latest_segmentation(lake, circuit.track_id)
        made = before or microsectors.make_segmentation(
            lake, circuit, sessions, newest_segmentation_version(lake, circuit.track_id) + 1
        )
        if before is None:
            microsectors.write_segmentation(lake, made, run.run_id)
        laps = find_ghost_laps(lake, sessions)
        fast = choose_fast_laps(laps)
        scaling = _lake_scaling(lake, tracker, sessions, fast)
        cuts = update_traces(lake, made, circuit, sessions, scaling, fast, run.run_id)
        eligible = lap_registry.register_human_laps(lake, sessions, circuit, cuts, run.run_id)
        run.rows_in, run.rows_out = len(laps), eligible
    done = {cut.lap for cut in cuts if cut.problem is None}
    return SegmentationResult(circuit, made, before is None, scaling, tuple(cuts), len(done & fast), eligible)


def segment_all(
    lake: Lake, tracker: Tracker, sessions: Sequence[str] | None, *, rebuild: bool = False
) -> tuple[list[SegmentationResult], list[str]]:
    """Cut sessions of one or several tracks, track by track.

    Args:
        lake: Where the tables are.
        tracker: Where the scaler is kept.
        sessions: Sessions; all that have a lap fit for a ghost and say their track if left out.
        rebuild: Cut the tracks anew.

    Returns:
        What was done, one a track, and the sessions.

    Raises:
        SegmentationError: If there is no such session, or none that fits.
    """
    asked = sorted(set(sessions)) if sessions else _sessions_with_laps(lake)
    tracks = tracks_by_session(lake, asked)
    if not sessions:
        asked = [session for session in asked if session in tracks]
    if not asked:
        raise SegmentationError(
            "no session has a lap fit for a ghost on a track that is known: see `slipstream laps list`"
        )
    by_track: dict[str, list[str]] = {}
    for session in asked:
        by_track.setdefault(tracks.get(session, ""), []).append(session)
    return [segment_sessions(lake, tracker, some, rebuild=rebuild) for _, some in sorted(by_track.items())], asked


def _sessions_with_laps(lake: Lake) -> list[str]:
    rows = (
        lake.read(SILVER_LAPS).where(F.array_contains("fit_for", microsectors.PURPOSE)).select("session_id").distinct()
    )
    return sorted(row.session_id for row in rows.collect())


def choose_fast_laps(laps: Sequence[tuple[LapKey, float]]) -> set[LapKey]:
    """Laps whose time is within the share of ``conf/ghost.yaml`` of the best of their session."""
    best: dict[str, float] = {}
    for lap, time_s in laps:
        best[lap.session_id] = min(time_s, best.get(lap.session_id, np.inf))
    most = load_ghost_rules().fast_lap_ratio
    return {lap for lap, time_s in laps if time_s <= most * best[lap.session_id]}


def _lake_scaling(lake: Lake, tracker: Tracker, sessions: Sequence[str], fast: set[LapKey]) -> ChannelScaling:
    """The lake's scaler, fitted to the fast laps of the first sessions that were cut."""
    run_id = tracker.newest_run(EXPERIMENT, _KIND)
    if run_id is None:
        run_id = _fit_scaler(lake, tracker, sessions, fast)
    scaler = scaler_from_bytes(tracker.read(run_id, SCALER))
    return ChannelScaling(run_id, tuple(map(float, scaler.least)), tuple(map(float, scaler.span)))


def _fit_scaler(lake: Lake, tracker: Tracker, sessions: Sequence[str], fast: set[LapKey]) -> str:
    even = lake.read(SILVER_TELEMETRY_100HZ).where(sessions_part(sessions).sql()).where("sample_idx % 10 = 0")
    rows = even.select("session_id", "vehicle_id", "lap_number", *CHANNELS).na.drop().toPandas()
    keys = zip(rows["session_id"], rows["vehicle_id"], rows["lap_number"], strict=True)
    is_fast = np.array([LapKey(session, vehicle, int(number)) in fast for session, vehicle, number in keys], dtype=bool)
    if not is_fast.any():
        raise SegmentationError(
            f"no fast lap of {', '.join(sessions)} has speed, throttle, brake and steering together: a ghost needs all"
        )
    scaler = fit_scaler(rows.loc[is_fast, list(CHANNELS)].to_numpy(np.float64))
    with tracker.run(EXPERIMENT, "scaler", {KIND: _KIND}) as run:
        run.params({"laps": len(fast), "samples": int(is_fast.sum()), "sessions": ", ".join(sessions)})
        run.metrics({f"least.{n}": v for n, v in zip(CHANNELS, scaler.least, strict=True)})
        run.metrics({f"span.{n}": v for n, v in zip(CHANNELS, scaler.span, strict=True)})
        run.file(scaler_to_bytes(scaler), SCALER)
    return run.run_id


def _add_arguments(parser: ArgumentParser) -> None:
    add_sessions(parser, "cut the laps of this session; repeat it (default: all whose track is known)")
    parser.add_argument("--rebuild", action="store_true", help="cut the tracks anew, as their next version")


def _run(context: RunContext, given: Namespace) -> str:
    lake, tracker = context.open_lake_and_tracker()
    done, _ = segment_all(lake, tracker, given.sessions, rebuild=given.rebuild)
    return "\n".join(one.sentence for one in done)


JOB: Final = BatchJob(
    name="ghost_segment",
    module="jobs.segment_tracks",
    command="track segment",
    summary="Cut tracks into micro-sectors, and laps with them: what ghosts are trained on.",
    inputs=(SILVER_LAPS, SILVER_TELEMETRY_100HZ, GOLD_MICROSECTORS),
    outputs=(GOLD_MICROSECTORS, GOLD_MICROSECTOR_TRACES, GOLD_LAP_REGISTRY),
    other_outputs=(f"MLflow experiment {EXPERIMENT}",),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
