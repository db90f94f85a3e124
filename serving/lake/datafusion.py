"""DataFusion over Delta tables, with one fault of its metadata-only scan kept out of the answers."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.schema import PrimitiveType

from conf.errors import InputError

# Unquoted names fold to lower case, as all of ours are, whatever the user's habit.
_CONFIG = {"datafusion.sql_parser.enable_ident_normalization": "true"}

_SCANS = "scans"


def run_query(sql: str, tables: Mapping[str, DeltaTable], *, limited: bool) -> pa.RecordBatchReader:
    """Plan and start a query.

    Args:
        sql: One statement, already known to be a query.
        tables: Tables by ``layer.table``.
        limited: Whether LIMIT, OFFSET or FETCH occurs in it.

    Raises:
        DeltaError: If the engine cannot plan it.
    """
    engine = _engine(tables)
    # deltalake 1.6 answers a query that needs no column of the data files (only partition columns or constants) from
    # the log, and loses a LIMIT or OFFSET over that: the plan says DeltaScanMetaExec and holds no limit.
    if limited and _is_metadata_only(engine, sql):
        engine = _scanning_engine(tables)
    return pa.RecordBatchReader.from_stream(engine.execute(sql))


def _engine(tables: Mapping[str, DeltaTable]) -> QueryBuilder:
    engine = QueryBuilder(_CONFIG)
    for layer in sorted({name.partition(".")[0] for name in tables}):
        engine.execute(f"create schema {layer}")
    for name, table in tables.items():
        engine.register(name, table)
    return engine


def _is_metadata_only(engine: QueryBuilder, sql: str) -> bool:
    plan = pa.RecordBatchReader.from_stream(engine.execute(f"explain {sql}")).read_all()
    return any("DeltaScanMetaExec" in str(text) for text in plan["plan"].to_pylist())


def _scanning_engine(tables: Mapping[str, DeltaTable]) -> QueryBuilder:
    """The tables as views with a condition that is always true but needs a column of the data files."""
    engine = _engine({f"{_SCANS}.{_flatten_type(name)}": table for name, table in tables.items()})
    for layer in sorted({name.partition(".")[0] for name in tables}):
        engine.execute(f"create schema {layer}")
    for name, table in tables.items():
        always = f"coalesce(cast(\"{_data_column(table)}\" as varchar), '') >= ''"
        view = f"create view {name} as select * from {_SCANS}.{_flatten_type(name)} where {always}"  # noqa: S608 - our names
        engine.execute(view)
    return engine


def _flatten_type(name: str) -> str:
    return name.replace(".", "_")


def _data_column(table: DeltaTable) -> str:
    """A column of the data files that is cheap to read as text."""
    partitions = table.metadata().partition_columns
    fields = [field for field in table.schema().fields if field.name not in partitions]
    plain: list[str] = [f.name for f in fields if isinstance(f.type, PrimitiveType) and f.type.type != "binary"]
    if not plain:
        raise InputError("LIMIT and OFFSET need a column that is no list, map, struct or binary beside the partitions")
    return plain[0]
