"""``gold.ghost_laps`` and ``gold.ghost_summary``: ghost laps as they were made, drivable or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from analysis.laps.resample import RATE_HZ
from conf.contract import load_contract
from conf.tables import GOLD_GHOST_LAPS, GOLD_GHOST_SUMMARY, GOLD_LAP_REGISTRY
from medallion.exchange import put_rows
from medallion.gold import lap_registry
from medallion.io import Lake
from medallion.part import sessions_part
from medallion.schema import sql_literal

TABLES: Final = (GOLD_GHOST_LAPS, GOLD_GHOST_SUMMARY, GOLD_LAP_REGISTRY)
GHOST: Final = "ghost"
PUBLISHED, REJECTED = "published", "rejected"


def next_ghost_number(lake: Lake, session_id: str) -> int:
    """Number of the next ghost of a session, from 1; a ghost that was killed while it was written leaves a hole."""
    highest = 0
    for table in (GOLD_GHOST_LAPS, GOLD_GHOST_SUMMARY):
        uids = lake.read(table).where(sessions_part([session_id]).sql()).select("lap_uid").distinct().collect()
        highest = max([highest, *(int(row.lap_uid.rpartition("/")[2]) for row in uids)])
    return highest + 1


def write_ghost(
    lake: Lake, samples: Mapping[str, Any], summary: Mapping[str, Any], registered: Mapping[str, Any], run_id: str
) -> None:
    """Write a ghost: its samples first, what vouches for them last.

    Args:
        lake: Where the tables are.
        samples: Columns of ``gold.ghost_laps`` by name, arrays of one length; ``None`` for one that is unknown.
        summary: Row of ``gold.ghost_summary``.
        registered: Further columns of ``gold.lap_registry``.
        run_id: Job run.
    """
    uid, session = summary["lap_uid"], summary["session_id"]
    shared = {
        "lap_uid": uid,
        "session_id": session,
        "track_id": summary["track_id"],
        "mlflow_run_id": summary["mlflow_run_id"],
        "is_synthetic": True,
    }
    lake.replace(_samples(lake, samples, shared, run_id), GOLD_GHOST_LAPS, f"lap_uid = {sql_literal(uid)}")
    put_rows(lake, GOLD_GHOST_SUMMARY, [dict(summary) | {"created_ts": datetime.now(UTC)}], run_id)
    feasible = bool(summary["feasible"])
    row = {
        "lap_uid": uid,
        "lap_kind": GHOST,
        "session_id": session,
        "track_id": summary["track_id"],
        "lap_number": int(uid.rpartition("/")[2]),
        "lap_time_s": summary["ghost_lap_time_s"],
        "integrated_time_s": summary["ghost_lap_time_s"],
        "sample_rate_hz": RATE_HZ,
        "is_valid": feasible,
        "trace_table": GOLD_GHOST_LAPS,
        "mlflow_run_id": summary["mlflow_run_id"],
        "status": PUBLISHED if feasible else REJECTED,
    }
    lap_registry.register_ghost(lake, row | dict(registered), run_id)


def _samples(lake: Lake, samples: Mapping[str, Any], shared: Mapping[str, Any], run_id: str) -> Any:
    columns = [c for c in load_contract(GOLD_GHOST_LAPS).columns if c.name not in ("updated_ts", "run_id")]
    n = len(samples["sample_idx"])
    known = {name: np.full(n, None, dtype=object) if values is None else values for name, values in samples.items()}
    frame = pd.DataFrame({**known, **{name: [value] * n for name, value in shared.items()}})
    schema = ", ".join(f"{c.name} {c.physical_type}" for c in columns)
    rows = lake.spark.createDataFrame(frame[[c.name for c in columns]], schema)
    return rows.withColumns({"run_id": F.lit(run_id), "updated_ts": F.current_timestamp()})
