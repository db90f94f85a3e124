"""A write to a Delta table through Delta's own transaction, made at most once without a query over the table's state.

Whether a write was made before is in the checksum file beside the version that a commit wrote. Delta itself rebuilds
the table's state to answer that, which takes seconds on a small table (docs/adr/0023).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any, Final, TypeVar
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from delta import exceptions
from pyspark.sql import DataFrame, SparkSession

from medallion.data_files import DataFile, column_statistics
from medallion.jvm import java_name, java_none

LISTED_IDS: Final = {"spark.databricks.delta.setTransactionsInCrc.maxAllowed": "10000"}
"""A checksum lists the ids of writes up to so many of them; every generation of a query's checkpoint brings its own."""
_DELTA: Final = "org.apache.spark.sql.delta"
_FOR_TABLE: Final = f"{_DELTA}.DeltaLog.forTable"


CONFLICTS: Final = (
    exceptions.ConcurrentAppendException,
    exceptions.ConcurrentDeleteDeleteException,
    exceptions.ConcurrentDeleteReadException,
    exceptions.ConcurrentWriteException,
    exceptions.DeltaConcurrentModificationException,
)
"""What a commit raises when another writer was quicker, and trying again helps."""
_ATTEMPTS: Final = 8
_writing: Final[dict[str, RLock]] = {}
T = TypeVar("T")


@contextmanager
def writing(uri: str) -> Iterator[None]:
    """Hold a table for a write of this process: its threads then never refuse each other's commits.

    Args:
        uri: The table's.
    """
    with _writing.setdefault(uri, RLock()):
        yield


def write_in_turn(uri: str, write: Callable[[], T]) -> T:
    """Make a write that depends on what the table holds, again where another process was quicker.

    Args:
        uri: The table's.
        write: Reads what it depends on, and commits.

    Raises:
        CONFLICTS: One of these, if other writers were quicker every time.
    """
    with writing(uri):
        for attempt in range(1, _ATTEMPTS):
            try:
                return write()
            except CONFLICTS:
                time.sleep(0.05 * 2**attempt)
        return write()


@dataclass(frozen=True)
class Txn:
    """Identity of a write: the same ``app`` and ``version`` is written to a table at most once.

    ``app`` names query, checkpoint generation and purpose; ``version`` is the micro-batch.
    """

    app: str
    version: int


