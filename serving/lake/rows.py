"""Rows of one table by plain conditions: the place where values become SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from conf.settings import AppConfig
from serving.lake.sql import query
from serving.lake.store import is_table

Value = str | int
Row = dict[str, Any]


def table_rows(
    table: str,
    settings: AppConfig,
    where: Mapping[str, Value] | None = None,
    *,
    columns: Sequence[str] = ("*",),
    order_by: Sequence[str] = (),
    missing_ok: bool = False,
) -> list[Row]:
    """Rows as dictionaries, instants as microseconds since the epoch (UTC), maps as dictionaries.

    Args:
        table: ``layer.table``.
        settings: Whose lake to read.
        where: Column to the value it must have.
        columns: Columns to read.
        order_by: Columns to sort by.
        missing_ok: A table that does not exist yet has no rows.

    Raises:
        LakeError: If there is no such table, or it cannot be read.
    """
    if missing_ok and not is_table(table, settings):
        return []
    found = columns_of(table, settings, where, columns=columns, order_by=order_by)
    names = found.column_names
    values = [found.column(name).to_pylist(maps_as_pydicts="strict") for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def columns_of(
    table: str,
    settings: AppConfig,
    where: Mapping[str, Value] | None = None,
    *,
    columns: Sequence[str] = ("*",),
    order_by: Sequence[str] = (),
) -> pa.Table:
    """The same as a table of columns."""
    conditions = " and ".join(f"{name} = {_literal(value)}" for name, value in (where or {}).items())
    sql = f"select {', '.join(columns)} from {table}"  # noqa: S608 - our own names; values go through _literal
    if conditions:
        sql += f" where {conditions}"
    if order_by:
        sql += f" order by {', '.join(order_by)}"
    found = query(sql, settings)
    return pa.table({name: _plain(found.column(name)) for name in found.column_names})


def _literal(value: Value) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(int(value))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Microseconds in place of instants, whose conversion would load pandas: a second of waiting."""
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
