"""``maintain --dry-run`` on a small real lake; that it merges is tested with Spark."""

from __future__ import annotations

import polars as pl
import pytest
from deltalake import write_deltalake


@pytest.fixture
def lake(lake_home):
    rows = pl.DataFrame({"session_id": ["s1", "s2"], "n_samples": [1, 2]})
    for _ in range(3):
        write_deltalake(str(lake_home / "lake" / "silver" / "sessions"), rows, mode="append")
    write_deltalake(str(lake_home / "lake" / "silver" / "drivers"), rows)
    return lake_home


def test_dry_run_names_what_it_would_merge(slipstream, lake):
    result = slipstream("maintain", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "silver.sessions" in result.stdout
    assert "silver.drivers" not in result.stdout
    assert "would merge 3 of 4 files in 1 of 2 tables" in result.stdout.splitlines()[-1]
    assert "would merge 0 of 1 files" in slipstream("maintain", "silver.drivers", "--dry-run").stdout


def test_a_table_that_is_not_there_is_named(slipstream, lake):
    result = slipstream("maintain", "silver.laps", "--dry-run")
    assert result.exit_code != 0
    assert "silver.laps does not exist yet" in result.stderr
    assert "Traceback" not in result.output
