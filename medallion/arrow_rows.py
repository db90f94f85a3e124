"""From a contract to Arrow: types, and rows as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from conf.contract import load_contract
from medallion.schema import check_known_columns

FIRST_US: Final = -9_214_560_000_000_000
LAST_US: Final = 9_214_646_399_999_999
"""The years ``FIRST_YEAR`` to ``LAST_YEAR`` in microseconds since the epoch."""
_SCALARS = {
    "STRING": pa.string(),
    "DOUBLE": pa.float64(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "DATE": pa.date32(),
    "BINARY": pa.binary(),
}


def arrow_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of a contracted table; columns left out are null."""
    columns = load_contract(name).columns
    schema = pa.schema([(column.name, arrow_type(column.physical_type)) for column in columns])
    maps = {field.name for field in schema if pa.types.is_map(field.type)}
    listed = [{c.name: _pairs(row.get(c.name)) if c.name in maps else row.get(c.name) for c in columns} for row in rows]
    return pa.Table.from_pylist(listed, schema)


def conform_rows(name: str, rows: pa.Table) -> pa.Table:
    """Rows with a contracted table's columns, in its order and types; a column that is absent becomes null.

    Raises:
        ValueError: If there is a column that the contract does not know.
    """
    contract = load_contract(name)
    check_known_columns(contract, rows.column_names)
    schema = pa.schema([(column.name, arrow_type(column.physical_type)) for column in contract.columns])
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema)


def arrow_frame(name: str, frame: pd.DataFrame) -> pa.Table:
    """Rows of a contracted table from a data frame; NaN and columns left out are null, instants are in UTC."""
    return arrow_columns(name, {str(column): frame[column] for column in frame}, len(frame))


def arrow_columns(name: str, columns: Mapping[str, Any], n_rows: int) -> pa.Table:
    """Rows of a contracted table from arrays of its columns; NaN and columns left out are null, instants are in UTC."""
    schema = pa.schema([(c.name, arrow_type(c.physical_type)) for c in load_contract(name).columns])
    return pa.table(
        [
            _arrow_array(columns[field.name], field.type) if field.name in columns else pa.nulls(n_rows, field.type)
            for field in schema
        ],
        schema,
    )


def _arrow_array(values: Any, kind: pa.DataType) -> pa.Array:
    """Values as Arrow has them; dictionaries are taken for what they are only where the type says so at once."""
    return pa.array(list(values), kind) if pa.types.is_map(kind) else pa.array(values, from_pandas=True).cast(kind)


def instants(us: Any) -> pa.Array:
    """Microseconds since the epoch as instants."""
    return pa.array(us, pa.int64()).cast(pa.timestamp("us", "UTC"))


def stamp_rows(rows: pa.Table, run_id: str) -> pa.Table:
    """Rows that name their run, and the time now."""
    for name, value in (("run_id", run_id), ("updated_ts", datetime.now(UTC))):
        if name in rows.column_names:
            place = rows.schema.get_field_index(name)
            column = pa.repeat(pa.scalar(value, rows.schema.field(name).type), rows.num_rows)
            rows = rows.set_column(place, rows.schema.field(name), column)
    return rows


def nan_to_null(rows: pa.Table) -> pa.Table:
    """Rows with null in place of NaN in columns of numbers."""
    columns = [
        pc.if_else(pc.is_nan(rows[field.name]), None, rows[field.name])
        if pa.types.is_floating(field.type)
        else rows[field.name]
        for field in rows.schema
    ]
    return pa.table(columns, rows.schema)


def _pairs(value: Any) -> Any:
    return list(value.items()) if isinstance(value, Mapping) else value


def arrow_type(ddl: str) -> pa.DataType:
    """The Arrow type of a contract's column."""
    head, _, inner = ddl.removesuffix(">").partition("<")
    match head:
        case "ARRAY":
            return pa.list_(arrow_type(inner))
        case "MAP":
            key, _, value = inner.partition(", ")
            return pa.map_(arrow_type(key), arrow_type(value))
        case "STRUCT":
            fields = (field.split(": ") for field in inner.split(", "))
            return pa.struct([(name, arrow_type(kind)) for name, kind in fields])
    return _SCALARS[ddl]
