"""What an exchange of rows commits, planned without a table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.contract import load_contract
from medallion.arrow_rows import arrow_rows
from medallion.data_files import column_statistics
from medallion.exchange import StoredFile, match_rows, plan_exchange, same_rows, same_value

NAME = "gold.siwtl"
CONTRACT = load_contract(NAME)
KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("vwx"))
TABLE = st.dictionaries(KEYS, st.integers(0, 2), max_size=6)


def rows_of(table: dict[tuple[str, str], int], run: str) -> list[dict[str, Any]]:
    return [
        {"session_id": session, "vehicle_id": vehicle, "n_valid_laps": laps, "run_id": run}
        for (session, vehicle), laps in sorted(table.items())
    ]


def stored(rows: list[dict[str, Any]], inside: set[str], files: int) -> list[StoredFile]:
    """The rows spread over files; those of some sessions are inside."""
    parts = [rows[n::files] for n in range(files)]
    return [
        StoredFile(str(n), 1, arrow_rows(NAME, part), np.array([row["session_id"] in inside for row in part]))
        for n, part in enumerate(parts)
        if part
    ]


def content(rows: list[dict[str, Any]]) -> dict[tuple[str, str], int]:
    return {(row["session_id"], row["vehicle_id"]): row["n_valid_laps"] for row in rows}


@given(TABLE, TABLE, st.integers(1, 3), st.booleans())
def test_the_table_holds_what_it_should_afterwards(
    before: dict[tuple[str, str], int], wanted: dict[tuple[str, str], int], files: int, delete: bool
) -> None:
    new = {key: laps for key, laps in wanted.items() if key[0] == "a"}
    there = stored(rows_of(before, "old"), {"a"}, files)
    plan = plan_exchange(there, arrow_rows(NAME, rows_of(new, "new")), CONTRACT, delete=delete)
    gone = {key for key in before if key[0] == "a" and key not in new} if delete else set()
    expected = {key: laps for key, laps in before.items() if key not in gone} | new
    if plan is None:
        assert before == expected
        return
    replaced = {file.path for file in plan.replaced}
    left = [row for file in there if file.path not in replaced for row in file.rows.to_pylist()]
    left += [row for kept in plan.kept for row in kept.to_pylist()]
    after = [*left, *(row for rows in plan.written for row in rows.to_pylist())]
    assert len(after) == len(expected)
    assert content(after) == expected
    assert {row["run_id"] for row in left} <= {"old"}
    assert all(rows.num_rows for rows in plan.changes.values())
    told = {kind: content(rows.to_pylist()) for kind, rows in plan.changes.items()}
    assert told.get("delete", {}) == {key: before[key] for key in gone}
    assert told.get("insert", {}) == {key: laps for key, laps in new.items() if key not in before}
    differs = {key: laps for key, laps in new.items() if key in before and before[key] != laps}
    assert told.get("update_postimage", {}) == differs
    assert told.get("update_preimage", {}) == {key: before[key] for key in differs}


def test_equal_rows_make_no_plan() -> None:
    rows = rows_of({("a", "v"): 1, ("a", "w"): 2}, "old")
    again = arrow_rows(NAME, [row | {"run_id": "new"} for row in rows])
    assert plan_exchange(stored(rows, {"a"}, 1), again, CONTRACT) is None
    with pytest.raises(ValueError, match=r"gold\.siwtl: two rows have one key"):
        plan_exchange([], pa.concat_tables([again, again]), CONTRACT)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (float("nan"), float("nan"), True),
        (0.0, -0.0, True),
        (None, None, True),
        (None, float("nan"), False),
        ([1.0, float("nan")], [1.0, float("nan")], True),
        ([1.0], [1.0, 2.0], False),
        ({"x": [None]}, {"x": [None]}, True),
        ({"x": 1}, {"x": 2}, False),
        ("a", "b", False),
    ],
)
def test_same_value(one: object, other: object, same: bool) -> None:
    assert same_value(one, other) is same


KEYED = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=8)


@given(KEYED, KEYED.map(lambda keys: [*dict.fromkeys(keys)]))
def test_rows_are_found_by_their_keys(there: list[tuple[str, int]], rows: list[tuple[str, int]]) -> None:
    def table(keys: list[tuple[str, int]]) -> pa.Table:
        columns = {"k": pa.array([k for k, _ in keys], pa.string()), "n": pa.array([n for _, n in keys], pa.int64())}
        return pa.table(columns)

    left = {key: place for place, key in enumerate(rows)}
    expected = [left.pop(key, -1) for key in there]
    assert match_rows(table(there), table(rows), ("k", "n")).tolist() == expected


def test_rows_are_compared_by_their_columns() -> None:
    kinds = {"d": pa.float64(), "s": pa.string(), "l": pa.list_(pa.float64()), "m": pa.map_(pa.string(), pa.int32())}
    schema = pa.schema(list(kinds.items()))
    nan = float("nan")
    one = {"d": [nan, None, 1.0, nan], "s": ["a", None, "b", "c"]}
    one |= {"l": [[nan], None, [1.0], []], "m": [[("a", 1), ("b", 2)], None, [("a", 1)], []]}
    other = {"d": [nan, None, 2.0, None], "s": ["a", None, "b", "c"]}
    other |= {"l": [[nan], None, [2.0], []], "m": [[("b", 2), ("a", 1)], None, [("a", 2)], []]}
    tables = pa.table(one, schema), pa.table(other, schema)
    assert {name: same_rows(*tables, [name]).tolist() for name in schema.names} == {
        "d": [True, True, False, False],
        "s": [True, True, True, True],
        "l": [True, True, False, True],
        "m": [True, True, False, True],
    }
    assert same_rows(*tables, schema.names).tolist() == [True, True, False, False]


def test_statistics_hold_every_value() -> None:
    at = datetime(2025, 3, 1, 15, 0, 0, 123457, tzinfo=UTC)
    rows = pa.table(
        {
            "t": pa.array([at, None], pa.timestamp("us", "UTC")),
            "day": pa.array([at.date(), at.date()]),
            "x": [1.5, -2.0],
            "odd": [float("nan"), 1.0],
            "name": ["b", "a"],
            "none": pa.array([None, None], pa.int32()),
            "list": [[1], None],
        }
    )
    found = column_statistics(rows)
    assert json.loads(json.dumps(found)) == found
    assert found["numRecords"] == 2
    assert found["minValues"] == {"t": "2025-03-01T15:00:00.123Z", "day": "2025-03-01", "x": -2.0, "name": "a"}
    assert found["maxValues"] == {"t": "2025-03-01T15:00:00.124Z", "day": "2025-03-01", "x": 1.5, "name": "b"}
    assert found["nullCount"] == {"t": 1, "day": 0, "x": 0, "odd": 0, "name": 0, "none": 2}
    assert column_statistics(rows, columns=1)["nullCount"] == {"t": 1}


def test_long_texts_are_bounded_by_their_beginning_and_years_beyond_9999_not_at_all() -> None:
    far = pa.array([0, 10**18], pa.int64()).cast(pa.timestamp("us", "UTC"))
    found = column_statistics(pa.table({"name": ["é" * 40, "z" * 40], "at": far, "n": [1, 2]}))
    assert json.loads(json.dumps(found)) == found
    assert found["minValues"] == {"name": "z" * 32, "n": 1}
    assert found["maxValues"] == {"name": "é" * 32 + "\U0010ffff", "n": 2}
    assert found["nullCount"] == {"name": 0, "at": 0, "n": 0}
