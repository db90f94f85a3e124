"""Restate event times when a vehicle's clock offset has improved, and keep ``silver.sessions`` beside it."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.tables import SILVER_CLOCK_OFFSETS, SILVER_SESSIONS, SILVER_TELEMETRY
from medallion.io import Lake
from medallion.keys import vehicle_condition
from medallion.silver import clock_offsets, telemetry

_VEHICLE = ["session_id", "vehicle_id"]


def stale_vehicles(lake: Lake) -> DataFrame:
    """Vehicles whose rows have changed since their clock was last looked at, with their ``n`` and ``spread`` inputs."""
    now = lake.read(SILVER_TELEMETRY).groupBy(*_VEHICLE).agg(F.sum("n_readings").cast("bigint").alias("n_units"))
    seen = lake.read(SILVER_CLOCK_OFFSETS).groupBy(*_VEHICLE).agg(F.sum("n").alias("n_seen"))
    return now.join(seen, _VEHICLE, "left").where(~F.col("n_units").eqNullSafe(F.col("n_seen"))).select(*_VEHICLE)


def update_event_times(lake: Lake, run_id: str, vehicles: Iterable[tuple[str, str]] | None = None) -> int:
    """Update ``event_ts`` of stale vehicles to their clock's envelope; returns the number of vehicles examined.

    The result depends on the table's content alone, so it is the same however the rows arrived in batches. Only rows
    whose event time or source changes are rewritten; the offsets are written last, so that a killed run is repeated.

    Args:
        lake: Where the tables are.
        run_id: Job run.
        vehicles: Sessions and vehicles to look at; those that :func:`stale_vehicles` finds if left out.
    """
    stale: list[tuple[str, ...]] = (
        [tuple(r) for r in stale_vehicles(lake).collect()] if vehicles is None else [*vehicles]
    )
    if not stale:
        return 0
    sessions = sorted({s for s, _ in stale})
    wanted = lake.spark.createDataFrame(stale, "session_id string, vehicle_id string")
    table = lake.read(SILVER_TELEMETRY).where(F.col("session_id").isin(*sessions))
    rows = table.join(F.broadcast(wanted), _VEHICLE, "left_semi")
    keys = ["session_id", "vehicle_id", "ecu_ts", "ecu_seq"]
    columns = [*keys, "arrival_ts", "event_ts", "clock_source", "n_readings"]
    current = rows.select(*columns).persist()
    restated = clock_offsets.compute_event_times(current.select(*keys, "arrival_ts")).persist()
    try:
        old = current.select(*keys, F.col("event_ts").alias("old_ts"), F.col("clock_source").alias("old_source"))
        differs = ~F.col("event_ts").eqNullSafe(F.col("old_ts")) | ~F.col("clock_source").eqNullSafe(
            F.col("old_source")
        )
        changed = restated.join(old, keys).where(differs).select(*keys, "event_ts", "clock_source")
        changed = changed.withColumn("run_id", F.lit(run_id)).persist()
        if place := telemetry.file_pruning_condition(changed):
            assignments = {
                "event_ts": "s.event_ts",
                "event_date": "to_date(s.event_ts)",
                "clock_source": "s.clock_source",
                "run_id": "s.run_id",
            }
            lake.update_matched(changed, SILVER_TELEMETRY, assignments, prune=place, txn=None)
        changed.unpersist()
        _write_offsets(lake, current, restated, stale, run_id)
    finally:
        restated.unpersist()
        current.unpersist()
    _write_sessions(lake, sessions, run_id)
    return len(stale)


def _write_offsets(
    lake: Lake, current: DataFrame, restated: DataFrame, stale: list[tuple[str, ...]], run_id: str
) -> None:
    keys = ["session_id", "vehicle_id", "ecu_ts", "ecu_seq"]
    joined = restated.join(current.select(*keys, "n_readings"), keys)
    segments = joined.groupBy(*_VEHICLE, "segment").agg(
        F.min("ecu_ts").alias("ecu_from"),
        F.max("ecu_ts").alias("ecu_to"),
        F.first("offset_us").alias("offset_us"),
        F.sum("n_readings").cast("bigint").alias("n"),
        F.first("spread_us").alias("spread_us"),
        F.first("drift_ppm").alias("drift_ppm"),
        F.max(F.col("clock_source") == "arrival").alias("stood_still"),
    )
    rows = segments.withColumns({"updated_ts": F.current_timestamp(), "run_id": F.lit(run_id)})
    gone = " OR ".join(f"({vehicle_condition(session, vehicle, 't.')})" for session, vehicle in stale)
    lake.upsert(rows, SILVER_CLOCK_OFFSETS, delete_where=gone, prune=gone)


def _write_sessions(lake: Lake, sessions: list[str], run_id: str) -> None:
    rows = lake.read(SILVER_TELEMETRY).where(F.col("session_id").isin(*sessions))
    race = F.regexp_extract("session_id", r"-R(\d+)$", 1)
    synthetic = F.max(F.coalesce("is_synthetic", F.lit(False)))
    summary = rows.groupBy("session_id").agg(
        F.max("track_id").alias("track_id"),
        F.min("event_ts").alias("start_ts"),
        F.max("event_ts").alias("end_ts"),
        F.countDistinct("vehicle_id").cast("int").alias("n_vehicles"),
        F.count(F.lit(1)).alias("n_samples"),
        F.max("source").alias("source"),
        synthetic.alias("synthetic"),
    )
    # A session whose messages do not name their track may have been given one (`silver.tracks`): that stays.
    given = lake.read(SILVER_SESSIONS).select("session_id", F.col("track_id").alias("given_track_id"))
    named = summary.join(given, "session_id", "left").select(
        "session_id",
        F.coalesce("track_id", "given_track_id").alias("track_id"),
        "start_ts",
        "end_ts",
        "n_vehicles",
        "n_samples",
        "source",
        F.when(race != "", F.regexp_replace("session_id", r"-R\d+$", "")).alias("event"),
        F.when(F.col("synthetic"), "sim").when(race != "", "race").alias("session_type"),
        F.when(race != "", race.cast("int")).alias("race_number"),
        F.current_timestamp().alias("updated_ts"),
        F.lit(run_id).alias("run_id"),
    )
    lake.upsert(named, SILVER_SESSIONS)
