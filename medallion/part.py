"""A part of a table: the rows whose keys are among some values, as Spark and as Arrow ask for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow.compute as pc

from analysis.comparison.rows import ComparedPair
from medallion.keys import LapKey
from medallion.schema import sql_literal

Value = str | int
Clause = Mapping[str, Collection[Value]]


@dataclass(frozen=True)
class Part:
    """Rows of a table that meet one of some clauses.

    Attributes:
        clauses: Column to the values that it may have; a row meets a clause by all of its columns. No clause selects
            nothing.
    """

    clauses: tuple[Clause, ...] = ()

    def sql(self, prefix: str = "") -> str:
        """SQL condition.

        Args:
            prefix: What stands before a column's name, e.g. ``t.``.
        """
        return " OR ".join(f"({_clause_sql(clause, prefix)})" for clause in self.clauses) or "false"

    def expression(self) -> Any:
        """Condition on an Arrow dataset, by whose statistics files are left out."""
        if not self.clauses:
            return pc.scalar(False)
        return reduce(lambda a, b: a | b, map(_clause_expression, self.clauses))


def sessions_part(sessions: Iterable[str]) -> Part:
    """Rows of some sessions."""
    return Part(({"session_id": sorted(set(sessions))},))


def vehicles_part(vehicles: Mapping[str, Collection[str]]) -> Part:
    """Rows of some vehicles, by session."""
    return Part(tuple({"session_id": [s], "vehicle_id": sorted(v)} for s, v in sorted(vehicles.items()) if v))


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


def _clause_sql(clause: Clause, prefix: str) -> str:
    if not all(clause.values()):
        return "false"
    return " AND ".join(f"{prefix}{name} IN ({', '.join(map(sql_literal, values))})" for name, values in clause.items())


def _clause_expression(clause: Clause) -> Any:
    if not all(clause.values()):
        return pc.scalar(False)
    return reduce(lambda a, b: a & b, (pc.field(name).isin(list(values)) for name, values in clause.items()))
