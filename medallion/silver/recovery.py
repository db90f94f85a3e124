"""Checkpoint recovery of silver: messages already accounted for, and unfinished batches.

A checkpoint that is deleted (often just after a crash) must cost nothing and count nothing twice. A generation is the
part of a query's id that its checkpoint gave it (``<query>:<generation>``), so another id of the same query in
``ops.reconciliation`` is an earlier generation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from conf.families import PROMOTED, MessageFamily
from conf.tables import OPS_RECONCILIATION, SILVER_CONFLICTS, SILVER_QUARANTINE
from medallion.io import Lake
from medallion.silver.reconciliation import BatchReconciliation

Promote = Callable[[DataFrame, int, str], BatchReconciliation]


@dataclass(frozen=True)
class AbandonedBatch:
    """A batch that an earlier generation recorded but did not finish, with its messages."""

    query: str
    batch_id: int
    bronze: DataFrame


@dataclass
class CheckpointRecovery:
    """A family's promotion across checkpoint generations.

    Attributes:
        lake: Where the tables are.
        family: Whose messages.
    """

    lake: Lake
    family: MessageFamily
    _levels: dict[str, list[Row]] = field(default_factory=dict)

    def promote_once(
        self, bronze: DataFrame, batch_id: int, query: str, promote: Promote
    ) -> BatchReconciliation | None:
        """Promote a batch that was not completed before, and first what an earlier generation left unfinished.

        Args:
            bronze: Messages of the batch.
            batch_id: Micro-batch.
            query: Name of the query and generation of its checkpoint.
            promote: Promotes one batch.

        Returns:
            The balance, or ``None`` where the batch had been completed before.
        """
        if self.is_done(query, batch_id):
            return None
        self.recover(query, promote)
        return promote(bronze, batch_id, query)

    def is_done(self, query: str, batch_id: int) -> bool:
        """Whether a batch was completed before."""
        done = self._last_done(query)
        return done is not None and done >= batch_id

    def recover(self, query: str, promote: Promote) -> None:
        """Finish the batches of an earlier generation under its own id, so that nothing is written twice.

        Does something on a generation's first batch only.
        """
        if self._last_done(query) is None:
            for left in self._abandoned_batches(query):
                promote(left.bronze, left.batch_id, left.query)
            self._drop_unaccounted(query)

    def not_yet_accounted(self, bronze: DataFrame, query: str) -> DataFrame:
        """Messages behind the levels that other generations have accounted for."""
        if query not in self._levels:  # other generations' work is done: it cannot change any more
            self._levels[query] = self._accounted_levels(query)
        levels = self._levels[query]
        if not levels:
            return bronze
        known = F.create_map(*(x for r in levels for x in (F.lit(r.tp), F.lit(r.level))))
        level = F.try_element_at(known, F.concat_ws("-", "topic", "kafka_partition"))
        return bronze.where(F.col("kafka_offset") > F.coalesce(level, F.lit(-1)))

    def _last_done(self, query: str) -> int | None:
        return self.lake.last_txn(self.family.last_table, f"{query}:rows")

    def _others(self, query: str) -> DataFrame | None:
        """Accounts of the same query's other generations."""
        if not self.lake.exists(OPS_RECONCILIATION):
            return None
        mine = F.col("query").startswith(f"{query.partition(':')[0]}:")
        return self.lake.read(OPS_RECONCILIATION).where(mine & (F.col("query") != query))

    def _abandoned_batches(self, query: str) -> list[AbandonedBatch]:
        """Batches of other generations whose account is written and whose rows are not."""
        accounts = self._others(query)
        if accounts is None:
            return []
        last = F.max_by(F.struct("batch_id", "offsets"), "batch_id").alias("b")
        found = []
        for row in accounts.groupBy("query").agg(last).collect():
            # A query's batches follow one another, so only its last can be unfinished.
            if not self.is_done(row.query, row.b.batch_id):
                inside = _within(row.b.offsets or {})
                found.append(
                    AbandonedBatch(row.query, row.b.batch_id, self.lake.read(self.family.bronze).where(inside))
                )
        return found

    def _drop_unaccounted(self, query: str) -> None:
        """Drop refusals and conflicts that an earlier generation listed and never accounted for; they are found again.

        What ``query`` itself has listed stays, whether it has accounted for it yet or not.
        """
        levels = self._accounted_levels(query)
        known = ", ".join(f"'{r.tp}'" for r in levels) or "''"
        topic_partition = "concat_ws('-', bronze_topic, bronze_partition)"
        behind = [f"({topic_partition} = '{r.tp}' AND bronze_offset > {r.level})" for r in levels]
        others = ", ".join(f"'{f.topic}'" for f in PROMOTED if f != self.family)
        where = f"bronze_topic NOT IN ({others}) AND ({' OR '.join([f'{topic_partition} NOT IN ({known})', *behind])})"
        for table, step in ((SILVER_QUARANTINE, "quarantine"), (SILVER_CONFLICTS, "conflicts")):
            mine = self.lake.last_txn(table, f"{query}:{step}")
            if mine is None and self.lake.exists(table) and self.lake.read(table).where(where).limit(1).count():
                self.lake.replace(self.lake.read(table).limit(0), table, where)

    def _accounted_levels(self, query: str) -> list[Row]:
        """Highest offset that other generations have accounted for, by topic and partition."""
        accounts = self._others(query)
        if accounts is None:
            return []
        spans = accounts.select(F.explode("offsets").alias("tp", "span"))
        return spans.groupBy("tp").agg(F.max("span.to").alias("level")).collect()


def _within(offsets: dict[str, Row]) -> str:
    topic_partition = "concat_ws('-', topic, kafka_partition)"
    spans = (
        f"({topic_partition} = '{tp}' AND kafka_offset BETWEEN {s['from']} AND {s['to']})" for tp, s in offsets.items()
    )
    return " OR ".join(spans) or "false"
