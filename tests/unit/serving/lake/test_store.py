"""Opening tables: what is there, what is not, and what is too new."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import SecretStr

from conf.contract import ContractError, load_contract, table_names
from conf.errors import NewerContractError
from conf.lake import storage_options, table_uri
from conf.settings import AppConfig
from serving.lake import store


def test_existing_tables_are_those_on_disk_contracted_or_not(home, write_table):
    write_table("ops.dq_results", [{"run_id": "r", "suite": "s", "expectation": "e"}])
    write_deltalake(table_uri("gold.mine", home), pl.DataFrame({"x": [1]}))
    (Path(home.lake_root) / "silver" / "not_delta").mkdir(parents=True)
    assert store.existing_tables(home) == ("gold.mine", "ops.dq_results")


def test_an_empty_home_has_no_tables(home):
    assert store.existing_tables(home) == ()


@pytest.mark.parametrize("name", table_names())
def test_a_missing_table_names_the_command_that_makes_it(home, name):
    with pytest.raises(store.MissingTableError, match=rf"table {name} does not exist yet in .*: run `slipstream \w+"):
        store.open_table(name, home)


def test_a_name_that_no_contract_has_is_not_promised(home):
    with pytest.raises(store.MissingTableError, match=r"there is no table silver\.telemtry"):
        store.open_table("silver.telemtry", home)


@pytest.mark.parametrize("version", ["1.1.0", "1.1.9", "1.0.0", "0.9.0", None])
def test_same_and_older_contracts_open(home, write_table, version):
    write_table("ops.dq_results", [{"run_id": "r"}], version)
    assert store.table_contract_version(store.open_table("ops.dq_results", home)) == version


@pytest.mark.parametrize("version", ["1.99.0", "2.0.0", "10.0.0"])
def test_a_newer_contract_is_refused_with_both_versions_and_the_remedy(home, write_table, version):
    write_table("ops.dq_results", [{"run_id": "r"}], version)
    known = load_contract("ops.dq_results").version
    with pytest.raises(NewerContractError, match=rf"contract {version}.*knows {known}.*upgrade"):
        store.open_table("ops.dq_results", home)


def test_a_property_that_is_no_version_is_named(home, write_table):
    write_table("ops.dq_results", [{"run_id": "r"}], "newest")
    with pytest.raises(ContractError, match=r"ops.dq_results.*'newest'"):
        store.open_table("ops.dq_results", home)


def test_a_torn_log_is_a_lake_error_that_names_the_table(home, write_table):
    write_table("ops.dq_results", [{"run_id": "r"}])
    for log in Path(table_uri("ops.dq_results", home)).glob("_delta_log/*.json"):
        log.write_text('{"metaData": ')
    with pytest.raises(store.LakeError, match=r"table ops.dq_results at .* cannot be opened"):
        store.open_table("ops.dq_results", home)


def test_stats_come_from_the_log_without_reading_data(home, write_telemetry):
    write_telemetry()
    folder = Path(table_uri("silver.telemetry", home))
    data = list(folder.rglob("*.parquet"))
    size = sum(file.stat().st_size for file in data)
    for file in data:
        file.unlink()
    assert store.read_table_stats(store.open_table("silver.telemetry", home)) == store.TableStats(4, size, len(data))


def test_rows_are_counted_where_a_file_has_no_statistics(home, write_table):
    write_table("ops.dq_results", [{"run_id": "r"}, {"run_id": "q"}])
    log = Path(table_uri("ops.dq_results", home)) / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace('\\"numRecords\\":2,', ""))
    table = DeltaTable(table_uri("ops.dq_results", home))
    assert table.get_add_actions().column("num_records").to_pylist() == [None]
    assert store.read_table_stats(table).rows == 2


def test_deleted_rows_are_not_counted(home, write_telemetry):
    write_telemetry()
    store.open_table("silver.telemetry", home).delete("vehicle_id = 'b'")
    assert store.read_table_stats(store.open_table("silver.telemetry", home)).rows == 2


def test_storage_options_are_only_for_object_stores(home):
    assert storage_options(home) is None
    azure = AppConfig(azure_storage_account="acc", azure_storage_key=SecretStr("key"), _env_file=None)
    assert storage_options(azure) == {
        "azure_storage_account_name": "acc",
        "azure_storage_account_key": "key",
    }
