"""The ``/karma`` tree: which rows it holds, what a leaf says, keys that Firebase takes, files that are whole."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.contract import load_contract
from conf.settings import AppConfig
from serving.export.karma_tree import (
    FIELDS,
    KarmaError,
    build_karma_tree,
    count_leaves,
    read_karma_rows,
    row_to_leaf,
    to_safe_key,
    write_scores,
    write_tree,
)
from serving.lake.reader import LakeReader
from serving.lake.store import MissingTableError
from tests.unit.serving.conftest import WriteTable
from tests.unit.serving.export.karma_rows import COMPONENTS, START_US, race, score

DAY_US = 86_400_000_000


def test_the_tree_is_by_vehicle_lap_and_component() -> None:
    tree = build_karma_tree(race(laps=12))
    assert list(tree) == ["A-1", "B-2"]
    assert list(tree["A-1"]) == [str(lap) for lap in range(1, 13)]
    assert tuple(tree["A-1"]["7"]) == COMPONENTS
    assert tree["B-2"]["7"]["engine"]["karma_score"] == 67.0
    assert count_leaves(tree) == 2 * 12 * 3


def test_a_leaf_says_what_there_is_and_nothing_else() -> None:
    leaf = row_to_leaf(score("r1", "A", 3, "brakes", trend=float("nan"), karma_low=0.0))
    assert leaf["lap_end_ts"] == "2025-09-06T12:05:00Z"
    assert leaf["top_factors"][0] == {"feature": "energy_kj", "contribution": 12.5}
    assert leaf["karma_low"] == 0.0
    assert "trend" not in leaf  # NaN
    assert "missing_inputs" not in leaf  # empty
    assert "not_scored_reason" not in leaf  # null
    assert set(leaf) <= set(FIELDS)
    assert json.loads(json.dumps(leaf)) == leaf


def test_a_lap_without_score_says_why() -> None:
    leaf = row_to_leaf(
        score("r1", "A", 1, "brakes", karma_score=None, not_scored_reason="no telemetry", lap_end_ts=None)
    )
    assert leaf["not_scored_reason"] == "no telemetry"
    assert not leaf.keys() & {"karma_score", "lap_end_ts"}


def test_fields_are_columns_of_the_contract() -> None:
    assert set(FIELDS) <= set(load_contract("gold.karma_scores").column_names)


def test_of_each_vehicle_the_session_that_ended_last() -> None:
    later = [row | {"lap_end_ts": row["lap_end_ts"] + DAY_US} for row in race("a-later", ("A-1",), laps=2)]
    undated = race("z-undated", ("A-1",), lap_end_ts=None)
    tree = build_karma_tree([*race("r1"), *later, *undated])
    assert list(tree["A-1"]) == ["1", "2"]
    assert {leaf["session_id"] for lap in tree["A-1"].values() for leaf in lap.values()} == {"a-later"}
    assert {leaf["session_id"] for lap in tree["B-2"].values() for leaf in lap.values()} == {"r1"}


@given(st.text(max_size=60), st.text(max_size=60))
def test_different_names_have_different_keys_that_firebase_takes(one: str, other: str) -> None:
    keys = to_safe_key(one), to_safe_key(other)
    assert (keys[0] == keys[1]) == (one == other)
    assert all(key and not re.search(r"[.$#\[\]/\x00-\x1f\x7f]", key) for key in keys)


@pytest.mark.parametrize(
    ("name", "key"),
    [("GR86-022-13", "GR86-022-13"), ("A/1.b", "A%2F1%2Eb"), ("A%2F1", "A%252F1"), ("Zoë\n", "Zoë%0A"), ("", "%")],
)
def test_keys(name: str, key: str) -> None:
    assert to_safe_key(name) == key


def test_a_key_too_long_is_refused() -> None:
    to_safe_key("ö" * 384)
    with pytest.raises(KarmaError, match="too long for a key"):
        to_safe_key("ö" * 385)


def test_scores_of_the_lake(home: AppConfig, write_table: WriteTable) -> None:
    rows = race()
    write_table("gold.karma_scores", rows)
    write_table("gold.karma_scores", race("r0", ("C's",), laps=1))
    assert build_karma_tree(read_karma_rows(LakeReader(home))) == build_karma_tree(
        [*rows, *race("r0", ("C's",), laps=1)]
    )
    assert build_karma_tree(read_karma_rows(LakeReader(home), "r1")) == build_karma_tree(rows)
    assert list(build_karma_tree(read_karma_rows(LakeReader(home), vehicle="C's"))) == ["C's"]


def test_what_is_missing_is_said_with_the_remedy(home: AppConfig, write_table: WriteTable) -> None:
    with pytest.raises(MissingTableError, match="slipstream score karma"):
        read_karma_rows(LakeReader(home))
    write_table("gold.karma_scores", [])
    with pytest.raises(KarmaError, match="is empty: `slipstream score karma`"):
        read_karma_rows(LakeReader(home))
    write_table("gold.karma_scores", [*race(), *race("r2", ("C-3",))])
    with pytest.raises(KarmaError, match="no scores of session 'r9': sessions are r1, r2; `slipstream score karma`"):
        read_karma_rows(LakeReader(home), "r9")
    with pytest.raises(KarmaError, match="vehicle 'C-3' in session 'r1': vehicles are A-1, B-2; "):
        read_karma_rows(LakeReader(home), "r1", "C-3")
    with pytest.raises(KarmaError, match="vehicle 'X': vehicles are A-1, B-2, C-3; "):
        write_scores(LakeReader(home), home.home / "x.parquet", vehicle="X")


def test_the_tree_as_a_file(tmp_path: Path) -> None:
    tree = build_karma_tree(race(vehicles=("Zoë/1",)))
    file = tmp_path / "new" / "karma.json"
    write_tree(tree, file)
    write_tree(tree, file)
    assert json.loads(file.read_text()) == tree
    assert [path.name for path in file.parent.iterdir()] == ["karma.json"]


def test_rows_as_parquet(home: AppConfig, write_table: WriteTable, tmp_path: Path) -> None:
    write_table("gold.karma_scores", [*race(), *race("r2", laps=1)])
    file = tmp_path / "new" / "karma.parquet"
    assert write_scores(LakeReader(home), file) == 2 * 4 * 3 + 2 * 3
    assert write_scores(LakeReader(home), file, "r1", "B-2") == 4 * 3
    found = pq.read_table(file)
    assert found.column_names == list(load_contract("gold.karma_scores").column_names)
    first = found.slice(0, 1).to_pylist()[0]
    assert first["lap_end_ts"] == datetime.fromtimestamp(START_US / 1e6 + 100, UTC)
    assert first["top_factors"][1] == {"feature": "jerk", "contribution": -3.0}
    assert [path.name for path in file.parent.iterdir()] == ["karma.parquet"]
