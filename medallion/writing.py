"""Write a part of a table: what differs from a recomputation, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.contract import load_contract
from medallion.io import Lake

Inside = Callable[[str], str]  # from what stands before a column's name (``t.`` or nothing) to an SQL condition


def replace_part(lake: Lake, rows: DataFrame, table: str, inside: Inside) -> None:
    """Make the part of a table that a condition describes equal to ``rows``; equal rows stay untouched.

    Args:
        lake: Where the table is.
        rows: All of them within the part.
        table: Table.
        inside: Condition that selects the part.
    """
    rows = rows.persist()
    try:
        if lake.read(table).where(inside("")).limit(1).count():
            lake.upsert(rows, table, delete_where=inside("t."), prune=inside("t."))
        elif rows.limit(1).count():
            lake.append(rows, table)
    finally:
        rows.unpersist()


def frame_of(lake: Lake, table: str, rows: Sequence[Mapping[str, object]], run_id: str) -> DataFrame:
    """Rows of a table as a DataFrame, with the run that made them; a column that a row lacks is null."""
    columns = [c for c in load_contract(table).columns if c.name not in ("updated_ts", "run_id")]
    schema = ", ".join(f"`{c.name}` {c.physical_type}" for c in columns)
    frame = lake.spark.createDataFrame([tuple(row.get(c.name) for c in columns) for row in rows], schema)
    return frame.withColumns({"run_id": F.lit(run_id), "updated_ts": F.current_timestamp()})
