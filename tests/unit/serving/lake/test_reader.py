"""The reader: values stay values, instants whole numbers, tables held, and a snapshot stands still."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conf.contract import load_contract
from conf.errors import NewerContractError
from conf.lake import table_uri
from serving.lake import store
from serving.lake.reader import LakeReader
from serving.lake.store import LakeError, MissingTableError

NAMES = ["it's", "a' or '1'='1", 'say "x"', "semi;colon", "back\\slash", "--comment", "$1", "plain"]


@pytest.fixture
def lake(home):
    return LakeReader(home)


@pytest.fixture
def sessions(write_table):
    rows = [
        {"session_id": name, "n_vehicles": k, "start_ts": 1_700_000_000_000_000 + k} for k, name in enumerate(NAMES)
    ]
    return write_table("silver.sessions", rows)


def n_sessions(lake):
    return len(lake.rows("silver.sessions"))


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_only_ever_a_value(lake, sessions, name):
    found = lake.rows("silver.sessions", {"session_id": name}, columns=("session_id", "n_vehicles", "start_ts"))
    k = NAMES.index(name)
    assert found == [{"session_id": name, "n_vehicles": k, "start_ts": 1_700_000_000_000_000 + k}]


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_no_text_finds_another_row(lake, sessions, text):
    found = lake.rows("silver.sessions", {"session_id": text})
    assert [row["session_id"] for row in found] == ([text] if text in NAMES else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_partition_is_only_ever_a_value(lake, write_table, name):
    for session in NAMES:
        write_table("silver.laps", [{"session_id": session, "vehicle_id": session, "lap_number": 1}])
    (row,) = lake.rows("silver.laps", {"session_id": name, "lap_number": 1})
    assert row["vehicle_id"] == name


def test_conditions_columns_order_and_each_row_once(lake, sessions, write_table):
    found = lake.frame("silver.sessions", columns=("session_id",), order_by=("n_vehicles",))
    assert found["session_id"].to_list() == NAMES
    assert lake.rows("silver.sessions", {"session_id": "plain", "n_vehicles": 0}) == []
    write_table("silver.sessions", [{"session_id": "plain", "n_vehicles": 99}])
    assert sorted(lake.frame("silver.sessions", columns=("session_id",), distinct=True)["session_id"]) == sorted(NAMES)


def test_lists_maps_and_rows_without_a_value(lake, write_table):
    laps = [
        {"session_id": "s", "vehicle_id": "a", "lap_number": 2, "unfit_for": {"pace": ["pit_lap"]}, "fit_for": []},
        {"session_id": "s", "vehicle_id": "a", "lap_number": 1, "vehicle_number": 7},
    ]
    write_table("silver.laps", laps)
    columns = ("lap_number", "unfit_for", "fit_for")
    assert lake.rows("silver.laps", columns=columns, order_by=("vehicle_number",)) == [
        {"lap_number": 1, "unfit_for": None, "fit_for": None},
        {"lap_number": 2, "unfit_for": {"pace": ["pit_lap"]}, "fit_for": []},
    ]


def test_files_that_cannot_hold_such_rows_are_not_opened(home, lake, write_table):
    write_table("silver.laps", [{"session_id": "here", "vehicle_id": "a", "lap_number": 1}])
    write_table("silver.laps", [{"session_id": "here", "vehicle_id": "z", "lap_number": 1}])
    write_table("silver.laps", [{"session_id": "there", "vehicle_id": "a", "lap_number": 1}])
    for row in pa.table(lake.table("silver.laps").get_add_actions(flatten=True)).to_pylist():
        if row["partition.session_id"] == "there" or row["min.vehicle_id"] == "z":
            (Path(table_uri("silver.laps", home)) / row["path"]).unlink()
    assert len(lake.rows("silver.laps", {"session_id": "here", "vehicle_id": "a"})) == 1
    with pytest.raises(LakeError, match=r"table silver\.laps cannot be read"):
        lake.rows("silver.laps")


def test_a_column_that_the_table_lacks_is_named(lake, sessions):
    with pytest.raises(LakeError, match=r"silver\.sessions .*n_wheels"):
        lake.rows("silver.sessions", columns=("n_wheels",))


def test_a_missing_table_says_what_fills_it(lake):
    with pytest.raises(MissingTableError, match="slipstream stream"):
        lake.rows("silver.sessions")
    assert lake.rows("silver.sessions", missing_ok=True) == []


def test_a_table_is_opened_once_and_brought_forward(lake, sessions, write_table, monkeypatch):
    assert n_sessions(lake) == len(NAMES)
    monkeypatch.setattr(store, "open_table", None)
    write_table("silver.sessions", [{"session_id": "later"}])
    assert n_sessions(lake) == len(NAMES) + 1
    assert lake.query("select count(*) as n from silver.sessions").to_pylist() == [{"n": len(NAMES) + 1}]


def test_a_table_that_gets_a_newer_contract_is_refused_from_then_on(lake, sessions, write_table):
    n_sessions(lake)
    write_table("silver.sessions", [{"session_id": "later"}], "99.0.0")
    with pytest.raises(NewerContractError, match=load_contract("silver.sessions").version):
        n_sessions(lake)


def test_a_snapshot_stays_where_it_was_first_looked_at(lake, sessions, write_table):
    page = lake.snapshot()
    assert page.versions == {}
    n_sessions(lake)
    write_table("silver.sessions", [{"session_id": "before the first look"}])
    shown, version = n_sessions(page), lake.version("silver.sessions")
    write_table("silver.sessions", [{"session_id": "after it"}])
    assert (n_sessions(page), n_sessions(lake)) == (shown, shown + 1) == (len(NAMES) + 1, len(NAMES) + 2)
    assert page.query("select count(*) as n from silver.sessions").to_pylist() == [{"n": shown}]
    assert page.versions == {"silver.sessions": version}
    assert page.snapshot() is page


def test_in_a_snapshot_a_table_that_was_not_there_stays_so(lake, sessions, home, write_table):
    page = lake.snapshot()
    assert not page.exists("silver.laps")
    write_table("silver.laps", [{"session_id": "s", "vehicle_id": "a", "lap_number": 1}])
    assert not page.exists("silver.laps")
    assert page.rows("silver.laps", missing_ok=True) == []
    with pytest.raises(MissingTableError):
        page.table("silver.laps")
    assert lake.exists("silver.laps")


def test_a_snapshot_gives_its_tables_back(lake, sessions, write_table, monkeypatch):
    with lake.snapshot() as page:
        n_sessions(page)
    monkeypatch.setattr(store, "open_table", None)
    write_table("silver.sessions", [{"session_id": "later"}])
    assert n_sessions(lake) == len(NAMES) + 1


def test_after_an_error_the_tables_are_opened_anew(home, lake, sessions, write_table):
    def read_a_lake_that_was_replaced():
        with lake.snapshot() as page:
            page.table("silver.sessions")
            shutil.rmtree(table_uri("silver.sessions", home))
            n_sessions(page)

    with pytest.raises(LakeError):
        read_a_lake_that_was_replaced()
    write_table("silver.sessions", [{"session_id": "new"}])
    assert n_sessions(lake) == 1