class TableTransaction:
    """A transaction on the latest version of a table.

    Args:
        spark: Session with the Delta extension.
        uri: Where the table is.
    """

    def __init__(self, spark: SparkSession, uri: str) -> None:
        self._spark, self._uri = spark, uri
        self._none = java_none(spark)
        log = java_name(spark, _FOR_TABLE)(spark._jsparkSession, uri)
        self._transaction = log.startTransaction(self._none, self._none)

    def append(self, df: DataFrame, txn: Txn) -> bool:
        """Append rows unless that was done before; returns whether it was done now."""
        if self._was_made(txn):
            return False
        files = self._transaction.writeFiles(df._jdf)
        now = self._java("scala.Option.apply")(_now_ms())
        made = self._java(f"{_DELTA}.actions.SetTransaction")(txn.app, txn.version, now)
        actions = files.appended(made)
        self._transaction.commit(actions, self._operation("Append"))
        return True

    def append_files(self, files: Sequence[DataFile], txn: Txn | None = None) -> bool:
        """Append files that are written now, unless that was done before; returns whether it was done now.

        See :meth:`replace` for what the rows must be.
        """
        if txn is not None and self._was_made(txn):
            return False
        actions = [*_identity(txn), *(self._add(file) for file in files)]
        self._transaction.commit(self._parse(actions), self._operation("Append"))
        return True

    def _was_made(self, txn: Txn) -> bool:
        self._transaction.readTxn().addOne(txn.app)  # of two writers with one id, the second commit fails
        last = last_written(self._spark, self._uri, txn.app, self._transaction.snapshot())
        return last is not None and last >= txn.version

    @property
    def version(self) -> int:
        """Version that it starts from."""
        return int(self._transaction.readVersion())

    def replace(
        self,
        removed: Sequence[DataFile],
        added: Sequence[DataFile],
        changes: Sequence[DataFile],
        where: str,
        txn: Txn | None = None,
    ) -> bool:
        """Replace files by others that are written now, in one commit, unless that was done before.

        The rows must be those of the table's schema, with a value in every column that must have one: Delta checks
        neither.

        Args:
            removed: Files that go.
            added: Files to write.
            changes: Files of the change feed to write, with ``_change_type``.
            where: What was replaced, as SQL, for the table's history.
            txn: Identity of the write.

        Returns:
            Whether it was done now.

        Raises:
            CONFLICTS: One of these, if another writer has committed meanwhile.
        """
        if txn is not None and self._was_made(txn):
            return False
        self._transaction.readWholeTable()  # what was read decides what is written
        actions: list[dict[str, Any]] = [*_identity(txn)]
        actions += [{"remove": self._remove(file, _now_ms())} for file in removed]
        actions += [self._add(file) for file in added]
        for file in changes:
            path, size = self._write(file, "_change_data/cdc")
            actions.append({"cdc": _file_action(file, path, size) | {"dataChange": False}})
        self._transaction.commit(self._parse(actions), self._operation("Overwrite", where))
        return True

    def remove(self, removed: Sequence[DataFile], where: str) -> None:
        """Remove files with their rows.

        Args:
            removed: Files that go.
            where: What they hold, as SQL, for the table's history.

        Raises:
            CONFLICTS: One of these, if another writer has removed one of the files meanwhile.
        """
        actions = [{"remove": self._remove(file, _now_ms())} for file in removed]
        self._transaction.commit(self._parse(actions), self._operation("Overwrite", where))

    def rewrite(self, removed: Sequence[DataFile], added: Sequence[DataFile]) -> None:
        """Replace files by others with the same rows, which are written now.

        Args:
            removed: Files that go.
            added: Files to write.

        Raises:
            CONFLICTS: One of these, if another writer has removed one of the files meanwhile.
        """
        actions = [{"remove": self._remove(file, _now_ms()) | {"dataChange": False}} for file in removed]
        actions += [self._add(file, changes_data=False) for file in added]
        nothing = self._parse([])
        optimize = self._java(f"{_DELTA}.DeltaOperations$Optimize")(nothing, nothing, True, self._none, False)
        self._transaction.commit(self._parse(actions), optimize)

    def _add(self, file: DataFile, *, changes_data: bool = True) -> dict[str, Any]:
        """Write a file; returns the action that adds it."""
        path, size = self._write(file, "part")
        stats = json.dumps(column_statistics(file.rows))
        action = _file_action(file, path, size)
        return {"add": action | {"modificationTime": _now_ms(), "dataChange": changes_data, "stats": stats}}

    def _parse(self, actions: Sequence[Mapping[str, Any]]) -> Any:
        """Actions as Delta's own objects."""
        parse, listed = self._java(f"{_DELTA}.actions.Action.fromJson"), self._java("java.util.ArrayList")()
        for action in actions:
            listed.add(parse(json.dumps(action)))
        return self._java("scala.jdk.javaapi.CollectionConverters.asScala")(listed).toList()

    def _operation(self, mode: str, where: str | None = None) -> Any:
        """What the table's history says was done."""
        how = self._java("org.apache.spark.sql.SaveMode.valueOf")(mode)
        predicate = self._none if where is None else self._java("scala.Option.apply")(where)
        return self._java(f"{_DELTA}.DeltaOperations$Write")(how, self._none, predicate, *[self._none] * 6)

    def _java(self, path: str) -> Any:
        return java_name(self._spark, path)

    def _remove(self, file: DataFile, now_ms: int) -> dict[str, Any]:
        return {
            "path": quote(str(file.path), safe="/="),
            "deletionTimestamp": now_ms,
            "dataChange": True,
            "extendedFileMetadata": True,
            "partitionValues": dict(file.partition),
            "size": file.size,
        }

    def _write(self, file: DataFile, prefix: str) -> tuple[str, int]:
        """Write a file by the file system that Spark uses; returns its path below the table's folder, and its size."""
        folder = "".join(f"{name}={quote(str(value), safe='')}/" for name, value in file.partition.items())
        head, _, name = prefix.rpartition("/")
        path = f"{head}/{folder}{name}" if head else f"{folder}{name}"
        path = f"{path}-{uuid.uuid4()}.zstd.parquet"
        sink = pa.BufferOutputStream()
        pq.write_table(file.rows, sink, compression="zstd", write_page_checksum=True)
        data = sink.getvalue().to_pybytes()
        place = self._java("org.apache.hadoop.fs.Path")(f"{self._uri}/{path}")
        stream = place.getFileSystem(self._spark._jsc.hadoopConfiguration()).create(place, False)
        try:
            stream.write(data)
        finally:
            stream.close()
        return path, len(data)


def last_written(spark: SparkSession, uri: str, app: str, snapshot: Any = None) -> int | None:
    """Highest version that ``app`` has written to a table, ``None`` where it has written none.

    Read from the checksum of the table's latest version; where that has none, or lists no ids, from the table's log.

    Args:
        spark: Session with the Delta extension.
        uri: Where the table is.
        app: The ``app`` of a :class:`Txn`.
        snapshot: Delta's own object of the version to look at; the latest if left out.
    """
    listed = _listed_transactions(latest_snapshot(spark, uri) if snapshot is None else snapshot)
    if listed is not None:
        return listed.get(app)
    create = java_name(spark, "io.delta.kernel.defaults.engine.DefaultEngine.create")
    engine = create(spark._jsc.hadoopConfiguration())
    found = java_name(spark, "io.delta.kernel.Table.forPath")(engine, uri).getLatestSnapshot(engine)
    version = found.getLatestTransactionVersion(engine, app)
    return int(version.get()) if version.isPresent() else None


def latest_snapshot(spark: SparkSession, uri: str) -> Any:
    """The latest state of a table, as Delta's own object: a commit's metadata without a query over its log."""
    none = java_none(spark)
    return java_name(spark, _FOR_TABLE)(spark._jsparkSession, uri).update(False, none, none)


def _listed_transactions(snapshot: Any) -> dict[str, int] | None:
    """Version by ``app`` as a version's checksum lists them, ``None`` where it does not."""
    checksum = snapshot.checksumOpt()
    listed = checksum.get().setTransactions() if checksum.isDefined() else None
    if listed is None or not listed.isDefined():
        return None
    found, each = {}, listed.get().iterator()
    while each.hasNext():
        transaction = each.next()
        found[transaction.appId()] = int(transaction.version())
    return found


def _identity(txn: Txn | None) -> list[dict[str, Any]]:
    """The action that records a write's identity."""
    return [] if txn is None else [{"txn": {"appId": txn.app, "version": txn.version, "lastUpdated": _now_ms()}}]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _file_action(file: DataFile, path: str, size: int) -> dict[str, Any]:
    return {"path": quote(path, safe="/="), "partitionValues": dict(file.partition), "size": size}
