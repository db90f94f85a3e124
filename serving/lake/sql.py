"""SQL over the lake's Delta tables, by name and without a JVM: DuckDB over their Arrow datasets.

Tables are written as ``layer.table``; :mod:`serving.lake.views` has views over them, as ``analysis.view``. Only tables
that a query needs are opened, so that an answer does not wait for the logs of the others. A query sees the lake's
tables and nothing else: it reads no file, loads no extension, changes no setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import count
from threading import Timer
from typing import Any, Final, Protocol

import duckdb
import pyarrow as pa

from conf.contract import load_contract, table_names
from serving.lake.engine import query_engine
from serving.lake.query_text import ParsedQuery, QueryError, parse_query
from serving.lake.store import LAYERS
from serving.lake.views import SCHEMA, view_names, view_sql

_SQL_TYPES: Final = {
    "BIGINT": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "DOUBLE": "DOUBLE",
    "INT": "INTEGER",
    "TIMESTAMP": "TIMESTAMPTZ",
    "ARRAY<STRING>": "VARCHAR[]",
}
_numbers: Final = count()


class TableSource(Protocol):
    """Where the tables of a query are from."""

    def exists(self, name: str) -> bool:
        """Whether there is such a table."""
        ...

    def existing_tables(self) -> tuple[str, ...]:
        """Names of those that there are."""
        ...

    def dataset(self, name: str) -> Any:
        """The table, as a ``pyarrow.dataset.Dataset``."""
        ...


def execute_sql(sql: str, source: TableSource, timeout_s: float | None = None) -> pa.RecordBatchReader:
    """Run a query and stream its answer.

    Args:
        sql: One query: ``SELECT``, ``WITH``, ``FROM``, ``VALUES``, ``SHOW TABLES``, ``DESCRIBE``, ``SUMMARIZE``, or
            ``EXPLAIN`` of these.
        source: Opens the tables that it names.
        timeout_s: Seconds after which it is ended.

    Returns:
        A reader whose types are plain: strings rather than dictionaries, time to the microsecond, whole sums as 64
        bits. While it is read, it raises :class:`QueryError` as this function does.

    Raises:
        QueryError: If the statement is no query, cannot be run, or takes too long.
        LakeError: If a table it names cannot be read.
    """
    batches = _run(parse_query(sql), source, timeout_s)
    return pa.RecordBatchReader.from_batches(next(batches), batches)


def _run(query: ParsedQuery, source: TableSource, timeout_s: float | None) -> Iterator[Any]:
    """The schema of an answer, then its batches; what the query was given is let go of however it ends."""
    views = _needed_views(query.named)
    tables = {name: source.dataset(name) for name in _needed_tables(query, views, source)}
    catalog, connection = f"lake{next(_numbers)}", query_engine().cursor()
    timer = Timer(timeout_s or 0.0, connection.interrupt)
    timer.daemon = True
    try:
        connection.execute(f"ATTACH ':memory:' AS {catalog}; USE {catalog}")
        _show_tables(connection, tables, views)
        if timeout_s is not None:
            timer.start()
        reader = connection.execute(query.text).to_arrow_reader()
        schema = pa.schema([field.with_type(_plain(field.type)) for field in reader.schema])
        yield schema
        for batch in reader:
            yield batch.cast(schema)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _explain_error(error, tables, source, timeout_s) from error
    finally:
        timer.cancel()
        connection.execute(f"USE memory; DETACH DATABASE IF EXISTS {catalog}")
        connection.close()


def limit_rows(reader: pa.RecordBatchReader, limit: int) -> pa.RecordBatchReader:
    """At most ``limit`` rows of an answer; no more of it is read."""

    def cut() -> Iterator[pa.RecordBatch]:
        left = limit
        while left > 0 and (batch := next(reader, None)) is not None:
            yield batch.slice(0, left)
            left -= batch.num_rows

    return pa.RecordBatchReader.from_batches(reader.schema, cut())


def mentioned_tables(sql: str, source: TableSource) -> tuple[str, ...]:
    """Names of the tables that a query mentions: contracted ones, and others that exist in the lake.

    Raises:
        QueryError: If the statement is no query.
    """
    query = parse_query(sql)
    return _needed_tables(query, _needed_views(query.named), source)


def _needed_views(names: Sequence[str]) -> tuple[str, ...]:
    """Views among names, each behind those that it is made of."""
    needed: dict[str, None] = {}
    for name in (name.lower() for name in names):
        if name in view_names() and name not in needed:
            needed |= dict.fromkeys(_needed_views(_named_by_view(name))) | {name: None}
    return tuple(needed)


@cache
def _named_by_view(name: str) -> tuple[str, ...]:
    """Tables and views that a view is made of."""
    return parse_query(view_sql(name)).named


def _needed_tables(query: ParsedQuery, views: Sequence[str], source: TableSource) -> tuple[str, ...]:
    """Tables that a query and its views are over."""
    named = [*query.named, *(name for view in views for name in _named_by_view(view))]
    return tuple(dict.fromkeys((*_known(named, source), *(source.existing_tables() if query.lists_tables else ()))))


def _known(names: Sequence[str], source: TableSource) -> tuple[str, ...]:
    """Of names as they are written those of contracted tables, and of others that exist in the lake."""
    contracted, found = set(table_names()), dict[str, None]()
    for name in names:
        spellings = dict.fromkeys((name.lower(), name))
        if known := next((n for n in spellings if n in contracted or _is_there(n, source)), None):
            found[known] = None
    return tuple(found)


def _is_there(name: str, source: TableSource) -> bool:
    return name.count(".") == 1 and "/" not in name and name.partition(".")[0] in LAYERS and source.exists(name)


def _show_tables(connection: Any, tables: Mapping[str, Any], views: Sequence[str]) -> None:
    """Make a view of each table, then the views over them."""
    for schema in (*LAYERS, SCHEMA):
        connection.execute(f"CREATE SCHEMA {schema}")
    for name, dataset in tables.items():
        connection.register(name, dataset)
        layer, _, table = name.partition(".")
        columns = ", ".join(("*", *_later_columns(name, dataset.schema.names)))
        connection.execute(f'CREATE VIEW {layer}."{table}" AS SELECT {columns} FROM temp."{name}"')  # noqa: S608 - our names
    for name in views:
        connection.execute(f"CREATE VIEW {name} AS {view_sql(name)}")


def _later_columns(name: str, there: Sequence[str]) -> list[str]:
    """Columns that a table's contract has gained since the table was written: null."""
    if name not in table_names():
        return []
    later = (column for column in load_contract(name).columns if column.name not in there)
    return [f'CAST(NULL AS {_SQL_TYPES.get(column.physical_type, "VARCHAR")}) AS "{column.name}"' for column in later]


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type that other readers understand, e.g. ``string`` for a dictionary; a whole sum is a number of 64 bits."""
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.int64() if kind == pa.decimal128(38, 0) else kind


def _explain_error(
    error: Exception, tables: Mapping[str, Any], source: TableSource, timeout_s: float | None
) -> QueryError:
    """The engine's message, with the names that may have been meant."""
    message = str(error)
    if "INTERRUPT" in message:
        return QueryError(f"the query took longer than {timeout_s:g} s and was ended: ask for less, or give it longer")
    hints: list[str] = []
    if column := _between(message, 'column "', '"') or _between(message, 'column named "', '"'):
        columns = sorted({name for dataset in tables.values() for name in dataset.schema.names})
        hints = get_close_matches(column.lower(), columns, n=5, cutoff=0.5)
    elif missing := _between(message, "Table with name ", " does not exist"):
        known = sorted({*table_names(), *view_names(), *source.existing_tables()})
        short = {name.partition(".")[2]: name for name in known}
        close = get_close_matches(missing, [*known, *short], n=5, cutoff=0.5)
        hints = list(dict.fromkeys(short.get(name, name) for name in close))
        message = message.partition("\nDid you mean")[0]
    text = f"the query failed: {message}"
    if hints:
        text += f"\nnear matches: {', '.join(hints)}"
    if tables:
        text += f"\ntables in this query: {', '.join(tables)} (columns: slipstream describe TABLE)"
    return QueryError(text)


def _between(text: str, before: str, after: str) -> str:
    """What stands between two marks, empty where they are not there."""
    return text.partition(before)[2].partition(after)[0]
