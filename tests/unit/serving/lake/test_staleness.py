"""Tables whose rows an earlier release made are named, each with what makes them anew."""

from __future__ import annotations

import pytest

from conf.contract import ROWS_PROPERTY, ContractError, load_contract, table_names
from infra.doctor import Finding
from serving.lake.staleness import check_stale_rows, find_stale_tables, group_by_remedy

LAP = {"session_id": "s", "vehicle_id": "a", "lap_number": 1}


def set_rows_version(table, version):
    table.alter.set_table_properties({ROWS_PROPERTY: version}, raise_if_not_exists=False)


def test_a_table_is_stale_until_its_rows_are_those_of_its_contract(home, write_table):
    laps = write_table("silver.laps", [LAP])
    assert find_stale_tables(home) == ["silver.laps"]  # of a release that did not note it
    set_rows_version(laps, "1.0.0")
    assert find_stale_tables(home) == ["silver.laps"]
    set_rows_version(laps, load_contract("silver.laps").version)
    assert find_stale_tables(home) == []
    assert list(check_stale_rows(home)) == []


def test_a_table_without_rows_or_whose_rows_were_always_so_is_not_stale(home, write_table):
    write_table("silver.laps", [])
    assert load_contract("ops.job_runs").same_rows_since is None
    write_table("ops.job_runs", [{"run_id": "r"}])
    assert find_stale_tables(home) == []


def test_what_makes_stale_rows_anew(home, write_table):
    from_silver = group_by_remedy(["gold.siwtl", "gold.stints"])
    assert from_silver == {"`slipstream backfill gold` makes them anew from silver.": ["gold.siwtl", "gold.stints"]}
    write_table("silver.laps", [LAP])
    write_table("gold.siwtl", [{"session_id": "s", "vehicle_id": "a"}])
    write_table("gold.insights", [LAP])
    whole, by_command = check_stale_rows(home)
    assert whole == Finding(
        "rows",
        "warn",
        "rows of gold.siwtl, silver.laps were made by an earlier release, and would be made otherwise now",
        "`slipstream reset silver --yes && slipstream run` makes them anew from bronze.",
    )
    assert "gold.insights" in by_command.detail
    assert "slipstream coach" in by_command.remedy


def test_a_version_that_cannot_be_read_is_an_error_that_names_it(home, write_table):
    set_rows_version(write_table("silver.laps", [LAP]), "new")
    with pytest.raises(ContractError, match=r"silver\.laps.*slipstream\.rows\.version is 'new', not a version"):
        find_stale_tables(home)


def test_no_table_asks_for_rows_of_a_version_to_come():
    for name in table_names():
        contract = load_contract(name)
        assert not contract.has_stale_rows(contract.version), name
