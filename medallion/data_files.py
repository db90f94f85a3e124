"""Rows as data files of a table, by partition, with the statistics by which readers leave files out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from conf.contract import Contract

MOST_ROWS: Final = 25_000
"""Of a file: what writes whole files anew then writes what changes and its neighbours, not a car's whole race."""
_LONGEST: Final = 32
"""Characters of a text that bounds it."""
_LAST_CHARACTER: Final = "\U0010ffff"


@dataclass(frozen=True)
class DataFile:
    """A data file of a table.

    Attributes:
        partition: Partition column to its value, as text.
        rows: What it holds, without the partition columns.
        path: Path below the table's folder; ``None`` before it is written.
        size: Bytes, once it is written.
    """

    partition: Mapping[str, str | None]
    rows: pa.Table
    path: str | None = None
    size: int = 0


def files_by_partition(contract: Contract, rows: pa.Table) -> list[DataFile]:
    """Rows of a table as files to write: one a partition, of many rows several, each of a span of keys."""
    files = (_split(contract, part) for part in _partitions(contract, rows))
    return [file_of_partition(contract, rows) for found in files for rows in found]


def _partitions(contract: Contract, rows: pa.Table) -> list[pa.Table]:
    if not rows.num_rows or not contract.partition_columns:
        return [rows] if rows.num_rows else []
    parts = rows.group_by(list(contract.partition_columns)).aggregate([]).to_pylist()
    return [rows] if len(parts) == 1 else [rows.filter(_is_in(part)) for part in parts]


def _split(contract: Contract, rows: pa.Table) -> list[pa.Table]:
    if rows.num_rows <= MOST_ROWS:
        return [rows]
    in_order = rows.sort_by([(name, "ascending") for name in contract.key])
    n = math.ceil(rows.num_rows / MOST_ROWS)
    bounds = [rows.num_rows * i // n for i in range(n + 1)]
    return [in_order.slice(first, last - first) for first, last in pairwise(bounds)]


def _is_in(part: Mapping[str, Any]) -> Any:
    conditions = (
        pc.field(name).is_null() if value is None else pc.field(name) == value for name, value in part.items()
    )
    return reduce(lambda a, b: a & b, conditions)


def file_of_partition(contract: Contract, rows: pa.Table, path: str | None = None, size: int = 0) -> DataFile:
    """A file of rows that are all of one partition."""
    columns = list(contract.partition_columns)
    first = rows.select(columns).slice(0, 1).to_pylist()[0] if columns else {}
    partition = {name: None if value is None else str(value) for name, value in first.items()}
    return DataFile(partition, rows.drop_columns(columns), path, size)


def check_required(contract: Contract, rows: pa.Table) -> None:
    """Check that columns which must have a value have one.

    Raises:
        ValueError: If one has none.
    """
    for column in contract.columns:
        if column.required and rows[column.name].null_count:
            raise ValueError(f"{contract.name}: {column.name} must have a value and has none")


def column_statistics(rows: pa.Table, columns: int = 32) -> dict[str, Any]:
    """Statistics of a file as a table's log has them: rows, and of its first columns smallest, greatest and nulls.

    Instants are rounded outwards to milliseconds, as readers compare them so, and long texts cut. A column with NaN, or
    with an instant of no year from 1 to 9999, has no bounds.
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name in rows.column_names[:columns]:
        values = rows[name]
        if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
            continue
        nulls[name] = values.null_count
        if values.null_count == len(values) or pa.types.is_boolean(values.type):
            continue
        if pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():
            continue
        try:
            bounds = pc.min_max(values).as_py()
        except (OverflowError, ValueError):
            continue
        low[name], high[name] = (_bound(bounds[end], up=end == "max") for end in ("min", "max"))
    return {"numRecords": rows.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}


def _bound(value: Any, *, up: bool) -> Any:
    """A bound as JSON has it."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + _LAST_CHARACTER * up
    if not hasattr(value, "isoformat"):
        return value
    if not hasattr(value, "microsecond"):
        return value.isoformat()
    rounded = value.replace(microsecond=value.microsecond // 1000 * 1000)
    if up and rounded < value:
        rounded += timedelta(milliseconds=1)
    return rounded.isoformat(timespec="milliseconds").replace("+00:00", "Z")
