"""Answers as table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.plain_console import PlainConsole
from serving.lake.formats import print_table, write_csv, write_json

ANSWER = pa.table(
    {
        "s": pa.array(['he said "x", y', None]),
        "f": pa.array([1.5, float("nan")]),
        "t": pa.array([1_700_000_000_000_001, None], pa.timestamp("us", "UTC")),
        "l": pa.array([[{"rule": "r", "n": 1}], []]),
        "m": pa.array([[("k", 2)], None], pa.map_(pa.string(), pa.int64())),
        "b": pa.array([b"caf\xc3\xa9", b"\xff\x00"]),
    }
)


def as_json(table: pa.Table) -> list[dict[str, object]]:
    out = io.BytesIO()
    assert write_json(table.to_reader(), out) == table.num_rows
    return json.loads(out.getvalue())


def as_csv(table: pa.Table) -> list[list[str]]:
    out = io.BytesIO()
    assert write_csv(table.to_reader(), out) == table.num_rows
    return list(csv.reader(io.StringIO(out.getvalue().decode())))


def as_table(table: pa.Table, limit: int = 10, **console: object) -> str:
    out = io.StringIO()
    print_table(table.to_reader(max_chunksize=2), PlainConsole(file=out, **console), limit)
    return out.getvalue()


def test_json_has_iso_time_null_for_nan_and_nested_values():
    first, second = as_json(ANSWER)
    assert first == {
        "s": 'he said "x", y',
        "f": 1.5,
        "t": "2023-11-14T22:13:20.000001Z",
        "l": [{"rule": "r", "n": 1}],
        "m": {"k": 2},
        "b": "café",
    }
    assert second == {"s": None, "f": None, "t": None, "l": [], "m": None, "b": "/wA="}


def test_csv_has_nested_values_as_json_text():
    assert as_csv(ANSWER) == [
        ["s", "f", "t", "l", "m", "b"],
        ['he said "x", y', "1.5", "2023-11-14T22:13:20.000001Z", '[{"rule":"r","n":1}]', '{"k":2}', "café"],
        ["", "nan", "", "[]", "", "/wA="],
    ]


def test_no_rows_are_still_an_answer():
    empty = pa.table({"x": pa.array([], pa.int64())})
    assert as_json(empty) == []
    assert as_csv(empty) == [["x"]]
    assert "0 rows" in as_table(empty)


def test_json_refuses_two_columns_of_one_name():
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(ValueError, match="several columns are named x"):
        as_json(twice)
    assert as_csv(twice) == [["x", "x"], ["1", "2"]]


def test_the_table_says_when_rows_are_left_out():
    numbers = pa.table({"n": list(range(7))})
    assert "first 3 rows, there are more: --limit N" in as_table(numbers, 3)
    assert as_table(numbers, 7).endswith("7 rows\n")


def test_the_table_says_which_columns_do_not_fit():
    wide = pa.table({f"column_{i}": ["x" * 20] for i in range(9)})
    text = as_table(wide, width=50, force_terminal=True, color_system=None)
    assert "column_1" in text
    assert "7 columns do not fit this terminal: column_2" in text


@pytest.mark.parametrize("width", [40, 60, 100, 300])
def test_long_texts_are_cut_only_as_far_as_a_terminal_makes_it_needful(width):
    told = "braked 33 m earlier, 14 km/h slower at the apex, and was back on the throttle 11 m sooner than the other"
    answer = pa.table({"corner": ["T1"], "time_lost_s": [0.739], "finding": [told]})
    lines = as_table(answer, width=width, force_terminal=True, color_system=None).splitlines()
    assert max(map(len, lines)) <= width
    assert "0.739" in lines[1]
    assert (told in lines[1]) == (width >= 6 + 2 + 11 + 2 + len(told))
    assert told in as_table(answer).splitlines()[1]


def test_a_pipe_gets_all_columns():
    wide = pa.table({f"column_{i}": ["x" * 20] for i in range(9)})
    header = as_table(wide).splitlines()[0].split()
    assert header == [f"column_{i}" for i in range(9)]


def test_square_brackets_are_no_markup():
    assert "[red]" in as_table(pa.table({"[b]x": ["[red]"]}))


@settings(deadline=None)  # the first call loads pandas
@given(
    st.lists(st.tuples(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1)))
)
def test_json_round_trips(rows):
    schema = pa.schema([("s", pa.string()), ("f", pa.float64()), ("i", pa.int64())])
    table = pa.Table.from_pylist([dict(zip("sfi", row, strict=True)) for row in rows], schema)
    assert as_json(table) == table.to_pylist()


def test_no_format_loads_pandas():
    """Pandas costs a second, and pyarrow imports it on the quiet."""
    code = """
import io, sys
from conf.settings import AppConfig
from conf.plain_console import PlainConsole
from serving.lake.formats import print_table, write_csv, write_json
from serving.lake.reader import LakeReader
lake = LakeReader(AppConfig(slipstream_home="nowhere", _env_file=None))
sql = "select now() as t, [1, 2] as l, 'x' as s, date '2020-01-01' as d"
write_json(lake.sql(sql), io.BytesIO())
write_csv(lake.sql(sql), io.BytesIO())
print_table(lake.sql(sql), PlainConsole(file=io.StringIO()), 5)
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
