"""``gold.dptad_scores`` and ``gold.dptad_events``: how each lap was driven, and its incidents (B12-B18).

A lap's rows follow from its samples, its circuit and the version of its track's thresholds, and from nothing else: not
from other laps, nor from the order in which laps arrive. A track that has no thresholds yet is calibrated once, on the
first session with laps enough; all its laps are then scored again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from analysis.dptad import CATEGORIES, analyse_lap
from analysis.dptad.reference import REFERENCE_NAME, build_reference_lap
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.laps import load_lap_rules
from conf.reasons import Refusal
from conf.tables import GOLD_DPTAD_SCORES
from medallion.gold import dptad_thresholds
from medallion.gold.dptad_thresholds import UNCALIBRATED, TrackCalibration
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions
from medallion.part import sessions_part
from medallion.reading import read_rows
from medallion.silver.lap_traces import LAP
from medallion.silver.tracks import circuits_by_track, sessions_on_track, tracks_by_session


@dataclass(frozen=True)
class ScoringContext:
    """What the laps of one session are scored by.

    Attributes:
        circuit: Where they were driven, where that is known.
        calibration: What is usual there.
    """

    circuit: Circuit | None
    calibration: TrackCalibration


def score_lap(
    trace: LapTrace | Refusal, against: Sequence[str], start_us: int, context: ScoringContext
) -> dict[str, Any]:
    """Scores of one lap and its ``events``, or why it was not scored.

    Args:
        trace: The lap, or why there is none of it.
        against: Reasons of ``conf/laps.yaml`` for which it is not scored.
        start_us: When it began, microseconds since the epoch.
        context: What it is scored by.
    """
    if len(against):
        return _unscored_row("; ".join(load_lap_rules().reasons[reason].text.lower() for reason in against))
    return _unscored_row(trace.text) if isinstance(trace, Refusal) else _scored(trace, start_us, context)


def _unscored_row(reason: str) -> dict[str, Any]:
    return {"insights": [f"Not judged: {reason}"], "reasons": dict.fromkeys(CATEGORIES, reason), "events": []}


def _scored(trace: LapTrace, start_us: int, context: ScoringContext) -> dict[str, Any]:
    began = time.perf_counter()
    reference = build_reference_lap(context.circuit, context.calibration.stretch_s) if context.circuit else None
    analysis = analyse_lap(
        trace,
        context.circuit,
        context.calibration.thresholds,
        start_us=start_us,
        references=() if reference is None else (reference,),
        reference_name=REFERENCE_NAME,
    )
    found = [
        asdict(event)
        | {
            "event_ts": pd.Timestamp(start_us + round(event.t_lap_s * 1e6), unit="us"),
            "thresholds_version": analysis.thresholds_label,
        }
        for event in analysis.events
    ]
    return analysis.columns() | {"events": found, "compute_ms": 1000.0 * (time.perf_counter() - began)}


def plan_recalibration(
    lake: Lake, laps: Sequence[LapKey], run_id: str
) -> tuple[list[LapKey], dict[str, ScoringContext]]:
    """The laps to score, and what each session's are scored by.

    Laps of these tracks that were scored by other thresholds than the newest are scored again, so a run that was killed
    after it had calibrated leaves nothing behind.
    """
    tracks = tracks_by_session(lake, distinct_sessions(laps))
    circuits = circuits_by_track(lake, set(tracks.values()))
    known = dptad_thresholds.latest_calibrations(lake, circuits)
    for track in sorted(circuits.keys() - known.keys()):
        here = [session for session, of in tracks.items() if of == track]
        made = dptad_thresholds.make_first_calibration(lake, circuits[track], here, run_id)
        if made is not None:
            known[track] = made
    todo = set(laps)
    for track, calibration in known.items():
        everywhere = sessions_on_track(lake, track)
        tracks |= dict.fromkeys(everywhere, track)
        todo |= _scored_by_older_thresholds(lake, everywhere, calibration.thresholds.label)
    contexts = {
        session: ScoringContext(circuits.get(tracks.get(session, "")), known.get(tracks.get(session, ""), UNCALIBRATED))
        for session in distinct_sessions(todo)
    }
    return sorted(todo), contexts


def _scored_by_older_thresholds(lake: Lake, sessions: Sequence[str], label: str) -> set[LapKey]:
    """Laps of sessions that were scored by other thresholds than these."""
    rows = read_rows(lake, GOLD_DPTAD_SCORES, sessions_part(sessions), (*LAP, "thresholds_version"))
    return {LapKey(*row[:3]) for row in rows if row.thresholds_version not in (None, label)}
