"""Rows by plain conditions: values never become SQL, instants stay whole numbers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from serving.lake.rows import columns_of, table_rows
from serving.lake.store import MissingTableError

NAMES = ["it's", "a' or '1'='1", 'say "x"', "semi;colon", "back\\slash", "--comment", "plain"]


@pytest.fixture
def sessions(write_table):
    rows = [
        {"session_id": name, "n_vehicles": k, "start_ts": 1_700_000_000_000_000 + k} for k, name in enumerate(NAMES)
    ]
    return write_table("silver.sessions", rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_only_ever_a_value(home, sessions, name):
    found = table_rows("silver.sessions", home, {"session_id": name}, columns=("session_id", "n_vehicles", "start_ts"))
    k = NAMES.index(name)
    assert found == [{"session_id": name, "n_vehicles": k, "start_ts": 1_700_000_000_000_000 + k}]


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20))
def test_no_text_finds_another_row(home, sessions, text):
    found = table_rows("silver.sessions", home, {"session_id": text})
    assert [row["session_id"] for row in found] == ([text] if text in NAMES else [])


def test_conditions_columns_and_order(home, sessions):
    found = columns_of("silver.sessions", home, columns=("session_id",), order_by=("n_vehicles desc",))
    assert found["session_id"].to_pylist() == NAMES[::-1]
    assert table_rows("silver.sessions", home, {"session_id": "plain", "n_vehicles": 0}) == []


def test_a_missing_table_says_what_fills_it(home):
    with pytest.raises(MissingTableError, match="slipstream stream"):
        table_rows("silver.sessions", home)
