"""What is found in each lap where it was driven: DPTAD's scores and incidents, and how it passes each corner.

One pass: the samples of a lap are read and its trace is built once, for ``gold.dptad_scores``, ``gold.dptad_events``
and ``gold.corner_passes``. A lap's rows follow from its samples, its circuit and its track's thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.laps.trace import LapTrace
from conf.contract import Column, load_contract
from conf.reasons import Refusal, RefusalError
from conf.tables import GOLD_CORNER_PASSES, GOLD_DPTAD_EVENTS, GOLD_DPTAD_SCORES, GOLD_DPTAD_THRESHOLDS
from medallion.arrow_rows import arrow_rows, nan_to_null, stamp_rows
from medallion.exchange import exchange_table
from medallion.gold.corner_passes import lap_passes
from medallion.gold.dptad import ScoringContext, plan_recalibration, score_lap
from medallion.io import Lake
from medallion.keys import LapKey, distinct_sessions
from medallion.part import laps_part, sessions_part
from medallion.samples import are_few
from medallion.silver.lap_traces import LAP, apply_by_lap, build_trace, is_synthetic, lap_samples, read_lap_frames

TABLES: Final = (GOLD_DPTAD_SCORES, GOLD_DPTAD_EVENTS, GOLD_DPTAD_THRESHOLDS, GOLD_CORNER_PASSES)
_LISTS: Final = {"events": GOLD_DPTAD_EVENTS, "passes": GOLD_CORNER_PASSES}
_IGNORED: Final = ("run_id", "updated_ts", "compute_ms")
_STAMPS: Final = ("updated_ts", "run_id")
_OF_LAP: Final = (*LAP, "is_synthetic")
_PURPOSES: Final = ("wear", "style")  # driven from line to line, and not behind a safety car
_JUDGED_HERE: Final = ("speed_gap", "no_telemetry")  # a trace is refused for its own reason, a short gap costs nothing


def update_lap_analyses(lake: Lake, laps: Sequence[LapKey], run_id: str) -> int:
    """Bring scores, events and corner passes of laps up to date; returns how many laps have a row.

    Laps that are no more, or have lost their telemetry, lose their rows. Other laps may be scored again, see
    :func:`~medallion.gold.dptad.plan_recalibration`.
    """
    if not laps:
        return 0
    todo, contexts = plan_recalibration(lake, sorted(set(laps)), run_id)
    if not are_few(lake, laps_part(todo)):
        return _update_by_spark(lake, todo, contexts, run_id)
    rows = []
    for frame in read_lap_frames(lake, todo, ("unfit_for",)):
        unfit = dict(frame["unfit_for"].iloc[0] or ())
        reasons = dict.fromkeys(r for purpose in _PURPOSES for r in unfit.get(purpose) or () if r not in _JUDGED_HERE)
        frame["against"] = [list(reasons)] * len(frame)
        rows.append(analyse_lap_frame(frame, contexts[frame["session_id"].iloc[0]]))
    for table, found in analysis_tables(rows).items():
        exchange_table(lake, table, stamp_rows(found, run_id), laps_part(todo), ignore=_IGNORED)
    return len(rows)


def analysis_tables(rows: Sequence[Mapping[str, Any]]) -> dict[str, pa.Table]:
    """Rows of each table, from what :func:`analyse_lap_frame` found in laps."""
    found = {GOLD_DPTAD_SCORES: nan_to_null(arrow_rows(GOLD_DPTAD_SCORES, rows))}
    for name, table in _LISTS.items():
        found[table] = arrow_rows(table, ({c: row[c] for c in _OF_LAP} | one for row in rows for one in row[name]))
    return found


def analyse_lap_frame(frame: pd.DataFrame, context: ScoringContext) -> dict[str, Any]:
    """What is found in one lap: the columns of ``gold.dptad_scores``, its ``events``, and its ``passes`` of corners.

    Args:
        frame: The lap's samples in order of time, with ``against``, the reasons for which it is not scored.
        context: Where it was driven, and what it is scored by.
    """
    first = frame.iloc[0]
    trace: LapTrace | Refusal
    try:
        trace = build_trace(frame, context.circuit)
    except RefusalError as error:
        trace = error.refusal
    return {
        "session_id": first["session_id"],
        "vehicle_id": first["vehicle_id"],
        "lap_number": int(first["lap_number"]),
        "is_synthetic": is_synthetic(frame),
        "passes": lap_passes(trace, context.circuit),
        **score_lap(trace, first["against"], int(first["start_us"]), context),
    }


def _update_by_spark(lake: Lake, todo: Sequence[LapKey], contexts: Mapping[str, ScoringContext], run_id: str) -> int:
    rows = _analyse_laps(lap_samples(lake, todo, _unfit_reasons()), contexts).persist()
    try:
        count = rows.count()
        inside = f"({sessions_part(distinct_sessions(todo)).sql('t.')}) AND ({laps_part(todo).sql('t.')})"
        for table, found in ((GOLD_DPTAD_SCORES, _score_rows(rows)), *_list_rows(rows)):
            stamped = found.withColumns({"updated_ts": F.current_timestamp(), "run_id": F.lit(run_id)})
            lake.upsert(stamped, table, ignore=_IGNORED, delete_where=inside, prune=inside)
    finally:
        rows.unpersist()
    return count


def _analyse_laps(samples: DataFrame, contexts: Mapping[str, ScoringContext]) -> DataFrame:
    """One row a lap, as :func:`analyse_lap_frame` gives it.

    Args:
        samples: From :func:`~medallion.silver.lap_traces.lap_samples`, with ``against``.
        contexts: By session.
    """
    known, names = dict(contexts), [c.name for c in _lap_columns(GOLD_DPTAD_SCORES)] + list(_LISTS)
    listed = {
        name: {c.name: c.physical_type for c in _lap_columns(table) if c.name not in _OF_LAP}
        for name, table in _LISTS.items()
    }

    def analyse(frame: pd.DataFrame) -> pd.DataFrame:
        row = analyse_lap_frame(frame, known[frame["session_id"].iloc[0]])
        row |= {name: [{c: one.get(c) for c in own} for one in row[name]] for name, own in listed.items()}
        # As objects, so that what is missing is None: pandas would make it NaN, which is no text.
        return pd.DataFrame([[row.get(name) for name in names]], columns=names, dtype=object)

    schema = ", ".join(f"{c.name} {c.physical_type}" for c in _lap_columns(GOLD_DPTAD_SCORES))
    structs = {name: ", ".join(f"{c}: {kind}" for c, kind in own.items()) for name, own in listed.items()}
    lists = ", ".join(f"{name} array<struct<{struct}>>" for name, struct in structs.items())
    return apply_by_lap(samples, analyse, f"{schema}, {lists}")


def _score_rows(rows: DataFrame) -> DataFrame:
    """Columns of ``gold.dptad_scores`` of analysed laps; what has no value is null."""
    doubles = [c.name for c in _lap_columns(GOLD_DPTAD_SCORES) if c.physical_type == "DOUBLE"]
    return rows.drop(*_LISTS).withColumns({name: F.nanvl(name, F.lit(None)) for name in doubles})


def _list_rows(rows: DataFrame) -> list[tuple[str, DataFrame]]:
    """Columns of the tables of which a lap has several rows."""
    return [
        (table, rows.select(*_OF_LAP, F.explode(name).alias("one")).select(*_OF_LAP, "one.*"))
        for name, table in _LISTS.items()
    ]


def _unfit_reasons() -> SparkColumn:
    """What makes a lap unfit for one of ``_PURPOSES``."""
    nothing = F.array().cast("array<string>")
    reasons = (F.coalesce(F.col("unfit_for").getItem(purpose), nothing) for purpose in _PURPOSES)
    return F.array_except(F.concat(*reasons), F.array(*map(F.lit, _JUDGED_HERE))).alias("against")  # each once


def _lap_columns(table: str) -> list[Column]:
    """Columns of a table that follow from a lap."""
    return [c for c in load_contract(table).columns if c.name not in _STAMPS]
