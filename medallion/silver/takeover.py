"""What a new checkpoint generation of silver finds: messages already accounted for, and batches left half written.

A checkpoint that is deleted (often just after a crash) must cost nothing and count nothing twice. A generation is the
part of a query's id that its checkpoint gave it, so another id in ``ops.reconciliation`` is an earlier generation.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from medallion.bronze.telemetry_events import TABLE as BRONZE
from medallion.io import Lake
from medallion.silver import telemetry

RECONCILIATION = "ops.reconciliation"
QUARANTINE = "silver.quarantine"
CONFLICTS = "silver.conflicts"


@dataclass(frozen=True)
class Abandoned:
    """A batch that an earlier generation accounted for and did not finish, with its messages."""

    query: str
    batch_id: int
    bronze: DataFrame


def not_yet_accounted(bronze: DataFrame, levels: list[Row]) -> DataFrame:
    """Messages behind the levels that other generations have accounted for (see :func:`accounted_levels`)."""
    if not levels:
        return bronze
    known = F.create_map(*(x for r in levels for x in (F.lit(r.tp), F.lit(r.level))))
    level = F.try_element_at(known, F.concat_ws("-", "topic", "kafka_partition"))
    return bronze.where(F.col("kafka_offset") > F.coalesce(level, F.lit(-1)))


def abandoned_batches(lake: Lake, query: str) -> list[Abandoned]:
    """Batches of other generations whose account is written and whose rows are not."""
    if not lake.exists(RECONCILIATION):
        return []
    accounts = lake.read(RECONCILIATION).where(F.col("query") != query).select("query", "batch_id", "offsets")
    latest = accounts.groupBy("query").agg(F.max_by(F.struct("batch_id", "offsets"), "batch_id").alias("b")).collect()
    found = []
    for row in latest:  # a query's batches follow one another, so only its last can be unfinished
        done = lake.last_txn(telemetry.TABLE, f"{row.query}:rows")
        if done is None or done < row.b.batch_id:
            inside = _within(row.b.offsets or {})
            found.append(Abandoned(row.query, row.b.batch_id, lake.read(BRONZE).where(inside)))
    return found


def drop_unaccounted(lake: Lake, query: str) -> None:
    """Drop refusals and conflicts that an earlier generation listed and never accounted for; they are found again.

    What ``query`` itself has listed stays, whether it has accounted for it yet or not.
    """
    levels = accounted_levels(lake, query)
    known = ", ".join(f"'{r.tp}'" for r in levels) or "''"
    place = "concat_ws('-', bronze_topic, bronze_partition)"
    behind = [f"({place} = '{r.tp}' AND bronze_offset > {r.level})" for r in levels]
    where = " OR ".join([f"{place} NOT IN ({known})", *behind])
    for table, step in ((QUARANTINE, "quarantine"), (CONFLICTS, "conflicts")):
        mine = lake.last_txn(table, f"{query}:{step}")
        if mine is None and lake.exists(table) and lake.read(table).where(where).limit(1).count():
            lake.replace(lake.read(table).limit(0), table, where)


def accounted_levels(lake: Lake, query: str) -> list[Row]:
    """Highest offset that other generations have accounted for, by topic and partition."""
    if not lake.exists(RECONCILIATION):
        return []
    others = lake.read(RECONCILIATION).where(F.col("query") != query).select(F.explode("offsets").alias("tp", "span"))
    return others.groupBy("tp").agg(F.max("span.to").alias("level")).collect()


def _within(offsets: dict[str, Row]) -> str:
    place = "concat_ws('-', topic, kafka_partition)"
    spans = (f"({place} = '{tp}' AND kafka_offset BETWEEN {s['from']} AND {s['to']})" for tp, s in offsets.items())
    return " OR ".join(spans) or "false"
