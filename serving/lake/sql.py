"""SQL over the lake's Delta tables, by name and without a JVM (DataFusion, through deltalake).

Tables are written as ``layer.table``. Only those a query mentions are opened, so that an answer does not wait for the
logs of the others. Nothing but a query is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Protocol

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from conf.contract import table_names
from conf.errors import InputError
from serving.lake.datafusion import run_query
from serving.lake.store import LAYERS

_QUERY_WORDS = {"select", "with", "values"}
_EXPLAIN_WORDS = {"explain", "analyze", "verbose"}
_LIMIT_WORDS = {"limit", "offset", "fetch"}

_TOKEN = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | '(?:[^']|'')*'        # comments and strings: skipped
      | "(?P<quoted>(?:[^"]|"")*)" | (?P<word>[A-Za-z_]\w*) | (?P<mark>\S)""",
    re.VERBOSE | re.DOTALL,
)


class TableSource(Protocol):
    """Where the tables of a query are from."""

    def exists(self, name: str) -> bool:
        """Whether there is such a table."""
        ...

    def existing_tables(self) -> tuple[str, ...]:
        """Names of those that there are."""
        ...

    def table(self, name: str) -> DeltaTable:
        """The table."""
        ...


class QueryError(InputError):
    """A query was refused or failed; the message has the engine's words and what may help."""


def execute_sql(sql: str, source: TableSource) -> pa.RecordBatchReader:
    """Run a query and stream its answer.

    Args:
        sql: One ``SELECT``, ``WITH``, ``VALUES`` or ``EXPLAIN`` of these.
        source: Opens the tables that it names.

    Returns:
        A reader whose types are plain: strings and bytes rather than their views, time to the microsecond. While it
        is read, it raises :class:`QueryError` as this function does.

    Raises:
        QueryError: If the statement is no query, or the engine cannot plan it.
        LakeError: If a table it names cannot be read.
    """
    tokens = _tokens(sql)
    _refuse_all_but_queries(tokens)
    tables = {name: source.table(name) for name in _mentioned(tokens, source)}
    try:
        reader = run_query(sql, tables, limited=tokens[0] != "explain" and not _LIMIT_WORDS.isdisjoint(tokens))
    except (DeltaError, pa.ArrowException) as error:
        raise _explain_error(error, tables, source) from error
    schema = pa.schema([field.with_type(_plain(field.type)) for field in reader.schema])
    return pa.RecordBatchReader.from_batches(schema, _read(reader, schema, tables, source))


def limit_rows(reader: pa.RecordBatchReader, limit: int) -> pa.RecordBatchReader:
    """At most ``limit`` rows of an answer; no more of it is read."""

    def cut() -> Iterator[pa.RecordBatch]:
        left = limit
        while left > 0 and (batch := next(reader, None)) is not None:
            yield batch.slice(0, left)
            left -= batch.num_rows

    return pa.RecordBatchReader.from_batches(reader.schema, cut())


def mentioned_tables(sql: str, source: TableSource) -> tuple[str, ...]:
    """Names of the tables that a query mentions: contracted ones, and others that exist in the lake."""
    return _mentioned(_tokens(sql), source)


def _tokens(sql: str) -> list[str]:
    """Words (lower case), quoted names and punctuation of a statement, without comments and strings."""
    found = []
    for match in _TOKEN.finditer(sql):
        if match["word"]:
            found.append(match["word"].lower())
        elif match["quoted"] is not None:
            found.append(match["quoted"].replace('""', '"'))
        elif match["mark"]:
            found.append(match["mark"])
    return found


def _refuse_all_but_queries(tokens: list[str]) -> None:
    words = [word for word in tokens if word != "("]
    if words and words[0] == "explain":
        words = [word for word in words if word not in _EXPLAIN_WORDS]
    first = words[0] if words else ""
    if first not in _QUERY_WORDS:
        raise QueryError(
            f"'{first.upper()}' is not a query: the lake is read-only here and takes SELECT, WITH, VALUES and EXPLAIN. "
            "The list of tables is `slipstream tables`, the columns of one `slipstream describe TABLE`."
        )


def _mentioned(tokens: list[str], source: TableSource) -> tuple[str, ...]:
    triples = zip(tokens, tokens[1:], tokens[2:], strict=False)
    names = dict.fromkeys(f"{layer}.{table}" for layer, dot, table in triples if dot == "." and layer in LAYERS)
    contracted = set(table_names())
    return tuple(n for n in names if n in contracted or (n.count(".") == 1 and "/" not in n and source.exists(n)))


def _read(
    reader: pa.RecordBatchReader, schema: pa.Schema, tables: dict[str, DeltaTable], source: TableSource
) -> Iterator[pa.RecordBatch]:
    try:
        for batch in reader:
            yield batch.cast(schema, safe=False)  # only now() has nanoseconds to lose
    except pa.ArrowException as error:
        raise _explain_error(error, tables, source) from error


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type that other readers understand, e.g. ``string`` for ``string_view``."""
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}.get(kind, kind)


def _explain_error(error: Exception, tables: dict[str, DeltaTable], source: TableSource) -> QueryError:
    """The engine's message, with the names that may have been meant."""
    message = str(error).partition("\nValid fields are")[0]
    hints = []
    if column := re.search(r'No field named (?:[\w"]+\.)*"?(\w+)"?\.', message):
        columns = sorted({field.name for table in tables.values() for field in table.schema().fields})
        hints = get_close_matches(column[1].lower(), columns, n=5, cutoff=0.5)
    elif missing := re.search(r"table 'datafusion\.(?:public\.)?([^']+)' not found", message):
        known = sorted({*table_names(), *source.existing_tables()})
        short = {name.partition(".")[2]: name for name in known}
        close = get_close_matches(missing[1], [*known, *short], n=5, cutoff=0.5)
        hints = list(dict.fromkeys(short.get(name, name) for name in close))
    text = f"the query failed: {message}"
    if hints:
        text += f"\nnear matches: {', '.join(hints)}"
    if tables:
        text += f"\ntables in this query: {', '.join(tables)} (columns: slipstream describe TABLE)"
    return QueryError(text)
