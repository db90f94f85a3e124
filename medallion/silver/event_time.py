"""Restate event times when a vehicle's clock offset has improved, and keep ``silver.sessions`` beside it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from analysis.timing.session_laps import us_to_datetime
from conf.tables import SILVER_CLOCK_OFFSETS, SILVER_SESSIONS, SILVER_TELEMETRY
from medallion.arrow_rows import instants
from medallion.exchange import exchange_rows, put_rows, set_columns
from medallion.io import Lake
from medallion.keys import Vehicle
from medallion.part import Part, group_by_session, sessions_part, vehicles_part
from medallion.per_vehicle import VEHICLE
from medallion.reading import read_rows, read_table, scan_table
from medallion.samples import CLOCKS_AND_LAPS, are_few
from medallion.silver import clock_offsets, telemetry

STEADY_US: Final = 50_000
"""How far instants of a car that drives may be off: about what ten minutes of drift are, which is not known before."""
_SUMMED_UP: Final = [
    ("track_id", "max"),
    ("event_ts", "min"),
    ("event_ts", "max"),
    ("vehicle_id", "distinct"),
    ("vehicle_id", "count"),
    ("source", "max"),
    ("is_synthetic", "max"),
]


def stale_vehicles(lake: Lake) -> DataFrame:
    """Vehicles whose rows have changed since their clock was last looked at, with their ``n`` and ``spread`` inputs."""
    now = lake.read(SILVER_TELEMETRY).groupBy(*VEHICLE).agg(F.sum("n_readings").cast("bigint").alias("n_units"))
    seen = lake.read(SILVER_CLOCK_OFFSETS).groupBy(*VEHICLE).agg(F.sum("n").alias("n_seen"))
    return now.join(seen, VEHICLE, "left").where(~F.col("n_units").eqNullSafe(F.col("n_seen"))).select(*VEHICLE)


def update_event_times(
    lake: Lake, run_id: str, vehicles: Iterable[Vehicle] | None = None, may_stay: Set[Vehicle] = frozenset()
) -> set[Vehicle]:
    """Update ``event_ts`` of stale vehicles to their clock's envelope.

    The result depends on the table's content alone, so it is the same however the rows arrived in batches. Only rows
    whose event time or source changes are rewritten; the offsets are written last, so that a killed run is repeated.

    As a race goes on the envelope moves, and with it every instant of the race: the rows of a car that is driving may
    stay as they are, and only those to come follow what is now known of its clock.

    Args:
        lake: Where the tables are.
        run_id: Job run.
        vehicles: Sessions and vehicles to look at; those that :func:`stale_vehicles` finds if left out.
        may_stay: Those whose rows may stay as they are while none is off by more than ``STEADY_US``.

    Returns:
        Vehicles whose rows stayed so: they are to be looked at again.
    """
    stale = {(r.session_id, r.vehicle_id) for r in stale_vehicles(lake).collect()} if vehicles is None else {*vehicles}
    if not stale:
        return set()
    part, stayed = vehicles_part(group_by_session(stale)), set[Vehicle]()
    if are_few(lake, part, CLOCKS_AND_LAPS):
        stayed = _restate_on_driver(lake, part, run_id, may_stay)
    else:
        _restate_by_spark(lake, part, run_id)
    _write_sessions(lake, sorted({session for session, _ in stale}), run_id)
    return stayed


def _restate_on_driver(lake: Lake, part: Part, run_id: str, may_stay: Set[Vehicle]) -> set[Vehicle]:
    known = {(r.session_id, r.vehicle_id) for r in read_rows(lake, SILVER_CLOCK_OFFSETS, part, VEHICLE)}
    columns = [*telemetry.KEY, "arrival_ts", "event_ts", "clock_source", "n_readings"]
    table = read_table(lake, SILVER_TELEMETRY, part, columns)
    in_us = {"ecu_us": "ecu_ts", "arrival_us": "arrival_ts", "event_us": "event_ts"}
    plain = ("session_id", "vehicle_id", "ecu_seq", "clock_source", "n_readings")
    micros = {name: table[column].cast(pa.int64()) for name, column in in_us.items()}
    samples = pa.table({name: table[name] for name in plain} | micros).to_pandas()
    moved, segments, stayed = [], [], set[Vehicle]()
    for vehicle, rows in samples.groupby(VEHICLE, sort=True):
        old = clock_offsets.in_order_of_arrival(rows)
        new = clock_offsets.restate_vehicle(old)
        new["event_us"] = new["event_ts"].astype("datetime64[us]").astype(np.int64)
        same_source = new["clock_source"] == old["clock_source"]
        off_us = (new["event_us"] - old["event_us"]).abs()
        differs = (off_us > 0) | ~same_source
        new = new.assign(ecu_us=old["ecu_us"], n_readings=old["n_readings"])
        segments += segment_rows(new)
        if vehicle in known & may_stay and same_source.all() and off_us.max() <= STEADY_US:
            stayed.add(vehicle)
        else:
            moved.append(new[differs])
    if moved:  # a vehicle may have lost all its samples
        values = _event_time_columns(pd.concat(moved), run_id)
        set_columns(lake, SILVER_TELEMETRY, values, telemetry.sample_places(values))
    exchange_rows(lake, SILVER_CLOCK_OFFSETS, segments, part, run_id)
    return stayed


def _event_time_columns(changed: pd.DataFrame, run_id: str) -> pa.Table:
    event_ts = instants(changed["event_us"])
    return pa.table(
        {
            **{name: pa.array(changed[name]) for name in ("session_id", "vehicle_id", "ecu_seq", "clock_source")},
            "ecu_ts": instants(changed["ecu_us"]),
            "event_ts": event_ts,
            "event_date": event_ts.cast(pa.date32()),
            "run_id": pa.repeat(run_id, len(changed)),
        }
    )


def segment_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of ``silver.clock_offsets`` of one vehicle."""
    return [
        {
            **{name: found[name].iloc[0] for name in VEHICLE},
            "segment": int(found["segment"].iloc[0]),
            "ecu_from": us_to_datetime(int(found["ecu_us"].min())),
            "ecu_to": us_to_datetime(int(found["ecu_us"].max())),
            "offset_us": int(found["offset_us"].iloc[0]),
            "n": int(found["n_readings"].sum()),
            "spread_us": int(found["spread_us"].iloc[0]),
            "drift_ppm": float(found["drift_ppm"].iloc[0]),
            "stood_still": bool((found["clock_source"] == "arrival").any()),
        }
        for _, found in rows.groupby("segment", sort=True)
    ]


