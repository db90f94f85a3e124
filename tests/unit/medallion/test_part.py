"""A part of a table, asked for in SQL and of Arrow, is the same rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from conf.lake import table_uri
from conf.settings import AppConfig
from medallion.exchange import read_files
from medallion.keys import LapKey
from medallion.part import EVERYTHING, Part, Span, laps_part, pairs_part, sessions_part, spans_part, vehicles_part
from medallion.reading import are_at_most, count_rows, read_table

ROWS = pa.table(
    {
        "session_id": ["a", "a", "a", "it's", "it's"],
        "vehicle_id": ["v", "v", "w", "v", "w"],
        "vehicle_id_1": ["v", "v", "w", "v", "w"],
        "vehicle_id_2": ["w", "x", "x", "y", "z"],
        "lap_number": pa.array([1, 2, 1, 1, 1], pa.int32()),
        "at": pa.array([0, 10, 20, 30, 40], pa.timestamp("us", "UTC")),
        "n": range(5),
    }
)


PARTS = pytest.mark.parametrize(
    ("part", "rows"),
    [
        (Part(), []),
        (sessions_part([]), []),
        (sessions_part(["it's", "b"]), [3, 4]),
        (vehicles_part({"a": ["v"], "it's": ["w"], "b": []}), [0, 1, 4]),
        (EVERYTHING, [0, 1, 2, 3, 4]),
        (spans_part("at", [("a", "v", Span(10, 20)), ("it's", "w", Span(-5, 40))]), [1, 4]),
        (sessions_part(["it's"]) | laps_part([LapKey("a", "v", 1)]), [0, 3, 4]),
        (EVERYTHING | sessions_part(["a"]), [0, 1, 2, 3, 4]),
        (vehicles_part({"a": ["u"], "b": ["v"]}), []),
        (Part(({"session_id": ["a"], "vehicle_id": []}, {"session_id": [], "vehicle_id": ["v"]})), []),
        (Part(({"session_id": ["a"], "vehicle_id": []},)), []),
        (pairs_part({"a": ["x"]}), [1, 2]),
        (laps_part([LapKey("a", "v", 2), LapKey("a", "w", 1), LapKey("it's", "v", 9)]), [1, 2]),
    ],
)


@PARTS
def test_both_forms_select_the_same(part: Part, rows: list[int]) -> None:
    assert ROWS.filter(part.expression())["n"].to_pylist() == rows
    sql = part.sql("ROWS.").replace("\\'", "''")  # Spark's escape, as DuckDB writes it
    assert duckdb.sql(f"SELECT n FROM ROWS WHERE {sql} ORDER BY n").fetchall() == [(n,) for n in rows]


@PARTS
def test_its_mask_is_what_it_selects(part: Part, rows: list[int]) -> None:
    assert np.flatnonzero(part.mask(ROWS)).tolist() == rows
    none_known = ROWS.set_column(0, "session_id", pa.nulls(5, pa.string()))
    assert part.mask(none_known).tolist() == [{} in part.clauses] * 5


def test_thousands_of_clauses_are_joined() -> None:
    """What a batch of as many sessions as messages asks; as one condition it takes minutes."""
    spans = spans_part("at", [(f"session-{n}", "v", Span(0, 50)) for n in range(20_000)] + [("a", "w", Span(15, 20))])
    assert np.flatnonzero(spans.mask(ROWS)).tolist() == [2]
    assert len(spans.pruning().clauses) == 1
    few = vehicles_part({"a": ["v"], "b": ["w"]})
    assert few.pruning() is few


@PARTS
def test_its_envelope_is_one_clause_that_holds_it(part: Part, rows: list[int]) -> None:
    assert len(part.envelope().clauses) <= 1
    assert set(ROWS.filter(part.envelope().expression())["n"].to_pylist()) >= set(rows)


@PARTS
def test_a_tables_rows_in_it_are_read(part: Part, rows: list[int], home: AppConfig) -> None:
    uri = table_uri("gold.mine", home)
    write_deltalake(uri, ROWS.slice(0, 3))
    write_deltalake(uri, ROWS.slice(3), mode="append")
    lake: Any = SimpleNamespace(settings=home, ensure=lambda _: None)
    assert sorted(read_table(lake, "gold.mine", part, ["n"])["n"].to_pylist()) == rows
    assert read_table(lake, "gold.mine", part).sort_by("n").equals(ROWS.filter(part.expression()))
    assert count_rows(lake, "gold.mine", part) == len(rows)
    assert [are_at_most(lake, "gold.mine", part, len(rows) + n) for n in (-1, 0, 1)] == [False, True, True]
    assert sum(file.inside.sum() for file in read_files(lake, "gold.mine", part)) == len(rows)


def test_an_envelope_of_spans_and_values_leaves_their_column_out() -> None:
    mixed = Part(({"session_id": ["a"], "at": Span(0, 5)}, {"session_id": ["it's"], "at": [40]}))
    assert mixed.envelope().clauses == ({"session_id": ["a", "it's"]},)
