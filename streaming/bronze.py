"""Job: Kafka to bronze, every message as it came, exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from conf.families import FAMILIES, TELEMETRY, MessageFamily
from infra.kafka.topics import topic_partitions
from infra.local.stack import find_endpoints
from medallion.bronze.messages import to_bronze_rows
from medallion.io import Lake
from medallion.part import EVERYTHING
from medallion.reading import scan_table
from medallion.transaction import Txn
from streaming.checkpoint_files import CheckpointFiles
from streaming.job import StreamingJob
from streaming.kafka import read_topics
from streaming.query import Trigger, start_query

NAME = "bronze"
OUTPUTS = tuple(f.bronze for f in FAMILIES)
MAX_OFFSETS = 400_000


def start_family(lake: Lake, bootstrap: str, trigger: Trigger, family: MessageFamily = TELEMETRY) -> StreamingQuery:
    """Start the query of one family of messages.

    Delivery order: Spark logs the batch's offsets; the batch is appended to bronze under (query, batch), at most once;
    Spark logs the commit. A kill between any two repeats the batch with the same offsets, and Delta skips the append
    if it had been made. A new checkpoint goes on behind the highest offset that bronze holds.

    Raises:
        infra.kafka.topics.BrokerUnreachableError: If no broker answers or the topic does not exist.
    """
    partitions = _partitions(lake, bootstrap, family)
    lake.ensure(family.bronze)

    def write(df: DataFrame, batch_id: int, query: str) -> None:
        lake.append(to_bronze_rows(df, batch_id), family.bronze, Txn(query, batch_id))

    stream = read_topics(
        lake.spark,
        bootstrap,
        (family.topic,),
        starting=None if _has_checkpoint(lake, family) else _next_offsets(lake, family, partitions),
        max_offsets_per_trigger=MAX_OFFSETS,
        client_options=lake.settings.kafka_config,
    )
    return start_query(lake.spark, lake.settings, family.bronze_query, stream, write, trigger)


def start_bronze(lake: Lake, bootstrap: str, trigger: Trigger) -> list[StreamingQuery]:
    """Start the queries of all families."""
    _partitions(lake, bootstrap, TELEMETRY)
    lake.ensure_all(OUTPUTS)
    return [start_family(lake, bootstrap, trigger, family) for family in FAMILIES]


def _partitions(lake: Lake, bootstrap: str, family: MessageFamily) -> Sequence[int]:
    """Partitions of a family's topic; where no broker answers Spark would try for minutes."""
    return topic_partitions(bootstrap, family.topic, lake.settings.kafka_config)


def _has_checkpoint(lake: Lake, family: MessageFamily) -> bool:
    return bool(CheckpointFiles(lake, family.bronze_query).names("offsets"))


def _next_offsets(
    lake: Lake, family: MessageFamily, partitions: Sequence[int]
) -> Mapping[str, Mapping[str, int]] | None:
    """Offsets behind those that bronze holds."""
    columns = ("topic", "kafka_partition", "kafka_offset")
    last: dict[tuple[str, int], int] = {}
    for batch in scan_table(lake, family.bronze, EVERYTHING, columns):
        greatest = pa.table(batch).group_by(["topic", "kafka_partition"]).aggregate([("kafka_offset", "max")])
        for row in greatest.to_pylist():
            key = (row["topic"], row["kafka_partition"])
            last[key] = max(row["kafka_offset_max"], last.get(key, -1))
    if not last:
        return None
    starting: dict[str, dict[str, int]] = defaultdict(dict)
    for p in partitions:
        starting[family.topic][str(p)] = -2  # the earliest there is
    for (topic, partition), offset in last.items():
        starting[topic][str(partition)] = offset + 1
    return starting


JOB = StreamingJob(
    name=NAME,
    module="streaming.bronze",
    command="stream bronze",
    summary="Kafka to bronze: every message as it came, exactly once.",
    outputs=OUTPUTS,
    other_inputs=(f"Kafka topics {', '.join(family.topic for family in FAMILIES)}",),
    start=lambda lake, _run, trigger: start_bronze(lake, find_endpoints(lake.settings).bootstrap, trigger),
    describe=lambda run: f"{run.rows_in:,} messages stored",
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
