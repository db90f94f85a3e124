"""Refresh clocks, entries, laps and results after new messages in silver.

A query of its own over the changes of the silver tables, so that a kill at any place costs nothing: its checkpoint says
what has been looked at, and each step depends on the tables' content alone.
"""

from __future__ import annotations

from collections import defaultdict
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from conf.tables import SILVER_RESULT_LINES, SILVER_SECTOR_TIMES, SILVER_TELEMETRY, SILVER_TIMING_EVENTS
from medallion.batching import batches_by_size
from medallion.io import Lake
from medallion.silver import event_time, laps, results
from streaming.query import Trigger, start_query

NAME = "silver_closing"
TABLES = (*laps.TABLES, *results.TABLES)
MOST_VEHICLES = 100
"""Closed at a time, as far as whole sessions allow."""
_SOURCES = (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES, SILVER_RESULT_LINES)


def start_session_tables(lake: Lake, run_id: str, trigger: Trigger) -> StreamingQuery:
    """Start the query over the changes of ``silver.telemetry`` and of the timing and result tables."""
    for name in (SILVER_TELEMETRY, *_SOURCES, *TABLES):
        lake.ensure(name)

    def close(df: DataFrame, _batch_id: int, _query: str) -> None:
        refresh_session_tables(lake, df, run_id)

    feeds = lake.spark.readStream.format("delta").option("readChangeFeed", "true").load(lake.uri(SILVER_TELEMETRY))
    # What only the steps here write of a sample says nothing new to them.
    feeds = feeds.where("_change_type <> 'update_preimage'")
    changed = [feeds.select("session_id", "vehicle_id", F.lit(True).alias("is_telemetry"))]
    for name in _SOURCES:
        stream = lake.spark.readStream.format("delta").load(lake.uri(name))
        changed.append(stream.select("session_id", "vehicle_id", F.lit(False).alias("is_telemetry")))
    return start_query(lake.spark, lake.settings, NAME, reduce(DataFrame.unionByName, changed), close, trigger)


def refresh_session_tables(lake: Lake, changes: DataFrame, run_id: str) -> None:
    """Refresh the clocks of vehicles with new telemetry, then entries, laps and results of their sessions.

    Args:
        lake: Where the tables are.
        changes: ``session_id, vehicle_id, is_telemetry`` of what has changed.
        run_id: Job run.
    """
    vehicles: defaultdict[str, set[str]] = defaultdict(set)
    for row in changes.distinct().collect():
        found = vehicles[row.session_id]
        if row.is_telemetry:
            found.add(row.vehicle_id)
    for names in batches_by_size({session: 1 + len(found) for session, found in vehicles.items()}, MOST_VEHICLES):
        changed = [laps.SessionChange(session, frozenset(vehicles[session])) for session in sorted(names)]
        event_time.update_event_times(
            lake, run_id, [(c.session_id, car) for c in changed for car in sorted(c.vehicles)]
        )
        laps.update_laps(lake, changed, run_id)
        results.update_results(lake, sorted(names), run_id)
