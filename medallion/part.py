"""A part of a table: the rows whose keys are among some values, as Spark and as Arrow ask for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from analysis.comparison.rows import ComparedPair
from conf.arrays import BoolArray, IntArray
from medallion.keys import LapKey
from medallion.schema import sql_literal, timestamp_literal

Value = str | int


@dataclass(frozen=True)
class Span:
    """Instants from the first to the last, both among them, in microseconds since the epoch."""

    first_us: int
    last_us: int


Clause = Mapping[str, Collection[Value] | Span]
_MOST_IN_PLAN: Final = 100


@dataclass(frozen=True)
class Part:
    """Rows of a table that meet one of some clauses.

    Attributes:
        clauses: Column to the values that it may have, or to the span of time that it must lie in; a row meets a clause
            by all of its columns. No clause selects nothing; an empty one selects everything.
    """

    clauses: tuple[Clause, ...] = ()

    def sql(self, prefix: str = "") -> str:
        """SQL condition.

        Args:
            prefix: What stands before a column's name, e.g. ``t.``.
        """
        return " OR ".join(f"({_clause_sql(clause, prefix)})" for clause in self.clauses) or "false"

    def expression(self) -> Any:
        """Condition on an Arrow dataset, by whose statistics files are left out.

        What it costs grows with the square of the clauses: of more than one, ask for the :meth:`envelope` and then for
        the :meth:`mask` of what that finds.
        """
        if not self.clauses:
            return pc.scalar(False)
        return _any_of([_clause_expression(clause) for clause in self.clauses])

    @property
    def columns(self) -> list[str]:
        """Columns that the clauses name."""
        return [*dict.fromkeys(name for clause in self.clauses for name in clause)]

    def mask(self, rows: pa.Table) -> BoolArray:
        """Which rows are in the part, shape (n,); however many clauses it has, since these are joined.

        Args:
            rows: :attr:`columns`, and maybe others.
        """
        inside = np.zeros(rows.num_rows, np.bool_)
        if len(self.clauses) <= 1:
            numbered = rows.select(self.columns).append_column("_row", pa.array(np.arange(rows.num_rows)))
            inside[numbered.filter(self.expression())["_row"].to_numpy()] = True
            return inside
        frame = pl.DataFrame(pl.from_arrow(rows.select(self.columns))).with_row_index("_row")
        alike: defaultdict[tuple[tuple[str, bool], ...], list[Clause]] = defaultdict(list)
        for clause in self.clauses:
            alike[tuple((name, isinstance(clause[name], Span)) for name in sorted(clause))].append(clause)
        for columns, clauses in alike.items():
            if not columns:
                return np.ones(rows.num_rows, np.bool_)
            inside[_rows_inside(frame, [n for n, is_span in columns if not is_span], clauses)] = True
        return inside

    def envelope(self) -> Part:
        """A part of one clause that holds all rows of this one, and others.

        Arrow takes ten milliseconds a file to leave it out by twenty clauses, and none by one.
        """
        if len(self.clauses) <= 1:
            return self
        first, *others = self.clauses
        shared = [name for name in first if all(_are_alike(first[name], clause.get(name)) for clause in others)]
        return Part(({name: _joined([clause[name] for clause in self.clauses]) for name in shared},))

    def pruning(self) -> Part:
        """A part of few clauses that holds all rows of this one, by which a query leaves files out.

        A plan has all clauses in it: it must not grow with the sessions of a batch.
        """
        return self if len(self.clauses) <= _MOST_IN_PLAN else self.envelope()

    def __or__(self, other: Part) -> Part:
        return Part((*self.clauses, *other.clauses))


EVERYTHING: Final = Part(({},))


def sessions_part(sessions: Iterable[str]) -> Part:
    """Rows of some sessions."""
    return Part(({"session_id": sorted(set(sessions))},))


def vehicles_part(vehicles: Mapping[str, Collection[str]]) -> Part:
    """Rows of some vehicles, by session."""
    return Part(tuple({"session_id": [s], "vehicle_id": sorted(v)} for s, v in sorted(vehicles.items()) if v))


def group_by_session(vehicles: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Vehicles by session."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for session, vehicle in vehicles:
        found[session].add(vehicle)
    return dict(found)


def spans_part(column: str, spans: Iterable[tuple[str, str, Span]]) -> Part:
    """Rows of vehicles whose ``column`` lies in a span of time: session, vehicle and span of each."""
    return Part(tuple({"session_id": [s], "vehicle_id": [v], column: span} for s, v, span in spans))


def pairs_part(vehicles: Mapping[str, Collection[str]]) -> Part:
    """Rows of pairs of vehicles that some vehicles are in, by session."""
    sides = ("vehicle_id_1", "vehicle_id_2")
    return Part(tuple({"session_id": [s], side: sorted(v)} for s, v in sorted(vehicles.items()) if v for side in sides))


def comparison_part(pair: ComparedPair) -> Part:
    """Rows of one lap held against one other."""
    return Part(({name: [getattr(pair, name)] for name in ("session_id", "lap_uid", "reference_uid")},))


def laps_part(laps: Sequence[LapKey]) -> Part:
    """Rows of some laps."""
    numbers: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for lap in laps:
        numbers[lap.session_id, lap.vehicle_id].add(lap.lap_number)
    return Part(
        tuple(
            {"session_id": [session], "vehicle_id": [vehicle], "lap_number": sorted(found)}
            for (session, vehicle), found in sorted(numbers.items())
        )
    )


def _are_alike(one: Collection[Value] | Span, other: Collection[Value] | Span | None) -> bool:
    """Whether both are spans, or both are values."""
    return other is not None and isinstance(one, Span) == isinstance(other, Span)


def _joined(found: Sequence[Collection[Value] | Span]) -> Collection[Value] | Span:
    """What holds the values, or the spans, of all."""
    spans = [each for each in found if isinstance(each, Span)]
    if spans:
        return Span(min(span.first_us for span in spans), max(span.last_us for span in spans))
    return [*dict.fromkeys(value for each in found if not isinstance(each, Span) for value in each)]


def _rows_inside(frame: pl.DataFrame, names: Sequence[str], clauses: Sequence[Clause]) -> IntArray:
    """Places of the rows that meet one of some clauses over the same columns.

    Args:
        frame: Rows with their place ``_row``.
        names: Columns of which the clauses give values; of the others they give spans.
        clauses: The clauses.
    """
    spans = [name for name in clauses[0] if name not in names]
    ends = [f"_{side}_{name}" for name in spans for side in ("first", "last")]
    wanted = [
        (*values, *(us for name in spans for us in _ends_us(clause[name])))
        for clause in clauses
        for values in product(*(_values(clause[name]) for name in names))
    ]
    if not wanted:
        return np.empty(0, np.int64)
    types: dict[str, Any] = {name: frame.schema[name] for name in names} | dict.fromkeys(ends, pl.Int64)
    asked = pl.DataFrame(wanted, [*names, *ends], orient="row", infer_schema_length=None).cast(types)  # type: ignore[arg-type]
    near = frame.join(asked, on=list(names), how="inner") if names else frame.join(asked, how="cross")
    for name in spans:
        near = near.filter(pl.col(name).dt.epoch("us").is_between(pl.col(f"_first_{name}"), pl.col(f"_last_{name}")))
    return near["_row"].to_numpy().astype(np.int64)


def _values(among: Collection[Value] | Span) -> Collection[Value]:
    return () if isinstance(among, Span) else among


def _ends_us(among: Collection[Value] | Span) -> tuple[int, ...]:
    return (among.first_us, among.last_us) if isinstance(among, Span) else ()


def _any_of(conditions: Sequence[Any]) -> Any:
    """Conditions, however many, without a tree as deep as they are many."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return _any_of(conditions[:half]) | _any_of(conditions[half:])


def _clause_sql(clause: Clause, prefix: str) -> str:
    return " AND ".join(_column_sql(f"{prefix}{name}", among) for name, among in clause.items()) or "true"


def _column_sql(column: str, among: Collection[Value] | Span) -> str:
    if isinstance(among, Span):
        return f"{column} BETWEEN {timestamp_literal(among.first_us)} AND {timestamp_literal(among.last_us)}"
    return f"{column} IN ({', '.join(map(sql_literal, among))})" if among else "false"


def _clause_expression(clause: Clause) -> Any:
    conditions = [_column_expression(name, among) for name, among in clause.items()]
    return reduce(lambda a, b: a & b, conditions) if conditions else pc.scalar(True)


def _column_expression(name: str, among: Collection[Value] | Span) -> Any:
    column = pc.field(name)
    if isinstance(among, Span):
        first, last = (pa.scalar(us, pa.timestamp("us", "UTC")) for us in (among.first_us, among.last_us))
        return (column >= first) & (column <= last)
    return column.isin(list(among)) if among else pc.scalar(False)
