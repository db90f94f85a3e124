"""A batch's row of ``ops.reconciliation``: what was read, and what became of every unit of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from conf.reconciliation import unaccounted_units


@dataclass(frozen=True)
class BatchReconciliation:
    """Counts of one batch; see :mod:`conf.reconciliation`."""

    messages: int
    units: int
    written: int
    repeats: int
    conflicts: int
    quarantined: int

    @property
    def closes(self) -> bool:
        """Whether every unit is accounted for."""
        return unaccounted_units(self) == 0


class ReconciliationError(RuntimeError):
    """A batch whose units do not add up; it is not committed."""


def batch_offsets(bronze: DataFrame) -> list[Row]:
    """Messages (``n``, ``bytes``), span of offsets (``lo`` to ``hi``) by topic, partition, event type and source."""
    by_origin = bronze.groupBy("topic", "kafka_partition", "event_type", "source")
    return by_origin.agg(
        F.count(F.lit(1)).alias("n"),
        F.sum(F.coalesce(F.length("payload"), F.lit(0))).alias("bytes"),
        F.min("kafka_offset").alias("lo"),
        F.max("kafka_offset").alias("hi"),
    ).collect()


def reconciliation_row(
    balance: BatchReconciliation, offsets: Sequence[Row], query: str, batch_id: int, run_id: str
) -> dict[str, Any]:
    """The row of ``ops.reconciliation`` of a batch.

    Args:
        balance: The account.
        offsets: From :func:`batch_offsets`.
        query: Name of the query and generation of its checkpoint.
        batch_id: Micro-batch.
        run_id: Job run.
    """
    entries: dict[str, tuple[int, int]] = {}
    for o in offsets:
        lo, hi = entries.get(f"{o.topic}-{o.kafka_partition}", (o.lo, o.hi))
        entries[f"{o.topic}-{o.kafka_partition}"] = (min(lo, o.lo), max(hi, o.hi))
    return {
        **vars(balance),
        "query": query,
        "batch_id": batch_id,
        "offsets": [(partition, {"from": lo, "to": hi}) for partition, (lo, hi) in entries.items()] or None,
        "written_ts": datetime.now(UTC),
        "run_id": run_id,
    }
