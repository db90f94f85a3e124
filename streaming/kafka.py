"""The only code that knows Spark's Kafka options."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pyspark.sql import DataFrame, SparkSession

# A batch's end is known: to wait for more at the end of a topic, half a second by default, is lost time in every task.
_FETCH = {
    "fetch.max.wait.ms": "10",
    "max.poll.records": "5000",
    "receive.buffer.bytes": str(4 << 20),
    "max.partition.fetch.bytes": str(32 << 20),
    "fetch.max.bytes": str(64 << 20),
}


def read_topics(
    spark: SparkSession,
    bootstrap: str,
    topics: tuple[str, ...],
    *,
    starting: Mapping[str, Mapping[str, int]] | None = None,
    max_offsets_per_trigger: int | None = None,
    client_options: Mapping[str, str] | None = None,
) -> DataFrame:
    """Stream of Kafka records with their headers.

    One task reads one topic partition (no ``minPartitions``): a file of bronze then holds one partition's records in
    order, which silver relies on to keep the reading with the lowest offset.

    Args:
        spark: Session.
        bootstrap: Broker list.
        topics: Topics to subscribe to.
        starting: First offsets by topic and partition for a query without a checkpoint; the beginning by default.
        max_offsets_per_trigger: Bound on a batch.
        client_options: Options of Java's Kafka client, passed through with the ``kafka.`` prefix.
    """
    reader = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", ",".join(topics))
        .option("includeHeaders", "true")
        .option("failOnDataLoss", "true")
        .option("startingOffsets", json.dumps(starting) if starting else "earliest")
    )
    for key, value in _FETCH.items():
        reader = reader.option(f"kafka.{key}", value)
    if max_offsets_per_trigger:
        reader = reader.option("maxOffsetsPerTrigger", str(max_offsets_per_trigger))
    for key, value in (client_options or {}).items():
        reader = reader.option(f"kafka.{key}", value)
    return reader.load()
