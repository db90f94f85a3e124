"""A part of a table, asked for in SQL and of Arrow, is the same rows."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from medallion.keys import LapKey
from medallion.part import EVERYTHING, Part, Span, laps_part, pairs_part, sessions_part, spans_part, vehicles_part

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


@pytest.mark.parametrize(
    ("part", "rows"),
    [
        (Part(), []),
        (sessions_part([]), []),
        (sessions_part(["it's", "b"]), [3, 4]),
        (vehicles_part({"a": ["v"], "it's": ["w"], "b": []}), [0, 1, 4]),
        (EVERYTHING, [0, 1, 2, 3, 4]),
        (spans_part("at", [("a", "v", Span(10, 20)), ("it's", "w", Span(-5, 40))]), [1, 4]),
        (sessions_part(["it's"]) | laps_part([LapKey("a", "v", 1)]), [0, 3, 4]),
        (Part(({"session_id": ["a"], "vehicle_id": []},)), []),
        (pairs_part({"a": ["x"]}), [1, 2]),
        (laps_part([LapKey("a", "v", 2), LapKey("a", "w", 1), LapKey("it's", "v", 9)]), [1, 2]),
    ],
)
def test_both_forms_select_the_same(part: Part, rows: list[int]) -> None:
    assert ROWS.filter(part.expression())["n"].to_pylist() == rows
    sql = part.sql("ROWS.").replace("\\'", "''")  # Spark's escape, as DuckDB writes it
    assert duckdb.sql(f"SELECT n FROM ROWS WHERE {sql} ORDER BY n").fetchall() == [(n,) for n in rows]
