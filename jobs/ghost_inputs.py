"""Inputs of ghost jobs: what a session's laps show of car and track, and the source of stretches; read once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.car_limits.observed_limit import ObservedLimit, observed_limit_lap
from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import GridLap, resample_by_distance, stitch_best_zones
from analysis.segmentation.lap_segments import LapSegmentError, split_lap
from analysis.segmentation.stretches import TrackStretch, split_into_stretches, zones_from_microsectors
from analysis.segmentation.zones import Zone, merge_short_zones
from analysis.tracks.circuit import Circuit
from conf.ghost import GhostRules, load_ghost_rules
from jobs.segment_tracks import choose_fast_laps, find_common_circuit, segment_sessions
from medallion.gold.microsectors import (
    SegmentationError,
    TrackSegmentation,
    find_ghost_laps,
    latest_segmentation,
    read_quickest_traces,
)
from medallion.io import Lake
from medallion.keys import LapKey
from ml.ghost.search.chain import StretchSource
from ml.ghost.search.human_laps import HumanLaps, build_human_laps
from ml.ghost.search.human_source import HumanSource
from ml.ghost.search.limits import CarLimits, learn_limits
from ml.registered import load_ghost_model
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
    made: TrackSegmentation
    keys: tuple[LapKey, ...]
    traces: tuple[LapTrace, ...]
    grid: tuple[GridLap, ...]
    zones: tuple[Zone, ...]
    stitched_s: float
    laps: HumanLaps
    seen: ObservedLimit
    limits: CarLimits
    rules: GhostRules

    @property
    def parts(self) -> tuple[TrackStretch, ...]:
        """Stretches that laps are chained of."""
        return split_into_stretches(self.made.track.pieces, self.rules.stitched_zone_m)


def load_ghost_inputs(lake: Lake, tracker: Tracker, session_id: str, track_id: str | None = None) -> GhostInputs:
    """Read a session's fast laps and fit what they show.

    Raises:
        SegmentationError: If the track is not the session's, or no lap is fit.
        EnvelopeError: If the laps do not show what the cars can do.
    """
    circuit = find_common_circuit(lake, [session_id])
    if track_id not in (None, circuit.track_id):
        raise SegmentationError(f"{session_id} was driven on {circuit.track_id}, not on {track_id}")
    made = latest_segmentation(lake, circuit.track_id) or segment_sessions(lake, tracker, [session_id]).made
    laps = find_ghost_laps(lake, [session_id])
    fast = choose_fast_laps(laps)
    found = read_quickest_traces(lake, circuit, [lap for lap, _ in laps if lap in fast])
    good = [(lap, trace) for lap, trace in found if _is_usable_lap(trace, circuit, made)]
    if not good:
        raise SegmentationError(
            f"no lap of {session_id} can be learned from: the column status of gold.lap_registry says why"
        )
    rules = load_ghost_rules()
    keys, found_traces = tuple(lap for lap, _ in good), tuple(trace for _, trace in good)
    zones = merge_short_zones(zones_from_microsectors(made.track.pieces), rules.stitched_zone_m)
    grid = tuple(resample_by_distance(trace, circuit) for trace in found_traces)
    stitched = stitch_best_zones(grid, zones)[0]
    seen = observed_limit_lap(found_traces, circuit, names=[key.uid for key in keys], not_above_s=stitched)
    human = build_human_laps(found_traces, circuit)
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

    model, _ = load_ghost_model(tracker, version)
    return GanSource(model, inputs.made.track), model.name


def _is_usable_lap(trace: LapTrace, circuit: Circuit, made: TrackSegmentation) -> bool:
    try:
        split_lap(trace, circuit, made.track.pieces)
    except LapSegmentError:
        return False
    return True