def _restate_by_spark(lake: Lake, part: Part, run_id: str) -> None:
    rows = lake.read(SILVER_TELEMETRY).where(part.sql())
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
        _write_offsets(lake, current, restated, part, run_id)
    finally:
        restated.unpersist()
        current.unpersist()


def _write_offsets(lake: Lake, current: DataFrame, restated: DataFrame, part: Part, run_id: str) -> None:
    keys = ["session_id", "vehicle_id", "ecu_ts", "ecu_seq"]
    joined = restated.join(current.select(*keys, "n_readings"), keys)
    segments = joined.groupBy(*VEHICLE, "segment").agg(
        F.min("ecu_ts").alias("ecu_from"),
        F.max("ecu_ts").alias("ecu_to"),
        F.first("offset_us").alias("offset_us"),
        F.sum("n_readings").cast("bigint").alias("n"),
        F.first("spread_us").alias("spread_us"),
        F.first("drift_ppm").alias("drift_ppm"),
        F.max(F.col("clock_source") == "arrival").alias("stood_still"),
    )
    rows = segments.withColumns({"updated_ts": F.current_timestamp(), "run_id": F.lit(run_id)})
    lake.upsert(rows, SILVER_CLOCK_OFFSETS, delete_where=part.sql("t."), prune=part.sql("t."))


def _write_sessions(lake: Lake, sessions: Sequence[str], run_id: str) -> None:
    """Sum up the telemetry of sessions, read a batch of rows at a time."""
    columns = ["session_id", "vehicle_id", "track_id", "event_ts", "source", "is_synthetic"]
    parts = [
        pa.table(batch).group_by("session_id").aggregate(_SUMMED_UP)
        for batch in scan_table(lake, SILVER_TELEMETRY, sessions_part(sessions), columns)
        if batch.num_rows
    ]
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in pa.concat_tables(parts).to_pylist() if parts else ():
        found[row["session_id"]].append(row)
    # A session whose messages do not name their track may have been given one (`silver.tracks`): that stays.
    given = {r.session_id: r.track_id for r in read_rows(lake, SILVER_SESSIONS, sessions_part(found))}
    rows = [session_row(session, own, given.get(session)) for session, own in sorted(found.items())]
    put_rows(lake, SILVER_SESSIONS, rows, run_id)


def session_row(session_id: str, parts: Sequence[Mapping[str, Any]], given_track_id: str | None) -> dict[str, Any]:
    """A row of ``silver.sessions``.

    Args:
        session_id: Session.
        parts: What was found in some rows of its telemetry and in others: ``_SUMMED_UP``.
        given_track_id: Track that the session is known to be driven on, if its messages do not say.
    """

    def known(column: str) -> list[Any]:
        return [part[column] for part in parts if part[column] is not None]

    race = re.search(r"-R(\d+)$", session_id)
    synthetic = any(known("is_synthetic_max"))
    return {
        "session_id": session_id,
        "track_id": max(known("track_id_max"), default=given_track_id),
        "start_ts": min(known("event_ts_min"), default=None),
        "end_ts": max(known("event_ts_max"), default=None),
        "n_vehicles": len({vehicle for part in parts for vehicle in part["vehicle_id_distinct"]}),
        "n_samples": sum(known("vehicle_id_count")),
        "source": max(known("source_max"), default=None),
        "event": session_id[: race.start()] if race else None,
        "session_type": "sim" if synthetic else "race" if race else None,
        "race_number": int(race[1]) if race else None,
    }
