"""Compute tables again from the layer below, whatever their streams have seen: for some sessions, or for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import pyarrow as pa

from conf.errors import InputError
from conf.tables import (
    GOLD_LAP_FEATURES,
    SILVER_CLOCK_OFFSETS,
    SILVER_SESSIONS,
    SILVER_TELEMETRY,
)
from medallion.gold.refresh.changed_rows import SOURCES, columns_read, group_rows
from medallion.gold.refresh.processor import GoldProcessor
from medallion.io import Lake
from medallion.part import EVERYTHING, sessions_part
from medallion.provenance import JobRun
from medallion.reading import read_rows, scan_table
from streaming import gold, karma_beside, session_tables, silver

CLOSED: Final = (SILVER_CLOCK_OFFSETS, SILVER_SESSIONS, *session_tables.TABLES)
"""What silver's closing step fills."""


def choose_steps(tables: Collection[str]) -> list[str]:
    """Steps that fill some tables, in their order; the layers ``silver`` and ``gold`` name all of theirs.

    Raises:
        InputError: If there is no such table, or none that can be computed again so.
    """
    by_name = dict.fromkeys((*CLOSED, "silver"), "silver") | dict.fromkeys((*gold.OUTPUTS, "gold"), "gold")
    by_name |= dict.fromkeys((*karma_beside.OUTPUTS, "karma"), "karma")
    for table in tables:
        if table in silver.MESSAGE_TABLES:
            raise InputError(
                f"{table} is made of bronze's messages, of all sessions in one: `slipstream reset silver`, then "
                "`slipstream run`, makes it anew"
            )
        if table not in by_name:
            known = ", ".join(sorted(by_name))
            raise InputError(f"{table}: no stream fills it from the layer below; these can be computed again: {known}")
    chosen = {by_name[table] for table in tables}
    return [step for step in STEPS if step in chosen]


def choose_sessions(lake: Lake, asked: Sequence[str]) -> list[str]:
    """Sessions to work on; all there are if none is asked for.

    Raises:
        InputError: If one is not in the lake.
    """
    there = sorted(row.session_id for row in read_rows(lake, SILVER_SESSIONS, EVERYTHING, ("session_id",)))
    if missing := sorted(set(asked) - set(there)):
        raise InputError(
            f"session {', '.join(missing)} is not in {SILVER_SESSIONS}: it has {', '.join(there) or 'none'}"
        )
    return sorted(set(asked)) or there


def backfill_silver(lake: Lake, sessions: Sequence[str], run: JobRun) -> str:
    """Compute clocks, entries, laps and results again."""
    vehicles: defaultdict[str, set[str]] = defaultdict(set, {session: set() for session in sessions})
    for rows in scan_table(lake, SILVER_TELEMETRY, sessions_part(sessions), ("session_id", "vehicle_id")):
        run.rows_in += rows.num_rows
        for row in pa.table(rows).group_by(["session_id", "vehicle_id"]).aggregate([]).to_pylist():
            vehicles[row["session_id"]].add(row["vehicle_id"])
    session_tables.refresh_session_tables(lake, vehicles, run.run_id)
    return f"clocks, laps and results of {sum(map(len, vehicles.values()))} cars"


def backfill_gold(lake: Lake, sessions: Sequence[str], run: JobRun) -> str:
    """Compute everything that gold's stream does again."""
    part, rows = sessions_part(sessions), []
    for source in SOURCES:
        rows += group_rows(source, map(pa.table, scan_table(lake, source, part, columns_read(source))))
    processor = GoldProcessor(lake, run.run_id)
    processor.process(rows)
    run.rows_in = sum(row.n for row in rows)
    return f"gold of {len(processor.vehicles)} cars"


def backfill_karma(lake: Lake, sessions: Sequence[str], run: JobRun) -> str:
    """Score wear again."""
    from streaming.karma import WearScoring

    cars = {
        (row.session_id, row.vehicle_id)
        for row in read_rows(lake, GOLD_LAP_FEATURES, sessions_part(sessions), ("session_id", "vehicle_id"))
    }
    WearScoring(lake, run).score(cars)
    return f"scores of wear of {len(cars)} cars"


STEPS: Final[Mapping[str, Callable[[Lake, Sequence[str], JobRun], str]]] = {
    "silver": backfill_silver,
    "gold": backfill_gold,
    "karma": backfill_karma,
}
"""In their order, each with what does it for some sessions and says what was done."""
_MADE_ANEW: Final = {
    "silver": (SILVER_CLOCK_OFFSETS, *session_tables.TABLES),
    "gold": gold.OUTPUTS,
    "karma": karma_beside.OUTPUTS,
}


def note_made_anew(lake: Lake, step: str) -> None:
    """Note that a step was done for all sessions: its tables have no rows of an earlier release any more."""
    for name in _MADE_ANEW[step]:
        lake.note_rows_made_anew(name)
