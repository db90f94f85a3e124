"""SQL over the lake's Delta tables, by name and without a JVM: DuckDB over their Arrow datasets.

Tables are written as ``layer.table``; :mod:`serving.lake.views` has views over them, as ``analysis.view``. Only tables
that a query needs are opened, so that an answer does not wait for the logs of the others. A query sees the lake's
tables and nothing else: it reads no file, loads no extension, changes no setting.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import count
from pathlib import Path
from threading import Timer
from typing import Any, Final, Protocol

import duckdb
import pyarrow as pa

from conf.contract import load_contract, table_names
from conf.errors import InputError
from serving.lake.store import LAYERS
from serving.lake.views import SCHEMA, view_names, view_sql

_CLOSED: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": str(Path(tempfile.gettempdir()) / "slipstream-sql"),
}
_SHOW_TABLES: Final = """
    SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
    WHERE table_catalog = current_database() UNION VALUES {views} ORDER BY name
"""
_CATALOGS: Final = {"information_schema", "pg_catalog"}
_EXPLAIN: Final = re.compile(
    r"(\s|--[^\n]*|/\*.*?\*/)*explain\b(\s+analyze\b)?(\s*\([^)]*\))?", re.IGNORECASE | re.DOTALL
)
_LISTING_FUNCTIONS: Final = {"duckdb_tables", "duckdb_views", "duckdb_columns"}
_SQL_TYPES: Final = {
    "BIGINT": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "DOUBLE": "DOUBLE",
    "INT": "INTEGER",
    "TIMESTAMP": "TIMESTAMPTZ",
    "ARRAY<STRING>": "VARCHAR[]",
}
_TO_DO: Final = (
    "the lake is read-only here and takes SELECT, WITH, FROM, VALUES, SHOW TABLES, DESCRIBE, SUMMARIZE and EXPLAIN. "
    "The list of tables is `slipstream tables`, the columns of one `slipstream describe TABLE`."
)


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


class QueryError(InputError):
    """A query was refused or failed; the message has the engine's words and what may help."""


@dataclass(frozen=True)
class _Parsed:
    """A statement that was found to be a query.

    Attributes:
        text: What is run.
        named: Tables and views that it names, as ``layer.table``.
        lists_tables: Whether it asks which tables there are.
    """

    text: str
    named: tuple[str, ...]
    lists_tables: bool


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
    parsed = _parse(sql)
    views = _needed_views(parsed.named) if not parsed.lists_tables else ()
    tables = _needed_tables(parsed, views, source)
    connection = _engine().cursor()
    own = _show_tables(connection, tables, views, source)
    timer = Timer(timeout_s, connection.interrupt) if timeout_s else None
    if timer:
        timer.daemon = True
        timer.start()

    def end() -> None:
        if timer:
            timer.cancel()
        connection.execute(f"USE memory; DETACH {own}")
        connection.close()

    try:
        reader = connection.execute(parsed.text).to_arrow_reader()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        end()
        raise _explain_error(error, tables, source, timeout_s) from error
    schema = pa.schema([field.with_type(_plain(field.type)) for field in reader.schema])

    def read() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                yield batch.cast(schema)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise _explain_error(error, tables, source, timeout_s) from error
        finally:
            end()

    return pa.RecordBatchReader.from_batches(schema, read())


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
    parsed = _parse(sql)
    return _needed_tables(parsed, _needed_views(parsed.named), source)


def reserved_words() -> list[str]:
    """Words of the engine's SQL, and names of its functions, sorted."""
    sql = """
        SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'
        UNION SELECT function_name FROM duckdb_functions() WHERE function_name SIMILAR TO '[a-z_]+'
        UNION VALUES ('tables'), ('describe'), ('summarize'), ('explain') ORDER BY 1
    """
    return [word for (word,) in _engine().cursor().execute(sql).fetchall()]


@cache
def _engine() -> Any:
    """The process's DuckDB, which reads nothing but what it is given, and whose settings stay as they are."""
    engine = duckdb.connect(config=_CLOSED)
    engine.execute("SET GLOBAL timezone = 'UTC'")
    engine.execute("SET lock_configuration = true")
    return engine


