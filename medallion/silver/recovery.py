"""Checkpoint recovery of silver: messages already accounted for, and unfinished batches.

A checkpoint that is deleted (often just after a crash) must cost nothing and count nothing twice. A generation is the
part of a query's id that its checkpoint gave it (``<query>:<generation>``), so another id of the same query in
``ops.reconciliation`` is an earlier generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from conf.families import PROMOTED, MessageFamily
from conf.tables import OPS_RECONCILIATION, SILVER_CONFLICTS, SILVER_QUARANTINE
from medallion.io import Lake
from medallion.part import EVERYTHING
from medallion.reading import read_rows, scan_table
from medallion.schema import sql_literal
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
    _levels: dict[str, dict[str, int]] = field(default_factory=dict)

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
        known = F.create_map(*(F.lit(x) for level in levels.items() for x in level))
        level = F.try_element_at(known, F.concat_ws("-", "topic", "kafka_partition"))
        return bronze.where(F.col("kafka_offset") > F.coalesce(level, F.lit(-1)))

    def _last_done(self, query: str) -> int | None:
        return self.lake.last_txn(self.family.last_table, f"{query}:rows")

    def _others(self, query: str) -> list[Row]:
        """Accounts of the same query's other generations."""
        if not self.lake.exists(OPS_RECONCILIATION):
            return []
        accounts = read_rows(self.lake, OPS_RECONCILIATION, EVERYTHING, ("query", "batch_id", "offsets"))
        name = f"{query.partition(':')[0]}:"
        return [row for row in accounts if row.query.startswith(name) and row.query != query]

    def _abandoned_batches(self, query: str) -> list[AbandonedBatch]:
        """Batches of other generations whose account is written and whose rows are not."""
        last: dict[str, Row] = {}
        for row in self._others(query):
            if row.query not in last or row.batch_id > last[row.query].batch_id:
                last[row.query] = row
        found = []
        for row in last.values():
            # A query's batches follow one another, so only its last can be unfinished.
            if not self.is_done(row.query, row.batch_id):
                bronze = self.lake.read(self.family.bronze).where(_within(dict(row.offsets or ())))
                found.append(AbandonedBatch(row.query, row.batch_id, bronze))
        return found

    def _drop_unaccounted(self, query: str) -> None:
        """Drop refusals and conflicts that an earlier generation listed and never accounted for; they are found again.

        What ``query`` itself has listed stays, whether it has accounted for it yet or not.
        """
        levels = self._accounted_levels(query)
        topic_partition = "concat_ws('-', bronze_topic, bronze_partition)"
        known = ", ".join(map(sql_literal, levels)) or "''"
        behind = [
            f"({topic_partition} = {sql_literal(tp)} AND bronze_offset > {level})" for tp, level in levels.items()
        ]
        others = [family.topic for family in PROMOTED if family != self.family]
        where = (
            f"bronze_topic NOT IN ({', '.join(map(sql_literal, others))}) "
            f"AND ({' OR '.join([f'{topic_partition} NOT IN ({known})', *behind])})"
        )
        for table, step in ((SILVER_QUARANTINE, "quarantine"), (SILVER_CONFLICTS, "conflicts")):
            mine = self.lake.last_txn(table, f"{query}:{step}")
            if mine is None and self.lake.exists(table) and self._lists_unaccounted(table, others, levels):
                self.lake.replace(self.lake.read(table).limit(0), table, where)

    def _lists_unaccounted(self, table: str, others: Sequence[str], levels: Mapping[str, int]) -> bool:
        """Whether a table names a message of this family behind the levels."""
        columns = ("bronze_topic", "bronze_partition", "bronze_offset")
        for batch in scan_table(self.lake, table, EVERYTHING, columns):
            for topic, partition, offset in zip(*(batch[name].to_pylist() for name in columns), strict=True):
                if topic not in others and offset > levels.get(f"{topic}-{partition}", -1):
                    return True
        return False

    def _accounted_levels(self, query: str) -> dict[str, int]:
        """Highest offset that other generations have accounted for, by topic and partition."""
        levels: dict[str, int] = {}
        for row in self._others(query):
            for partition, span in row.offsets or ():
                levels[partition] = max(span["to"], levels.get(partition, -1))
        return levels


def _within(offsets: Mapping[str, Mapping[str, int]]) -> str:
    topic_partition = "concat_ws('-', topic, kafka_partition)"
    spans = (
        f"({topic_partition} = {sql_literal(tp)} AND kafka_offset BETWEEN {s['from']} AND {s['to']})"
        for tp, s in offsets.items()
    )
    return " OR ".join(spans) or "false"
