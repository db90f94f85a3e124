"""``gold.dptad_scores`` and ``gold.dptad_events``: how each lap was driven, and its incidents (B12-B18).

A lap's rows follow from its samples, its circuit and the version of its track's thresholds, and from nothing else: not
from other laps, nor from the order in which laps arrive. A track that has no thresholds yet is calibrated once, on the
first session with laps enough; all its laps are then scored again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import pandas as pd
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.dptad import CATEGORIES, analyse_lap
from analysis.dptad.reference import REFERENCE_NAME, build_reference_lap
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.contract import Column, load_contract
from conf.laps import load_lap_rules
from conf.reasons import RefusalError
from conf.tables import GOLD_DPTAD_EVENTS, GOLD_DPTAD_SCORES, GOLD_DPTAD_THRESHOLDS
from medallion.arrow_rows import arrow_rows, nan_to_null, stamp_rows
from medallion.exchange import exchange_table
from medallion.gold import dptad_thresholds
from medallion.gold.dptad_thresholds import UNCALIBRATED, TrackCalibration
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions
from medallion.part import laps_part, sessions_part
from medallion.reading import read_rows
from medallion.samples import are_few
from medallion.silver.lap_traces import LAP, apply_by_lap, build_trace, is_synthetic, lap_samples, read_lap_frames
from medallion.silver.tracks import circuits_by_track, sessions_on_track, tracks_by_session

TABLES: Final = (GOLD_DPTAD_SCORES, GOLD_DPTAD_EVENTS, GOLD_DPTAD_THRESHOLDS)
_IGNORED: Final = ("run_id", "updated_ts", "compute_ms")
_STAMPS: Final = ("updated_ts", "run_id")
_PURPOSES: Final = ("wear", "style")  # driven from line to line, and not behind a safety car
_JUDGED_HERE: Final = "speed_gap"  # a trace without speed for too long is refused, a short gap costs the lap nothing


@dataclass(frozen=True)
class ScoringContext:
    """What the laps of one session are scored by.

    Attributes:
        circuit: Where they were driven, where that is known.
        calibration: What is usual there.
    """

    circuit: Circuit | None
    calibration: TrackCalibration


def update_dptad(lake: Lake, laps: Sequence[LapKey], run_id: str) -> int:
    """Bring scores and events of laps up to date; returns how many laps have a row.

    Laps that are no more, or have lost their telemetry, lose their rows. Laps of these tracks that were scored by other
    thresholds than the newest are scored again, so a run that was killed after it had calibrated leaves nothing behind.
    """
    if not laps:
        return 0
    todo, contexts = _plan_recalibration(lake, sorted(set(laps)), run_id)
    if not are_few(lake, laps_part(todo)):
        return _update_by_spark(lake, todo, contexts, run_id)
    rows = []
    for frame in read_lap_frames(lake, todo, ("unfit_for",)):
        unfit = dict(frame["unfit_for"].iloc[0] or ())
        reasons = dict.fromkeys(r for purpose in _PURPOSES for r in unfit.get(purpose) or () if r != _JUDGED_HERE)
        frame["against"] = [list(reasons)] * len(frame)
        rows.append(score_lap(frame, contexts[frame["session_id"].iloc[0]]))
    events = [{**{name: row[name] for name in LAP}, **event} for row in rows for event in row.pop("events")]
    scores = nan_to_null(arrow_rows(GOLD_DPTAD_SCORES, rows))
    for table, found in ((GOLD_DPTAD_SCORES, scores), (GOLD_DPTAD_EVENTS, arrow_rows(GOLD_DPTAD_EVENTS, events))):
        exchange_table(lake, table, stamp_rows(found, run_id), laps_part(todo), ignore=_IGNORED)
    return len(rows)


def _update_by_spark(lake: Lake, todo: Sequence[LapKey], contexts: Mapping[str, ScoringContext], run_id: str) -> int:
    rows = score_laps(lap_samples(lake, todo, _unfit_reasons()), contexts).persist()
    try:
        count = rows.count()
        inside = f"({sessions_part(distinct_sessions(todo)).sql('t.')}) AND ({laps_part(todo).sql('t.')})"
        for table, found in ((GOLD_DPTAD_SCORES, score_rows(rows)), (GOLD_DPTAD_EVENTS, event_rows(rows))):
            stamped = found.withColumns({"updated_ts": F.current_timestamp(), "run_id": F.lit(run_id)})
            lake.upsert(stamped, table, ignore=_IGNORED, delete_where=inside, prune=inside)
    finally:
        rows.unpersist()
    return count


def score_laps(samples: DataFrame, contexts: Mapping[str, ScoringContext]) -> DataFrame:
    """One row a lap: the columns of ``gold.dptad_scores``, and ``event_rows``.

    Args:
        samples: From :func:`~medallion.silver.lap_traces.lap_samples`, with ``against``.
        contexts: By session.
    """
    known, names = dict(contexts), [c.name for c in _lap_columns(GOLD_DPTAD_SCORES)] + ["events"]

    def score(frame: pd.DataFrame) -> pd.DataFrame:
        row = score_lap(frame, known[frame["session_id"].iloc[0]])
        # As objects, so that what is missing is None: pandas would make it NaN, which is no text.
        return pd.DataFrame([[row.get(name) for name in names]], columns=names, dtype=object)

    own = ", ".join(f"{c.name}: {c.physical_type}" for c in _lap_columns(GOLD_DPTAD_EVENTS) if c.name not in LAP)
    schema = ", ".join(f"{c.name} {c.physical_type}" for c in _lap_columns(GOLD_DPTAD_SCORES))
    return apply_by_lap(samples, score, f"{schema}, events array<struct<{own}>>")


def score_rows(rows: DataFrame) -> DataFrame:
    """Columns of ``gold.dptad_scores`` of scored laps; what has no value is null."""
    doubles = [c.name for c in _lap_columns(GOLD_DPTAD_SCORES) if c.physical_type == "DOUBLE"]
    return rows.drop("events").withColumns({name: F.nanvl(name, F.lit(None)) for name in doubles})


def event_rows(rows: DataFrame) -> DataFrame:
    """Columns of ``gold.dptad_events`` of scored laps, one row an incident."""
    return rows.select(*LAP, F.explode("events").alias("event")).select(*LAP, "event.*")


def score_lap(frame: pd.DataFrame, context: ScoringContext) -> dict[str, Any]:
    """Scores and events of one lap, or why it was not scored.

    Args:
        frame: The lap's samples in order of time.
        context: What it is scored by.
    """
    first = frame.iloc[0]
    row = {
        "session_id": first["session_id"],
        "vehicle_id": first["vehicle_id"],
        "lap_number": int(first["lap_number"]),
        "is_synthetic": is_synthetic(frame),
    }
    if len(against := first["against"]):
        return row | _unscored_row("; ".join(load_lap_rules().reasons[reason].text.lower() for reason in against))
    try:
        trace = build_trace(frame, context.circuit)
    except RefusalError as error:
        return row | _unscored_row(error.refusal.text)
    return row | _scored(row, trace, int(first["start_us"]), context)


def _unfit_reasons() -> SparkColumn:
    """What makes a lap unfit for one of ``_PURPOSES``."""
    nothing = F.array().cast("array<string>")
    reasons = (F.coalesce(F.col("unfit_for").getItem(purpose), nothing) for purpose in _PURPOSES)
    return F.array_except(F.concat(*reasons), F.array(F.lit(_JUDGED_HERE))).alias("against")  # each once


def _unscored_row(reason: str) -> dict[str, Any]:
    return {"insights": [f"Not judged: {reason}"], "reasons": dict.fromkeys(CATEGORIES, reason), "events": []}


def _scored(row: Mapping[str, Any], trace: LapTrace, start_us: int, context: ScoringContext) -> dict[str, Any]:
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
            "is_synthetic": row["is_synthetic"],
        }
        for event in analysis.events
    ]
    return analysis.columns() | {"events": found, "compute_ms": 1000.0 * (time.perf_counter() - began)}


def _plan_recalibration(
    lake: Lake, laps: Sequence[LapKey], run_id: str
) -> tuple[list[LapKey], dict[str, ScoringContext]]:
    """The laps to score, and what each session's are scored by."""
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


def _lap_columns(table: str) -> list[Column]:
    """Columns of a table that follow from a lap."""
    return [c for c in load_contract(table).columns if c.name not in _STAMPS]
