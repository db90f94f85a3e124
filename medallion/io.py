"""The only code that writes Delta: create, append, upsert, replace."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from threading import RLock
from typing import Final

import pyarrow as pa
from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.contract import ROWS_PROPERTY, VERSION_PROPERTY, Contract, check_contract_version, load_contract
from conf.errors import InputError
from conf.lake import table_uri
from conf.settings import AppConfig
from medallion.arrow_rows import arrow_rows
from medallion.data_files import DataFile, check_required, files_by_partition
from medallion.schema import check_known_columns, column_ddl, conform_to_contract, struct_type
from medallion.side_by_side import run_side_by_side
from medallion.table_metadata import create_table, table_metadata
from medallion.transaction import TableTransaction, Txn, last_written, latest_snapshot, write_in_turn, writing

IGNORED: Final = ("run_id", "updated_ts", "predicted_ts", "registered_ts", "created_ts", "scored_ts")
"""Columns that say when and by which run a row was written, and are no content of it."""
_MERGING: Final = RLock()
_MERGED_ROWS: Final = 100_000
"""Of a file that a merge writes: what exchanges some of its rows writes the file anew, but not a car's whole race."""


class Lake:
    """Delta tables of one lake, by contract name.

    Args:
        spark: Session with the Delta extension.
        settings: Says where the lake is.
    """

    def __init__(self, spark: SparkSession, settings: AppConfig) -> None:
        self.spark = spark
        self.settings = settings
        self._ensured: set[str] = set()

    def uri(self, name: str) -> str:
        """URI of a table."""
        return table_uri(name, self.settings)

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        return self.version(name) is not None

    def table(self, name: str) -> DeltaTable:
        """The Delta table, created from its contract if need be."""
        self.ensure(name)
        return DeltaTable.forPath(self.spark, self.uri(name))

    def read(self, name: str, version: int | None = None) -> DataFrame:
        """The table as a DataFrame, created empty if it does not exist; optionally at a version."""
        self.ensure(name)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(self.uri(name))

    def version(self, name: str) -> int | None:
        """Latest version of the table, ``None`` where there is no table yet."""
        version = int(latest_snapshot(self.spark, self.uri(name)).version())
        return version if version >= 0 else None

    def table_id(self, name: str) -> str:
        """Delta's own id of the table."""
        return str(latest_snapshot(self.spark, self.uri(name)).metadata().id())

    def ensure(self, name: str) -> None:
        """Create the table from its contract, or add the columns that the contract gained.

        Raises:
            NewerContractError: If the table was written by a newer contract.
            InputError: If a column's type differs from the contract's.
        """
        if name in self._ensured:
            return
        contract = load_contract(name)
        if self.exists(name) or not create_table(self.spark, self.uri(name), contract):
            self._check(contract)
        self._ensured.add(name)

    def ensure_all(self, names: Iterable[str]) -> None:
        """:meth:`ensure` for several tables, side by side."""
        missing = [name for name in dict.fromkeys(names) if name not in self._ensured]
        run_side_by_side(partial(self.ensure, name) for name in missing)

    def _check(self, contract: Contract) -> None:
        properties, schema = table_metadata(self.spark, self.uri(contract.name))
        written = properties.get(VERSION_PROPERTY, contract.version)
        check_contract_version(contract, written, self.uri(contract.name))
        have = {f.name: f.dataType for f in schema.fields}
        added = [c for c in contract.columns if c.name not in have]
        wanted = {f.name: f.dataType for f in struct_type(contract).fields}
        others = [
            f"{n} is {have[n].simpleString()}, not {t.simpleString()}" for n, t in wanted.items() if have.get(n, t) != t
        ]
        if others:
            raise InputError(
                f"{contract.name} at {self.uri(contract.name)} is not the table of its contract: {', '.join(others)}; "
                "move it away and fill it anew, or point SLIPSTREAM_HOME at another lake"
            )
        if added:
            columns = ", ".join(column_ddl(c).replace(" NOT NULL", "") for c in added)
            self.spark.sql(f"ALTER TABLE delta.`{self.uri(contract.name)}` ADD COLUMNS ({columns})")
        if written != contract.version or contract.table_properties.keys() - properties.keys():
            props = ", ".join(f"'{k}'='{v}'" for k, v in contract.table_properties.items())
            self.spark.sql(f"ALTER TABLE delta.`{self.uri(contract.name)}` SET TBLPROPERTIES ({props})")

    def note_rows_made_anew(self, name: str) -> None:
        """Note that all rows of a table are as its contract has them now; see ``ROWS_PROPERTY``."""
        self.ensure(name)
        contract, (properties, _) = load_contract(name), table_metadata(self.spark, self.uri(name))
        if contract.has_stale_rows(properties.get(ROWS_PROPERTY)):
            to = f"'{ROWS_PROPERTY}'='{contract.version}'"
            self.spark.sql(f"ALTER TABLE delta.`{self.uri(name)}` SET TBLPROPERTIES ({to})")

    def append(self, df: DataFrame, name: str, txn: Txn | None = None) -> None:
        """Append rows. With ``txn``, a repetition of the same write is skipped."""
        self.ensure(name)
        rows = conform_to_contract(df, load_contract(name))
        with writing(self.uri(name)):
            if txn:
                TableTransaction(self.spark, self.uri(name)).append(rows, txn)
            else:
                rows.write.format("delta").mode("append").save(self.uri(name))

    def append_rows(self, name: str, rows: Iterable[Mapping[str, object]], txn: Txn | None = None) -> None:
        """Append a few rows that the driver has, without a Spark job. With ``txn``, a repetition is skipped.

        Raises:
            ValueError: If a row has a column that the contract does not know, or lacks a value that it must have.
        """
        rows = list(rows)
        check_known_columns(load_contract(name), {column for row in rows for column in row})
        self.append_table(name, arrow_rows(name, rows), txn)

    def append_table(self, name: str, rows: pa.Table, txn: Txn | None = None) -> None:
        """Append rows that the driver has, with the contract's columns; see :meth:`append_rows`.

        Raises:
            ValueError: If a column that must have a value has none.
        """
        self.ensure(name)
        contract = load_contract(name)
        check_required(contract, rows)
        with writing(self.uri(name)):
            TableTransaction(self.spark, self.uri(name)).append_files(files_by_partition(contract, rows), txn)

    def remove_files(self, name: str, files: Sequence[DataFile], where: str) -> None:
        """Remove files of a table with their rows, in one commit.

        Args:
            name: Table.
            files: Files that go.
            where: What they hold, as SQL, for the table's history.
        """
        write_in_turn(self.uri(name), lambda: TableTransaction(self.spark, self.uri(name)).remove(files, where))

    def replace(self, df: DataFrame, name: str, where: str) -> None:
        """Replace the rows that match ``where`` by ``df``, in one commit."""
        self.ensure(name)
        writer = conform_to_contract(df, load_contract(name)).write.format("delta").mode("overwrite")
        write_in_turn(self.uri(name), lambda: writer.option("replaceWhere", where).save(self.uri(name)))

    def upsert(
        self,
        df: DataFrame,
        name: str,
        *,
        ignore: Collection[str] = IGNORED,
        delete_where: str | None = None,
        prune: str | None = None,
    ) -> None:
        """Merge rows on the contract's key; rows whose content is the same stay untouched.

        Args:
            df: Rows, one per key.
            name: Table.
            ignore: Columns that do not count as content.
            delete_where: SQL condition on target ``t``: rows that match it and are not in ``df`` are deleted.
            prune: SQL condition on ``t`` that narrows the files looked at; must hold for every key in ``df`` and for
                every row that ``delete_where`` selects.
        """
        contract = load_contract(name)
        on = [f"t.`{k}` = s.`{k}`" for k in contract.key] + ([f"({prune})"] if prune else [])
        content = [c for c in contract.column_names if c not in contract.key and c not in ignore]
        changed = " OR ".join(f"NOT (t.`{c}` <=> s.`{c}`)" for c in content if not _is_map(contract, c)) or "true"
        rows = conform_to_contract(df, contract).persist()
        try:
            source, is_gone = self._with_gone(rows, name, delete_where)
            merge = self._merge(name, source, " AND ".join(on))
            if is_gone:
                merge = merge.whenMatchedDelete(condition=is_gone)
            merge = merge.whenMatchedUpdateAll(condition=changed)
            merge = merge.whenNotMatchedInsertAll(condition=f"NOT {is_gone}" if is_gone else None)
            self._execute(merge, name)
        finally:
            rows.unpersist()

    def _with_gone(self, rows: DataFrame, name: str, delete_where: str | None) -> tuple[DataFrame, str | None]:
        """Rows to merge with the keys of those to delete, if there are any, and the condition that tells them apart.

        MERGE could find what to delete by itself (``WHEN NOT MATCHED BY SOURCE``), but then writes every file of the
        table anew, whatever the conditions name.
        """
        if delete_where is None:
            return rows, None
        key = list(load_contract(name).key)
        there = self.read(name).alias("t").where(delete_where).select(*key)
        gone = there.join(rows.select(*key), key, "left_anti")
        if gone.isEmpty():
            return rows, None
        marked = rows.withColumn("_gone", F.lit(False))
        return marked.unionByName(gone.withColumn("_gone", F.lit(True)), allowMissingColumns=True), "s._gone"

    def update_matched(
        self, df: DataFrame, name: str, assignments: Mapping[str, str], *, prune: str | None = None, txn: Txn | None
    ) -> None:
        """Merge that only updates: ``assignments`` maps a column to a SQL expression over ``t`` and ``s``."""
        on = [f"t.`{k}` = s.`{k}`" for k in load_contract(name).key] + ([f"({prune})"] if prune else [])
        merge = self._merge(name, df, " AND ".join(on))
        self._execute(merge.whenMatchedUpdate(set={k: F.expr(v) for k, v in assignments.items()}), name, txn)

    def compact(self, name: str, target_mb: int) -> None:
        """Merge the small files of each partition into files of up to ``target_mb``; the rows stay as they are."""
        size = str(target_mb << 20)
        prefix = "spark.databricks.delta.optimize."
        with self._option(f"{prefix}minFileSize", size), self._option(f"{prefix}maxFileSize", size):
            self.table(name).optimize().executeCompaction()

    def vacuum(self, name: str, retain_hours: float) -> None:
        """Remove the files that no version of the last ``retain_hours`` needs."""
        self.table(name).vacuum(retain_hours)

    @cached_property
    def _merging(self) -> SparkSession:
        """A session for merges alone: what it is told is about its next commit, and no other thread's."""
        session = SparkSession(self.spark._sc, self.spark._jsparkSession.cloneSession())
        # Over wide rows a merge's full outer join grows beyond what the JVM compiles as one method.
        session.conf.set("spark.sql.codegen.wholeStage", "false")
        session.conf.set("spark.sql.files.maxRecordsPerFile", str(_MERGED_ROWS))
        return session

    def _merge(self, name: str, rows: DataFrame, on: str) -> DeltaMergeBuilder:
        self.ensure(name)
        return DeltaTable.forPath(self._merging, self.uri(name)).alias("t").merge(rows.alias("s"), on)

    def _execute(self, merge: DeltaMergeBuilder, name: str, txn: Txn | None = None) -> None:
        """Make a merge's commit, with an identity if it has one; one at a time, for the session tells of one."""
        conf, prefix = self._merging.conf, "spark.databricks.delta.write."
        with _MERGING:
            if txn:
                conf.set(f"{prefix}txnAppId", txn.app)
                conf.set(f"{prefix}txnVersion", str(txn.version))
            try:
                write_in_turn(self.uri(name), merge.execute)
            finally:
                if txn:
                    conf.unset(f"{prefix}txnAppId")
                    conf.unset(f"{prefix}txnVersion")

    @contextmanager
    def _option(self, key: str, value: str) -> Iterator[None]:
        before = self.spark.conf.get(key, None)
        self.spark.conf.set(key, value)
        try:
            yield
        finally:
            if before is None:
                self.spark.conf.unset(key)
            else:
                self.spark.conf.set(key, before)

    def last_txn(self, name: str, app: str) -> int | None:
        """Highest version that ``app`` has committed to the table."""
        return last_written(self.spark, self.uri(name), app) if self.exists(name) else None


def _is_map(contract: Contract, column: str) -> bool:
    return contract.column(column).physical_type.startswith("MAP")


PartCondition = Callable[[str], str]  # from what stands before a column's name (``t.`` or nothing) to an SQL condition


def sync_rows(lake: Lake, rows: DataFrame, table: str, inside: PartCondition) -> None:
    """Make the part of a table that a condition describes equal to ``rows``; equal rows stay untouched.

    Args:
        lake: Where the table is.
        rows: All of them within the part.
        table: Table.
        inside: Condition that selects the part.
    """
    rows = rows.persist()
    try:
        if lake.read(table).where(inside("")).limit(1).count():
            lake.upsert(rows, table, delete_where=inside("t."), prune=inside("t."))
        elif rows.limit(1).count():
            lake.append(rows, table)
    finally:
        rows.unpersist()
