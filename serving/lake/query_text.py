"""What a text of SQL is: whether it is one query, and which tables it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from conf.errors import InputError
from serving.lake.engine import query_engine
from serving.lake.views import view_names

_SHOW_TABLES: Final = """
    SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
    WHERE table_catalog = current_database() UNION VALUES {views} ORDER BY name
"""
_CATALOGS: Final = {"information_schema", "pg_catalog"}
_EXPLAIN: Final = re.compile(
    r"(\s|--[^\n]*|/\*.*?\*/)*explain\b(\s+analyze\b)?(\s*\([^)]*\))?", re.IGNORECASE | re.DOTALL
)
_LISTING_FUNCTIONS: Final = {"duckdb_tables", "duckdb_views", "duckdb_columns"}
_TABLE_FUNCTIONS: Final = re.compile(
    "range|generate_series|unnest|repeat|repeat_row|json_each|json_tree|histogram|histogram_values|summary|"
    "pg_timezone_names|icu_calendar_names|duckdb_.*|pragma_.*"
)
"""What makes rows of its arguments, or tells of the engine. Others read files, run texts or change the process."""
_TO_DO: Final = (
    "the lake is read-only here and takes SELECT, WITH, FROM, VALUES, SHOW TABLES, DESCRIBE, SUMMARIZE and EXPLAIN. "
    "The list of tables is `slipstream tables`, the columns of one `slipstream describe TABLE`."
)


class QueryError(InputError):
    """A query was refused or failed; the message has the engine's words and what may help."""


@dataclass(frozen=True)
class ParsedQuery:
    """A statement that was found to be a query.

    Attributes:
        text: What is run.
        named: Tables and views that it names, as ``layer.table``.
        lists_tables: Whether it asks which tables there are.
    """

    text: str
    named: tuple[str, ...]
    lists_tables: bool


def parse_query(sql: str) -> ParsedQuery:
    """Take the one query of a text apart, by DuckDB's own parser.

    Raises:
        QueryError: If it holds something else, or more than one, or a function that reads or changes something else.
    """
    try:
        statements = query_engine().cursor().extract_statements(sql)  # its own, for it may look into files
    except duckdb.Error as error:
        raise QueryError(_parse_error(sql, error)) from error
    except TypeError:
        raise QueryError("the query is no text of UTF-8") from None
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
    _check_functions(nodes)
    named = [(n["schema_name"], n["table_name"]) for n in nodes if n.get("type") == "BASE_TABLE"]
    shown = [n for n in nodes if n.get("type") == "SHOW_REF"]
    lists = bool({schema.lower() for schema, _ in named} & _CATALOGS)
    lists |= any(n.get("show_type") in ("SHOW_UNQUALIFIED", "SHOW_FROM") for n in shown)
    lists |= any(n.get("function_name") in _LISTING_FUNCTIONS for n in nodes)
    if any(n.get("table_name") == '"tables"' for n in shown):
        text = _SHOW_TABLES.format(views=", ".join(f"('{view}')" for view in view_names()))
    return ParsedQuery(text, tuple(f"{schema}.{table}" for schema, table in named if schema), lists)


def _syntax_tree(text: str) -> dict[str, Any] | None:
    """What DuckDB makes of a query, ``None`` where it is none."""
    quoted = text.replace("'", "''")  # not as a parameter, for which DuckDB would import pandas
    tree = query_engine().cursor().execute(f"SELECT json_serialize_sql('{quoted}')").fetchone()[0]
    try:
        found: dict[str, Any] = json.loads(tree)
    except RecursionError:
        raise QueryError("the query has too many parts within parts: name some with WITH, or use lists") from None
    return None if found.get("error") else found


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All parts of a syntax tree that are objects."""
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += reversed(part.values())
        elif isinstance(part, list):
            left += reversed(part)


def _check_functions(nodes: Iterable[dict[str, Any]]) -> None:
    """Check that a query takes rows from the lake's tables, or from functions that make them of nothing else."""
    taken = (node["function"]["function_name"] for node in nodes if node.get("type") == "TABLE_FUNCTION")
    for name in taken:
        if not _TABLE_FUNCTIONS.fullmatch(name.lower()):
            raise QueryError(f"{name}() is refused: a query reads the lake's tables and nothing else; {_TO_DO}")


def _parse_error(sql: str, error: Exception) -> str:
    first = next(iter(sql.split()), "")
    if f'at or near "{first.lower()}"' in str(error).lower():
        return f"'{first.upper()}' is not a query: {_TO_DO}"
    return f"the query failed: {error}"
