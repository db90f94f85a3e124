"""A write to a Delta table through Delta's own transaction, made at most once without a query over the table's state.

Whether a write was made before is in the checksum file beside the version that a commit wrote. Delta itself rebuilds
the table's state to answer that, which takes seconds on a small table (docs/adr/0023).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from pyspark.sql import DataFrame, SparkSession

LISTED_IDS: Final = {"spark.databricks.delta.setTransactionsInCrc.maxAllowed": "10000"}
"""A checksum lists the ids of writes up to so many of them; every generation of a query's checkpoint brings its own."""


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
        jvm: Any = spark._jvm
        self._jvm = jvm
        self._none = jvm.scala.Option.empty()
        self._delta = jvm.org.apache.spark.sql.delta
        log = self._delta.DeltaLog.forTable(spark._jsparkSession, uri)
        self._transaction = log.startTransaction(self._none, self._none)

    def append(self, df: DataFrame, txn: Txn) -> bool:
        """Append rows unless that was done before; returns whether it was done now."""
        self._transaction.readTxn().addOne(txn.app)  # of two writers with one id, the second commit fails
        last = last_written(self._spark, self._uri, txn.app, self._transaction.snapshot())
        if last is not None and last >= txn.version:
            return False
        files = self._transaction.writeFiles(df._jdf)
        now = self._jvm.scala.Option.apply(time.time_ns() // 1_000_000)
        actions = files.appended(self._delta.actions.SetTransaction(txn.app, txn.version, now))
        mode = self._jvm.org.apache.spark.sql.SaveMode.Append
        write = getattr(self._delta, "DeltaOperations$Write")(mode, *[self._none] * 8)
        self._transaction.commit(actions, write)
        return True


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
    jvm: Any = spark._jvm
    engine = jvm.io.delta.kernel.defaults.engine.DefaultEngine.create(spark._jsc.hadoopConfiguration())
    found = jvm.io.delta.kernel.Table.forPath(engine, uri).getLatestSnapshot(engine)
    version = found.getLatestTransactionVersion(engine, app)
    return int(version.get()) if version.isPresent() else None


def latest_snapshot(spark: SparkSession, uri: str) -> Any:
    """The latest state of a table, as Delta's own object: a commit's metadata without a query over its log."""
    jvm: Any = spark._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, uri)
    return log.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty())


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
