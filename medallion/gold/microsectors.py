"""``gold.microsectors``: how a track is cut for ghosts, one version of it at a time (G9 to G11).

A version stays as it is, since traces, models and ghosts are made on it. It is cut on the fastest lap of the sessions
given; the limit lap that goes with it is fitted to their quick laps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pyspark.sql import functions as F

from analysis.car_limits.observed_limit import observed_limit_lap
from analysis.laps.trace import LapTrace
from analysis.segmentation.segmentation import SegmentedTrack, segment_track
from analysis.segmentation.zones import Microsector
from analysis.tracks.circuit import Circuit
from conf.errors import InputError
from conf.ghost import GhostRules, load_ghost_rules
from conf.tables import GOLD_MICROSECTORS, SILVER_LAPS
from conf.units import KMH_PER_MPS
from medallion.exchange import put_rows
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions
from medallion.part import sessions_part
from medallion.schema import sql_literal
from medallion.silver.lap_traces import LAP, read_traces

PURPOSE: Final = "ghost"
_MOST_LAPS = 40  # to fit the limit to: the quickest


class SegmentationError(InputError):
    """A track that cannot be cut; the message says why and what to do."""


@dataclass(frozen=True)
class TrackSegmentation:
    """One version of a track's segmentation.

    Attributes:
        version: From 1.
        track: The micro-sectors.
        reference_uid: The lap that zones were found on.
        sessions: Sessions whose laps the limit was fitted to.
    """

    track_id: str
    version: int
    track: SegmentedTrack
    reference_uid: str
    sessions: tuple[str, ...]


def find_ghost_laps(lake: Lake, sessions: Sequence[str]) -> list[tuple[LapKey, float]]:
    """Laps of sessions that are fit for a ghost, with their times in seconds, the quickest first."""
    rows = lake.read(SILVER_LAPS).where(sessions_part(sessions).sql()).where(F.array_contains("fit_for", PURPOSE))
    found = rows.where("lap_time_ms is not null").select(*LAP, "lap_time_ms").collect()
    laps = [(LapKey(r.session_id, r.vehicle_id, r.lap_number), r.lap_time_ms / 1000.0) for r in found]
    return sorted(laps, key=lambda lap: (lap[1], lap[0]))


def latest_segmentation(lake: Lake, track_id: str) -> TrackSegmentation | None:
    """The newest segmentation of a track, ``None`` where there is none.

    Raises:
        SegmentationError: If it was cut by other thresholds than those in force.
    """
    rows = lake.read(GOLD_MICROSECTORS).where(f"track_id = {sql_literal(track_id)}")
    newest = newest_segmentation_version(lake, track_id)
    if not newest:
        return None
    found = rows.where(f"segmentation_version = {newest}").orderBy("microsector_id").collect()
    first = found[0]
    if (first.thresholds or {}) != _thresholds(load_ghost_rules()):
        raise SegmentationError(
            f"segmentation {newest} of {track_id} was cut by other thresholds than conf/ghost.yaml has now: cut the "
            "track anew with `slipstream track segment --rebuild`"
        )
    return TrackSegmentation(track_id, newest, _segmented_track(found), first.reference_lap_uid, tuple(first.sessions))


def read_quickest_traces(lake: Lake, circuit: Circuit, laps: Sequence[LapKey]) -> list[tuple[LapKey, LapTrace]]:
    """Traces of the first laps given, as many as a limit is fitted to, the quickest first; those that have one."""
    quickest = laps[:_MOST_LAPS]
    found = read_traces(lake, quickest, dict.fromkeys(distinct_sessions(quickest), circuit))
    return sorted(found, key=lambda lap: lap[1].lap_time_s)


def newest_segmentation_version(lake: Lake, track_id: str) -> int:
    """Number of a track's newest segmentation, 0 where there is none."""
    rows = lake.read(GOLD_MICROSECTORS).where(f"track_id = {sql_literal(track_id)}")
    return rows.agg(F.max("segmentation_version")).collect()[0][0] or 0


def make_segmentation(lake: Lake, circuit: Circuit, sessions: Sequence[str], version: int) -> TrackSegmentation:
    """Cut a track by the laps of sessions driven on it; nothing is written.

    Raises:
        SegmentationError: If no lap is fit for a ghost.
        ZoneError: If the quickest lap does not show all kinds of zone.
        EnvelopeError: If the laps do not show what the cars can do.
    """
    laps = read_quickest_traces(lake, circuit, [lap for lap, _ in find_ghost_laps(lake, sessions)])
    if not laps:
        raise SegmentationError(
            f"no lap of {', '.join(sessions)} is fit for a ghost: `slipstream laps list` says what speaks against each"
        )
    limit = observed_limit_lap([trace for _, trace in laps], circuit, names=[lap.uid for lap, _ in laps])
    track = segment_track(laps[0][1], circuit, limit, load_ghost_rules())
    used = tuple(distinct_sessions(lap for lap, _ in laps))
    return TrackSegmentation(circuit.track_id, version, track, laps[0][0].uid, used)


def write_segmentation(lake: Lake, made: TrackSegmentation, run_id: str) -> None:
    """Add a version to the table."""
    put_rows(lake, GOLD_MICROSECTORS, microsector_rows(made), run_id)


def microsector_rows(made: TrackSegmentation) -> list[dict[str, Any]]:
    """Rows of ``gold.microsectors``."""
    shared = {
        "track_id": made.track_id,
        "segmentation_version": made.version,
        "reference_lap_uid": made.reference_uid,
        "sessions": list(made.sessions),
        "thresholds": _thresholds(load_ghost_rules()),
    }
    track = made.track
    speeds = (track.entry_mps * KMH_PER_MPS, track.slowest_mps * KMH_PER_MPS, track.limit_mps * KMH_PER_MPS)
    return [
        shared
        | {
            "microsector_id": piece.number,
            "zone": piece.zone,
            "zone_type": piece.kind,
            "start_m": piece.start_m,
            "end_m": piece.end_m,
            "length_m": piece.end_m - piece.start_m,
            "sector_id": piece.sector,
            "entry_speed_ref_kmh": float(entry),
            "min_speed_ref_kmh": float(slowest),
            "limit_speed_kmh": float(limit),
            "curvature_per_m": float(bend),
        }
        for piece, bend, entry, slowest, limit in zip(track.pieces, track.curvature_per_m, *speeds, strict=True)
    ]


def _segmented_track(found: Sequence[Any]) -> SegmentedTrack:
    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([row[name] for row in found], dtype=np.float64)

    pieces = tuple(Microsector(r.microsector_id, r.zone, r.zone_type, r.start_m, r.end_m, r.sector_id) for r in found)
    return SegmentedTrack(
        pieces,
        column("curvature_per_m"),
        column("limit_speed_kmh") / KMH_PER_MPS,
        column("entry_speed_ref_kmh") / KMH_PER_MPS,
        column("min_speed_ref_kmh") / KMH_PER_MPS,
    )


def _thresholds(rules: GhostRules) -> dict[str, float]:
    """What decides where a track is cut."""
    names = (
        "version",
        "brake_on_bar",
        "brake_on_mps2",
        "turn_lateral_g",
        "shortest_zone_m",
        "longest_microsector_m",
        "stitched_zone_m",
    )
    return {name: float(getattr(rules, name)) for name in names}
