"""Whether the peer's rows are ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from benchmarks.lap_peer.store import DeltaStore
from conf.contract import load_contract
from conf.tables import (
    GOLD_CORNER_PASSES,
    GOLD_DPTAD_EVENTS,
    GOLD_DPTAD_SCORES,
    GOLD_DRIVER_COMPARISON,
    GOLD_DRIVER_SUMMARY,
    GOLD_FLEET_SUMMARY,
    GOLD_LAP_FEATURES,
    GOLD_SIWTL,
    GOLD_STINTS,
    GOLD_TELEMETRY_BUCKETS,
    GOLD_TELEMETRY_WINDOWS,
    SILVER_CLOCK_OFFSETS,
    SILVER_ENTRIES,
    SILVER_LAPS,
    SILVER_SESSIONS,
    SILVER_TELEMETRY,
    SILVER_TELEMETRY_100HZ,
)

COMPARED = (
    *(SILVER_TELEMETRY, SILVER_CLOCK_OFFSETS, SILVER_ENTRIES, SILVER_LAPS, SILVER_SESSIONS, SILVER_TELEMETRY_100HZ),
    *(GOLD_TELEMETRY_WINDOWS, GOLD_TELEMETRY_BUCKETS, GOLD_LAP_FEATURES, GOLD_DPTAD_SCORES, GOLD_DPTAD_EVENTS),
    GOLD_CORNER_PASSES,
    *(GOLD_SIWTL, GOLD_STINTS, GOLD_DRIVER_SUMMARY, GOLD_DRIVER_COMPARISON, GOLD_FLEET_SUMMARY),
)
_OF_A_RUN = ("run_id", "updated_ts", "compute_ms")
_NOT_THE_PEERS = ("source", "dq_warnings")
_NEAR = 1e-9
_WHOSE = ("vehicle_id", "vehicle_id_1", "vehicle_id_2")

TableRows = Mapping[str, pl.DataFrame]
"""Rows by table."""


def session_rows(store: DeltaStore, session_id: str, vehicle_id: str | None = None) -> TableRows:
    """A session's rows of the compared tables, less what two runs may have differently.

    Args:
        store: Whose.
        session_id: Session.
        vehicle_id: Only this one's rows, and its pairs with others, where a table says whose they are. Pairs of others
            have intervals by the names that their cars had in the session that theirs is a copy of.
    """
    found = {}
    for table in COMPARED:
        columns = [c.name for c in load_contract(table).columns if _is_compared(c.name, c.physical_type)]
        where = pl.col("session_id") == session_id
        if vehicle_id is not None and (whose := [c for c in _WHOSE if c in columns]):
            where &= pl.any_horizontal(pl.col(c) == vehicle_id for c in whose)
        found[table] = store.read(table, where, columns)
    return found


def _is_compared(name: str, physical: str) -> bool:
    left_out = name in (*_OF_A_RUN, *_NOT_THE_PEERS) or name.startswith("bronze_")
    return not left_out and not physical.startswith("MAP<")  # Polars has no maps


def differences(ours: TableRows, peers: TableRows) -> list[str]:
    """Tables and columns in which the rows differ."""
    return [
        f"{table}.{column}"
        for table in ours
        for column in differing_columns(ours[table], peers[table], load_contract(table).key)
    ]


def differing_columns(ours: pl.DataFrame, peers: pl.DataFrame, key: Collection[str]) -> list[str]:
    """Columns in which two tables differ by more than rounding; all of them if their rows are not of the same keys."""
    ours, peers = (rows.sort(key) for rows in (ours, peers))
    if not ours.select(key).equals(peers.select(key)):
        return ours.columns
    return [name for name in ours.columns if not _same(ours[name], peers[name])]


def _same(ours: pl.Series, peers: pl.Series) -> bool:
    if not ours.dtype.is_float():
        return ours.equals(peers)
    both = pl.DataFrame({"a": ours, "b": peers}).fill_nan(None)
    apart = (pl.col("a") - pl.col("b")).abs() > _NEAR * pl.max_horizontal(1.0, pl.col("a").abs())
    lacking = pl.col("a").is_null() != pl.col("b").is_null()
    return not both.select((apart.fill_null(value=False) | lacking).any()).item()
