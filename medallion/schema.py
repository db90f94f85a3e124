"""From a contract to Spark: schema, DDL, and the columns in the contract's order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from conf.contract import Column, Contract

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR: Final = 1678
LAST_YEAR: Final = 2261
"""Between them instants have nanoseconds since the epoch that fit 64 bits."""


def sql_literal(value: str | float) -> str:
    """A text or number as Spark SQL writes it."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)


def known_instant(column: SparkColumn) -> SparkColumn:
    """An instant that every reader of a table has a value for, null for others: nanoseconds reach from 1678 to 2261."""
    return F.when(F.year(column).between(FIRST_YEAR, LAST_YEAR), column)


def timestamp_literal(us: int) -> str:
    """An instant as a literal of Spark SQL, which files are skipped by; a function of a number is not one.

    Args:
        us: Microseconds since the epoch.
    """
    return f"TIMESTAMP '{(EPOCH + timedelta(microseconds=us)).isoformat(sep=' ', timespec='microseconds')}'"


def column_ddl(column: Column) -> str:
    """DDL of one column, with its comment. Only key columns are NOT NULL: Delta checks those on write."""
    null = " NOT NULL" if column.required else ""
    return f"`{column.name}` {column.physical_type}{null} COMMENT {sql_literal(column.comment)}"


def struct_type(contract: Contract) -> StructType:
    """Spark schema of a contract, all fields nullable (as ``from_json`` needs)."""
    schema = StructType.fromDDL(", ".join(f"`{c.name}` {c.physical_type}" for c in contract.columns))
    return cast("StructType", schema)


def conform_to_contract(df: DataFrame, contract: Contract) -> DataFrame:
    """Select the contract's columns in order, cast to their types; a column that is absent becomes null.

    Raises:
        ValueError: If ``df`` has a column that the contract does not know.
    """
    have = set(df.columns)
    check_known_columns(contract, have)
    return df.selectExpr(*(_cast(c, c.name in have) for c in contract.columns))


def check_known_columns(contract: Contract, columns: Collection[str]) -> None:
    """Check that a contract knows columns.

    Raises:
        ValueError: If it does not.
    """
    if unknown := set(columns) - set(contract.column_names):
        raise ValueError(f"{contract.name}: columns {sorted(unknown)} are not in the contract")


def _cast(column: Column, present: bool) -> str:
    source = f"`{column.name}`" if present else "NULL"
    return f"CAST({source} AS {column.physical_type}) AS `{column.name}`"
