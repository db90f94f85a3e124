"""Tables are what their contracts say, and stay it when a contract grows or a lake is newer."""

from __future__ import annotations

from pathlib import Path

import pytest
from delta.exceptions import ConcurrentAppendException
from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql.types import StructType

from conf.contract import load_contract, table_names
from conf.errors import NewerContractError
from medallion import io
from medallion.io import Lake
from medallion.schema import conform_to_contract
from medallion.transaction import TableTransaction, Txn

LATER_KEYS = {"car_number"}
"""Key columns that lakes had rows without: a table cannot gain a column that is never null."""


@pytest.mark.parametrize("name", table_names())
def test_a_created_table_is_its_contract(lake, name) -> None:
    lake.ensure(name)
    contract, table = load_contract(name), DeltaTable.forPath(lake.spark, lake.uri(name))
    wanted = StructType.fromDDL(", ".join(f"`{c.name}` {c.physical_type}" for c in contract.columns))
    fields = table.toDF().schema.fields
    assert [(f.name, f.dataType) for f in fields] == [(f.name, f.dataType) for f in wanted.fields]
    assert [f.metadata.get("comment") for f in fields] == [c.comment for c in contract.columns]
    assert {f.name for f in fields if not f.nullable} == {c.name for c in contract.columns if c.required}
    assert set(contract.key) - LATER_KEYS <= {f.name for f in fields if not f.nullable}
    detail = table.detail().first()
    assert detail is not None
    assert tuple(detail.partitionColumns) == contract.partition_columns
    assert contract.table_properties.items() <= detail.properties.items()
    assert detail.description == contract.description


def test_a_null_in_a_key_is_refused(lake) -> None:
    row = lake.spark.createDataFrame([(None, 1)], "query string, batch_id bigint")
    with pytest.raises(Exception, match=r"(?i)not null.*query"):
        lake.append(row, "ops.reconciliation")


def test_a_column_the_contract_does_not_know_is_refused(lake) -> None:
    row = lake.spark.createDataFrame([("q", 1, 2)], "query string, batch_id bigint, surplus int")
    with pytest.raises(ValueError, match=r"ops.reconciliation: columns \['surplus'\] are not in the contract"):
        lake.append(row, "ops.reconciliation")


def _older(contract, version, *without):
    """The contract as it was before it had some columns."""
    columns = tuple(c for c in contract.columns if c.name not in without)
    return contract.model_copy(update={"columns": columns, "version": version})


def test_a_lake_of_an_older_contract_gains_the_columns(lake, home, monkeypatch) -> None:
    name, now = "ops.reconciliation", load_contract("ops.reconciliation")
    with monkeypatch.context() as then:
        then.setattr(io, "load_contract", lambda _: _older(now, "0.9.0", "conflicts", "offsets"))
        lake.append(lake.spark.createDataFrame([("q", 1, 7)], "query string, batch_id bigint, units bigint"), name)
    later = Lake(lake.spark, home)
    later.append(lake.spark.createDataFrame([("q", 2, 5)], "query string, batch_id bigint, conflicts bigint"), name)
    found = {r.batch_id: r for r in later.read(name).collect()}
    assert (found[1].units, found[1].conflicts, found[1].offsets) == (7, None, None)
    assert (found[2].units, found[2].conflicts) == (None, 5)
    comments = {f.name: f.metadata.get("comment") for f in later.read(name).schema.fields}
    assert comments["conflicts"] == now.column("conflicts").comment
    properties = DeltaTable.forPath(lake.spark, lake.uri(name)).detail().first().properties  # type: ignore[union-attr]
    assert properties["slipstream.contract.version"] == now.version


def test_a_lake_of_a_newer_contract_is_left_alone(lake, home, monkeypatch) -> None:
    name, now = "ops.reconciliation", load_contract("ops.reconciliation")
    with monkeypatch.context() as then:
        then.setattr(io, "load_contract", lambda _: _older(now, "9.1.0"))
        lake.ensure(name)
    row = lake.spark.createDataFrame([("q", 1)], "query string, batch_id bigint")
    with pytest.raises(NewerContractError, match=r"written by contract 9\.1\.0, this version knows .*upgrade"):
        Lake(lake.spark, home).append(row, name)
    assert lake.read(name).count() == 0


def test_a_column_of_another_type_is_named(lake, home) -> None:
    lake.spark.sql(f"CREATE TABLE delta.`{lake.uri('ops.reconciliation')}` (query STRING, batch_id STRING) USING delta")
    with pytest.raises(ValueError, match=r"ops\.reconciliation .*batch_id is string, not bigint"):
        Lake(lake.spark, home).ensure("ops.reconciliation")


def test_the_same_write_is_made_once(lake) -> None:
    name = "ops.reconciliation"
    row = lake.spark.createDataFrame([("q", 1)], "query string, batch_id bigint")
    for version in (1, 1, 2, 1):
        lake.append(row, name, Txn("q:balance", version))
    assert lake.read(name).count() == 2
    assert lake.last_txn(name, "q:balance") == 2
    assert lake.last_txn(name, "r:balance") is None
    lake.append(row, name, Txn("r:balance", 0))
    assert lake.read(name).count() == 3


@pytest.mark.parametrize("forgotten", [False, True], ids=["checksum", "log"])
def test_what_was_written_is_known_without_a_job(lake, forgotten) -> None:
    name, context = "ops.reconciliation", lake.spark.sparkContext
    for version in (3, 4):
        lake.append(lake.spark.createDataFrame([("q", 1)], "query string, batch_id bigint"), name, Txn("q", version))
    if forgotten:  # as after a commit of a program that writes no checksums
        for checksum in (Path(lake.uri(name)) / "_delta_log").glob("*.crc"):
            checksum.unlink()
        lake.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        assert lake.version(name) == 2  # without a checksum Delta itself runs one to open the table
    group = f"{name}-{forgotten}"
    context.setJobGroup(group, "what was written")
    try:
        assert (lake.last_txn(name, "q"), lake.last_txn(name, "r")) == (4, None)
        assert not context.statusTracker().getJobIdsForGroup(group)
        lake.read(name).count()
        assert context.statusTracker().getJobIdsForGroup(group), "a job would have been seen"
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)