def _parse(sql: str) -> _Parsed:
    """The one query of a text, by DuckDB's own parser."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(_parse_error(sql, error)) from error
    if len(statements) != 1:
        what = "nothing" if not statements else f"{len(statements)} statements"
        raise QueryError(f"{what} is not a query: give one; {_TO_DO}")
    text, kind = statements[0].query, statements[0].type
    tree = None
    if kind == duckdb.StatementType.SELECT:
        tree = _syntax_tree(text)
    elif kind == duckdb.StatementType.EXPLAIN:
        explained = _EXPLAIN.match(text)
        tree = _syntax_tree(text[explained.end() :]) if explained else None
    if tree is None:
        raise QueryError(f"{kind.name} is not a query: {_TO_DO}")
    nodes = list(_nodes(tree))
    named = [(n["schema_name"], n["table_name"]) for n in nodes if n.get("type") == "BASE_TABLE"]
    shown = [n for n in nodes if n.get("type") == "SHOW_REF"]
    lists = bool({schema.lower() for schema, _ in named} & _CATALOGS)
    lists |= any(n.get("show_type") in ("SHOW_UNQUALIFIED", "SHOW_FROM") for n in shown)
    lists |= any(n.get("function_name") in _LISTING_FUNCTIONS for n in nodes)
    if any(n.get("table_name") == '"tables"' for n in shown):
        text = _SHOW_TABLES.format(views=", ".join(f"('{view}')" for view in view_names()))
    return _Parsed(text, tuple(f"{schema}.{table}" for schema, table in named if schema), lists)


def _syntax_tree(text: str) -> dict[str, Any] | None:
    """What DuckDB makes of a query, ``None`` where it is none."""
    quoted = text.replace("'", "''")  # not as a parameter, for which DuckDB would import pandas
    tree = _engine().cursor().execute(f"SELECT json_serialize_sql('{quoted}')").fetchone()[0]
    found: dict[str, Any] = json.loads(tree)
    return None if found.get("error") else found


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All parts of a syntax tree that are objects."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)


def _needed_views(names: Sequence[str]) -> tuple[str, ...]:
    """Views among names, each behind those that it is made of."""
    needed: dict[str, None] = {}
    for name in (name.lower() for name in names):
        if name in view_names() and name not in needed:
            needed |= dict.fromkeys(_needed_views(_parse(view_sql(name)).named)) | {name: None}
    return tuple(needed)


def _needed_tables(parsed: _Parsed, views: Sequence[str], source: TableSource) -> tuple[str, ...]:
    """Tables that a query and its views are over."""
    named = [*parsed.named, *(name for view in views for name in _parse(view_sql(view)).named)]
    return tuple(dict.fromkeys((*_known(named, source), *(source.existing_tables() * parsed.lists_tables))))


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


def _show_tables(connection: Any, tables: Sequence[str], views: Sequence[str], source: TableSource) -> str:
    """Make a view of each table, then the views over them, in a catalog of the query's own; returns its name."""
    own = f"lake{next(_numbers)}"
    connection.execute(f"ATTACH ':memory:' AS {own}; USE {own}")
    for schema in (*LAYERS, SCHEMA):
        connection.execute(f"CREATE SCHEMA {schema}")
    for name in tables:
        dataset = source.dataset(name)
        connection.register(name, dataset)
        layer, _, table = name.partition(".")
        columns = ", ".join(("*", *_later_columns(name, dataset.schema.names)))
        connection.execute(f'CREATE VIEW {layer}."{table}" AS SELECT {columns} FROM temp."{name}"')  # noqa: S608 - our names
    for name in views:
        connection.execute(f"CREATE VIEW {name} AS {view_sql(name)}")
    return own


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


def _parse_error(sql: str, error: Exception) -> str:
    first = next(iter(sql.split()), "")
    if f'at or near "{first.lower()}"' in str(error).lower():
        return f"'{first.upper()}' is not a query: {_TO_DO}"
    return f"the query failed: {error}"


def _explain_error(error: Exception, tables: Sequence[str], source: TableSource, timeout_s: float | None) -> QueryError:
    """The engine's message, with the names that may have been meant."""
    message = str(error)
    if "INTERRUPT" in message:
        return QueryError(f"the query took longer than {timeout_s:g} s and was ended: ask for less, or give it longer")
    hints: list[str] = []
    if column := _between(message, 'column "', '"') or _between(message, 'column named "', '"'):
        columns = sorted({name for table in tables for name in source.dataset(table).schema.names})
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
