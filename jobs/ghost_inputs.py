"""Inputs of ghost jobs: what a session's laps show of car and track, and the source of stretches; read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.car_limits.observed_limit import ObservedLimit, observed_limit_lap
from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import GridLap, grid_lap, stitched_s
from analysis.segmentation.lap_segments import PiecesError, lap_pieces
from analysis.segmentation.stretches import TrackStretch, stretches, zones_of
from analysis.segmentation.zones import Zone, at_least
from analysis.tracks.circuit import Circuit
from conf.ghost import Segmentation, load_segmentation
from jobs.segment_tracks import fast_laps, segment_sessions, track_of_sessions
from jobs.train_ghost import load_model
from medallion.gold.microsectors import SegmentationError, Segmented, fit_laps, latest_segmentation, quickest_traces
from medallion.io import Lake
from medallion.keys import LapKey
from ml.ghost.search.chain import StretchSource
from ml.ghost.search.human_laps import HumanLaps, human_laps
from ml.ghost.search.human_source import HumanSource
from ml.ghost.search.limits import CarLimits, learn_limits
from ml.tracking import Tracker

SourceKind = Literal["gan", "bootstrap"]


@dataclass(frozen=True)
class GhostInputs:
    """What a session's laps show of car and track.

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
    seen: ObservedLimit
    limits: CarLimits
    rules: Segmentation

    @property
    def parts(self) -> tuple[TrackStretch, ...]:
        """Stretches that laps are chained of."""
        return stretches(self.made.track.pieces, self.rules.stitched_zone_m)


def load_ghost_inputs(lake: Lake, tracker: Tracker, session_id: str, track_id: str | None = None) -> GhostInputs:
    """Read a session's fast laps and fit what they show.

    Raises:
        SegmentationError: If the track is not the session's, or no lap is fit.
        EnvelopeError: If the laps do not show what the cars can do.
    """
    circuit = track_of_sessions(lake, [session_id])
    if track_id not in (None, circuit.track_id):
        raise SegmentationError(f"{session_id} was driven on {circuit.track_id}, not on {track_id}")
    made = latest_segmentation(lake, circuit.track_id) or segment_sessions(lake, tracker, [session_id]).made
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
    seen = observed_limit_lap(found_traces, circuit, names=[key.uid for key in keys], not_above_s=stitched)
    human = human_laps(found_traces, circuit)
    limits = learn_limits(human, found_traces, circuit, seen, rules.feasibility)
    return GhostInputs(circuit, made, keys, found_traces, grid, zones, stitched, human, seen, limits, rules)


def open_source(
    tracker: Tracker, inputs: GhostInputs, kind: SourceKind, version: str | None
) -> tuple[StretchSource, str | None]:
    """Where stretches come from, and what the model is called.

    Raises:
        TrackingError: If there is no model.
        ModelFormatError: If it is of another version of this software.
    """
    if kind == "bootstrap":
        return HumanSource(inputs.laps), None
    from ml.ghost.model import GanSource

    model, _ = load_model(tracker, version)
    return GanSource(model, inputs.made.track), model.name


def _is_sound(trace: LapTrace, circuit: Circuit, made: Segmented) -> bool:
    try:
        lap_pieces(trace, circuit, made.track.pieces)
    except PiecesError:
        return False
    return True
