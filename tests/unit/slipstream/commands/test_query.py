"""``tables``, ``describe`` and ``sql`` on a small real lake."""

from __future__ import annotations

import csv
import io
import json

import polars as pl
import pytest
from deltalake import write_deltalake

from conf.contract import table_names


@pytest.fixture
def lake(lake_home):
    rows = pl.DataFrame({"session_id": ["s1", "s1", "s2"], "track_id": ["oval", "loop", None], "n_samples": [1, 2, 3]})
    write_deltalake(str(lake_home / "lake" / "silver" / "sessions"), rows)
    return lake_home


def test_tables(slipstream, lake):
    result = slipstream("tables")
    assert result.exit_code == 0, result.output
    assert f"1 of {len(table_names())} tables exist" in result.stdout.splitlines()[-1]
    found = {info["name"]: info for info in json.loads(slipstream("tables", "--format", "json").stdout)}
    assert found["silver.sessions"]["rows"] == 3
    assert found["silver.telemetry"]["exists"] is False


def test_describe(slipstream, lake):
    assert "n_samples" in slipstream("describe", "silver.sessions").stdout
    answer = json.loads(slipstream("describe", "silver.telemetry", "--format", "json").stdout)
    assert {c["name"]: c["unit"] for c in answer["columns"]}["speed_kmh"] == "km/h"


def test_sql_in_all_formats(slipstream, lake):
    query = "select session_id, sum(n_samples) as n from silver.sessions group by 1 order by 1"
    expected = [{"session_id": "s1", "n": 3}, {"session_id": "s2", "n": 3}]
    as_json = slipstream("sql", query, "--format", "json")
    assert json.loads(as_json.stdout) == expected
    assert as_json.stderr.startswith("2 rows in ")
    as_csv = csv.DictReader(io.StringIO(slipstream("sql", query, "--format", "csv").stdout))
    assert [{"session_id": r["session_id"], "n": int(r["n"])} for r in as_csv] == expected
    assert "2 rows" in slipstream("sql", query).stdout


def test_sql_from_stdin(slipstream, lake):
    for asked in ("select count(*) as n from silver.sessions", b"\xef\xbb\xbfselect 3 as n;\r\n"):
        result = slipstream("sql", "-", "--format", "json", input=asked)
        assert json.loads(result.stdout) == [{"n": 3}]
    result = slipstream("sql", "-", input="select 'Zürich'".encode("latin-1"))
    assert (result.exit_code, result.stderr) == (1, "the query is no text of UTF-8\n")


@pytest.mark.parametrize(("limit", "rows"), [("0", 0), ("2", 2), ("9", 3)])
def test_sql_limit(slipstream, lake, limit, rows):
    result = slipstream("sql", "select * from silver.sessions", "--limit", limit, "--format", "json")
    assert len(json.loads(result.stdout)) == rows


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select session from silver.sessions", "near matches: session_id"),
        ("drop table silver.sessions", "read-only"),
        ("select * from gold.lap_features", "run `slipstream stream gold` first"),
        ("select 1 as x, 2 as x", "several columns are named x"),
    ],
)
def test_sql_errors_are_on_stderr_and_end_with_1(slipstream, lake, query, words):
    result = slipstream("sql", query, "--format", "json")
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stdout == ""
