"""From a contract to Arrow: types, and rows as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from conf.contract import load_contract

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
    return pa.Table.from_pylist([{column.name: row.get(column.name) for column in columns} for row in rows], schema)


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