def test_of_two_writers_with_one_id_one_writes(lake) -> None:
    name = "ops.reconciliation"
    lake.ensure(name)
    rows = conform_to_contract(
        lake.spark.createDataFrame([("q", 1)], "query string, batch_id bigint"), load_contract(name)
    )
    one, other = (TableTransaction(lake.spark, lake.uri(name)) for _ in range(2))
    assert one.append(rows, Txn("q", 1))
    with pytest.raises(Exception, match="ConcurrentTransaction"):
        other.append(rows, Txn("q", 1))
    assert not TableTransaction(lake.spark, lake.uri(name)).append(rows, Txn("q", 1))
    assert lake.read(name).count() == 1


def test_an_append_with_an_id_keeps_the_rules_of_the_table(lake) -> None:
    row = lake.spark.createDataFrame([(None, 1)], "query string, batch_id bigint")
    with pytest.raises(Exception, match=r"(?i)not null.*query"):
        lake.append(row, "ops.reconciliation", Txn("q", 1))
    good = lake.spark.createDataFrame([("q", 1)], "query string, batch_id bigint")
    lake.append(good, "ops.reconciliation", Txn("q", 1))
    commit = lake.table("ops.reconciliation").history(1).select("operation", "operationMetrics").first()
    assert (commit.operation, commit.operationMetrics["numOutputRows"]) == ("WRITE", "1")


def test_upsert_writes_only_what_differs(lake) -> None:
    name = "silver.sessions"
    columns = "session_id string, n_samples bigint, source string, run_id string"

    def put(rows, **options) -> set[tuple[str, int, str]]:
        lake.upsert(lake.spark.createDataFrame(rows, columns), name, **options)
        return {(r.session_id, r.n_samples, r.run_id) for r in lake.read(name).collect()}

    assert put([("a", 1, "sim", "first"), ("b", 1, "sim", "first")]) == {("a", 1, "first"), ("b", 1, "first")}
    again = put([("a", 1, "sim", "second"), ("b", 2, "sim", "second"), ("c", 3, "sim", "second")])
    assert again == {("a", 1, "first"), ("b", 2, "second"), ("c", 3, "second")}
    left = put([("a", 1, "sim", "third")], delete_where="t.session_id in ('a', 'b')")
    assert left == {("a", 1, "first"), ("c", 3, "second")}


def test_a_merge_that_deletes_leaves_the_files_of_other_sessions_alone(lake) -> None:
    name = "gold.siwtl"  # partitioned by session
    columns = "session_id string, vehicle_id string, n_valid_laps int"

    def put(rows, **options) -> None:
        lake.upsert(lake.spark.createDataFrame(rows, columns), name, **options)

    put([(f"s{n}", vehicle, 1) for n in range(4) for vehicle in ("a", "b")])
    mine = "t.session_id = 's2'"
    put([("s2", "a", 2), ("s2", "c", 3)], delete_where=mine, prune=mine)
    metrics = lake.table(name).history(1).select("operationMetrics").first()[0]
    assert int(metrics["numTargetFilesRemoved"]) <= 1
    assert (metrics["numTargetRowsDeleted"], metrics["numTargetRowsCopied"]) == ("1", "0")
    found = {(r.session_id, r.vehicle_id, r.n_valid_laps) for r in lake.read(name).collect()}
    assert found == {("s2", "a", 2), ("s2", "c", 3)} | {(f"s{n}", v, 1) for n in (0, 1, 3) for v in "ab"}


def test_the_identity_of_a_merge_is_no_other_commits(lake, monkeypatch) -> None:
    """A merge has it from its session, and other threads commit meanwhile."""
    name, execute = "ops.reconciliation", DeltaMergeBuilder.execute
    lake.append_rows(name, [{"query": "q", "batch_id": 1, "units": 1}])
    other = lake.spark.createDataFrame([("a", 1)], "session_id string, n_samples long")

    def beside(merge: DeltaMergeBuilder) -> None:
        lake.append(other, "silver.sessions")
        execute(merge)

    monkeypatch.setattr(DeltaMergeBuilder, "execute", beside)
    rows = lake.spark.createDataFrame([("q", 1, 5)], "query string, batch_id bigint, units bigint")
    lake.update_matched(rows, name, {"units": "s.units"}, txn=Txn("merge", 7))
    assert [row.units for row in lake.read(name).collect()] == [5]
    assert lake.read("silver.sessions").count() == 1
    assert (lake.last_txn(name, "merge"), lake.last_txn("silver.sessions", "merge")) == (7, None)


def test_a_merge_is_made_again_where_another_was_quicker(lake, monkeypatch) -> None:
    name, execute, tries = "silver.sessions", DeltaMergeBuilder.execute, []
    lake.append_rows(name, [{"session_id": "a", "n_samples": 1}])

    def late(merge: DeltaMergeBuilder) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ConcurrentAppendException("another was quicker")
        execute(merge)

    monkeypatch.setattr(DeltaMergeBuilder, "execute", late)
    monkeypatch.setattr("medallion.transaction.time.sleep", lambda _: None)
    lake.upsert(lake.spark.createDataFrame([("a", 2)], "session_id string, n_samples long"), name)
    assert [row.n_samples for row in lake.read(name).collect()] == [2]
    assert len(tries) == 3
