"""Describe tables: the lake's facts beside the contract's descriptions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from deltalake import DeltaTable
from deltalake.schema import ArrayType, Field, MapType, PrimitiveType, StructType

from conf.contract import Column, Contract, load_contract, table_names
from conf.frozen import FrozenModel
from serving.lake.reader import LakeReader
from serving.lake.store import command_that_fills, missing_table_error, read_table_stats, table_contract_version

_DDL = {"long": "BIGINT", "integer": "INT", "short": "SMALLINT", "byte": "TINYINT"}


class TableInfo(FrozenModel):
    """One table.

    Attributes:
        name: ``layer.table``.
        description: The contract's, empty for a table without a contract.
        exists: False where no job has made it yet; all figures are then ``None``.
        made_by: Command that makes it, ``None`` for a table without a contract.
        rows: Live rows.
        version: Delta version.
        size_bytes: Bytes of the live data files.
        files: Live data files.
        partition_columns: As the table has them.
        key: Primary key columns.
        contract_version: Version that the table was written under, ``None`` where it does not say.
        known_contract_version: Version that this code knows.
        last_write: Time of the last commit, UTC.
        last_operation: Its operation, e.g. ``MERGE``.
    """

    name: str
    description: str
    exists: bool
    made_by: str | None
    key: tuple[str, ...]
    partition_columns: tuple[str, ...]
    known_contract_version: str | None
    rows: int | None = None
    version: int | None = None
    size_bytes: int | None = None
    files: int | None = None
    contract_version: str | None = None
    last_write: datetime | None = None
    last_operation: str | None = None


class RuleInfo(FrozenModel):
    """A row rule: its name, what follows when it fails (``quarantine`` or ``warn``), and its words."""

    name: str
    severity: str
    description: str


class ColumnInfo(FrozenModel):
    """One column; ``in_table`` is false for a column that the contract gained since the table was written."""

    name: str
    type: str
    unit: str | None
    comment: str
    required: bool
    rules: tuple[RuleInfo, ...]
    in_table: bool


class TableDescription(FrozenModel):
    """A table and its columns, in its own order."""

    table: TableInfo
    columns: tuple[ColumnInfo, ...]


def list_tables(lake: LakeReader) -> tuple[TableInfo, ...]:
    """All tables, contracted or existing, sorted by name.

    Raises:
        LakeError: If an existing one cannot be read.
    """
    existing = set(lake.existing_tables())
    return tuple(
        read_table_info(lake, name) if name in existing else _planned_table(name)
        for name in sorted({*table_names(), *existing})
    )


def read_table_info(lake: LakeReader, name: str) -> TableInfo:
    """Facts of one existing table.

    Raises:
        LakeError: If it does not exist or cannot be read.
    """
    table = lake.table(name)
    stats = read_table_stats(table)
    contract = _contract(name)
    last: dict[str, Any] = next(iter(table.history(1)), {})
    return TableInfo(
        name=name,
        description=contract.description if contract else table.metadata().description or "",
        exists=True,
        made_by=command_that_fills(name),
        key=contract.key if contract else (),
        partition_columns=tuple(table.metadata().partition_columns),
        known_contract_version=contract.version if contract else None,
        rows=stats.rows,
        version=table.version(),
        size_bytes=stats.size_bytes,
        files=stats.files,
        contract_version=table_contract_version(table),
        last_write=datetime.fromtimestamp(last["timestamp"] / 1000, UTC) if "timestamp" in last else None,
        last_operation=last.get("operation"),
    )


def describe_table(lake: LakeReader, name: str) -> TableDescription:
    """A table and its columns; for a contracted table that no job has made yet, from the contract alone.

    Raises:
        LakeError: If there is no such table, or it cannot be read.
    """
    if name in lake.existing_tables():
        return TableDescription(table=read_table_info(lake, name), columns=describe_columns(name, lake.table(name)))
    if name in table_names():
        contracted = (_contracted(column, in_table=False) for column in load_contract(name).columns)
        return TableDescription(table=_planned_table(name), columns=tuple(contracted))
    raise missing_table_error(name, lake.settings)


def describe_columns(name: str, table: DeltaTable) -> tuple[ColumnInfo, ...]:
    """Columns of a table in its own order, then those that only the contract has."""
    contract = _contract(name)
    contracted = {c.name: c for c in contract.columns} if contract else {}
    fields = table.schema().fields
    present = {field.name for field in fields}
    return (
        *(
            _contracted(contracted[f.name], in_table=True) if f.name in contracted else _undeclared_column(f)
            for f in fields
        ),
        *(_contracted(column, in_table=False) for name, column in contracted.items() if name not in present),
    )


def _contract(name: str) -> Contract | None:
    return load_contract(name) if name in table_names() else None


def _planned_table(name: str) -> TableInfo:
    contract = load_contract(name)
    return TableInfo(
        name=name,
        description=contract.description,
        exists=False,
        made_by=command_that_fills(name),
        key=contract.key,
        partition_columns=contract.partition_columns,
        known_contract_version=contract.version,
    )


def _contracted(column: Column, *, in_table: bool) -> ColumnInfo:
    rules = tuple(
        RuleInfo(name=rule.name, severity=rule.severity, description=rule.description) for rule in column.quality
    )
    return ColumnInfo(
        name=column.name,
        type=column.physical_type,
        unit=column.unit,
        comment=column.description,
        required=column.required or column.primary_key,
        rules=rules,
        in_table=in_table,
    )


def _undeclared_column(field: Field) -> ColumnInfo:
    """A column that the contract does not have, from the table's own schema."""
    comment = str(field.metadata.get("comment", ""))
    return ColumnInfo(
        name=field.name,
        type=_ddl(field.type),
        unit=None,
        comment=comment,
        required=not field.nullable,
        rules=(),
        in_table=True,
    )


def _ddl(kind: Any) -> str:
    """A Delta type in the contract's words, e.g. ``ARRAY<STRING>``."""
    if isinstance(kind, PrimitiveType):
        return _DDL.get(kind.type, str(kind.type).upper())
    if isinstance(kind, ArrayType):
        return f"ARRAY<{_ddl(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"MAP<{_ddl(kind.key_type)}, {_ddl(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"STRUCT<{', '.join(f'{f.name}: {_ddl(f.type)}' for f in kind.fields)}>"
    return json.dumps(kind, default=str)
