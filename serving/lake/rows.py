"""Rows of one table by plain conditions: a condition's value stays a value and never becomes part of a query's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from deltalake import DeltaTable

Value = str | int
Row = dict[str, Any]
Where = Mapping[str, Value]


def read_frame(
    table: DeltaTable,
    where: Where | None = None,
    *,
    columns: Sequence[str] | None = None,
    order_by: Sequence[str] = (),
    distinct: bool = False,
) -> pl.DataFrame:
    """Rows of a table as columns; instants as microseconds since the epoch (UTC).

    Files that cannot hold such rows, by their partition and statistics, are not opened.

    Args:
        table: The table.
        where: Column to the value that it must have.
        columns: Columns to read; all if left out.
        order_by: Columns to sort by, upwards; rows without a value come last.
        distinct: Each row once.

    Raises:
        PolarsError: If there is no such column, or a file cannot be read.
    """
    scan = pl.scan_delta(table)
    if where:
        scan = scan.filter(*(pl.col(name) == pl.lit(value) for name, value in where.items()))
    if order_by:
        scan = scan.sort(*order_by, nulls_last=True, maintain_order=True)
    if columns is not None:
        scan = scan.select(*columns)
    scan = scan.with_columns(pl.selectors.datetime().dt.timestamp("us"))
    return (scan.unique(maintain_order=True) if distinct else scan).collect()
