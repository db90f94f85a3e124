"""``gold.lap_registry``: every lap that can be shown or compared, human and ghost (G27)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pyspark.sql import functions as F

from analysis.laps.resample import RATE_HZ
from analysis.tracks.circuit import Circuit
from conf.laps import load_lap_rules
from conf.tables import GOLD_LAP_REGISTRY, SILVER_LAPS, SILVER_TELEMETRY_100HZ
from medallion.exchange import exchange_rows, put_rows
from medallion.gold.microsector_traces import LapSegmentation
from medallion.gold.microsectors import PURPOSE
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.part import Part, sessions_part
from medallion.silver.lap_traces import LAP

ELIGIBLE: Final = "eligible"
HUMAN: Final = "human"


def register_human_laps(
    lake: Lake, sessions: Sequence[str], circuit: Circuit, cuts: Sequence[LapSegmentation], run_id: str
) -> int:
    """Register all laps of sessions that have telemetry; returns how many are eligible for ghosts.

    Args:
        lake: Where the tables are.
        sessions: Sessions on one track.
        circuit: The track.
        cuts: What became of the laps that are fit for a ghost.
        run_id: Job run.
    """
    of_lap = {cut.lap: cut for cut in cuts}
    laps = lake.read(SILVER_LAPS).where(sessions_part(sessions).sql()).where("sample_count > 0")
    against = F.col("unfit_for").getItem(PURPOSE).alias("against")
    found = laps.select(*LAP, "driver_id", "lap_time_ms", "is_valid", "is_synthetic", against)
    rows = [_row(row.asDict(), circuit, of_lap) for row in found.collect()]
    humans = Part(({"session_id": sorted(sessions), "lap_kind": [HUMAN]},))
    exchange_rows(lake, GOLD_LAP_REGISTRY, map(_stamped, rows), humans, run_id)
    return sum(row["status"] == ELIGIBLE for row in rows)


def register_ghost(lake: Lake, row: Mapping[str, Any], run_id: str) -> None:
    """Register one ghost lap.

    Args:
        lake: Where the tables are.
        row: Columns of the table.
        run_id: Job run.
    """
    put_rows(lake, GOLD_LAP_REGISTRY, [_stamped(row)], run_id)


def _stamped(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(row) | {"registered_ts": datetime.now(UTC)}


def _row(lap: Mapping[str, Any], circuit: Circuit, of_lap: Mapping[LapKey, LapSegmentation]) -> dict[str, Any]:
    key = LapKey(lap["session_id"], lap["vehicle_id"], lap["lap_number"])
    cut = of_lap.get(key)
    return {
        "lap_uid": key.uid,
        "lap_kind": HUMAN,
        "session_id": key.session_id,
        "track_id": circuit.track_id,
        "vehicle_id": key.vehicle_id,
        "driver_id": lap["driver_id"],
        "lap_number": key.lap_number,
        "lap_time_s": None if lap["lap_time_ms"] is None else lap["lap_time_ms"] / 1000.0,
        "integrated_time_s": cut.integrated_s if cut else None,
        "distance_m": circuit.length_m,
        "sample_rate_hz": RATE_HZ,
        "is_valid": lap["is_valid"],
        "trace_table": SILVER_TELEMETRY_100HZ,
        "status": _status(lap["against"], cut),
    }


def _status(against: Sequence[str] | None, cut: LapSegmentation | None) -> str:
    """``eligible``, or why a lap is not used for ghosts."""
    if against:
        return "; ".join(load_lap_rules().reasons[reason].text.lower() for reason in against)
    if cut is None:
        return "its samples cannot be put on an even grid"
    return cut.problem or ELIGIBLE
