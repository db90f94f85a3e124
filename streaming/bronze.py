"""Job: Kafka to bronze, every message as it came, exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from conf.families import FAMILIES, TELEMETRY, MessageFamily
from conf.settings import AppConfig
from infra.kafka.client_options import java_options, librdkafka_options
from infra.kafka.topics import first_offsets, topic_partitions
from infra.local.stack import find_endpoints
from medallion.arrow_rows import conform_rows
from medallion.bronze.messages import to_bronze_rows
from medallion.io import Lake
from medallion.part import EVERYTHING
from medallion.reading import scan_table
from medallion.transaction import Txn
from streaming.checkpoint_files import CheckpointFiles
from streaming.job import StreamingJob
from streaming.kafka import read_topics
from streaming.query import Trigger, start_query
from streaming.stream_offsets import messages_by_topic

NAME = "bronze"
OUTPUTS = tuple(f.bronze for f in FAMILIES)
TELEMETRY_QUERY = "bronze"
EVENTS_QUERY = "bronze_events"
MAX_OFFSETS = 400_000
FEW_MESSAGES = 5_000
"""So many the driver fetches and writes sooner than Spark has planned to."""
_EARLIEST = -2
"""To Spark, the first offset that a partition has."""


def start_telemetry(lake: Lake, bootstrap: str, trigger: Trigger) -> StreamingQuery:
    """Start the query of the telemetry messages; see :func:`start_bronze`."""
    return _start_topics(lake, bootstrap, trigger, TELEMETRY_QUERY, (TELEMETRY,))


def _start_topics(
    lake: Lake, bootstrap: str, trigger: Trigger, query: str, families: Sequence[MessageFamily]
) -> StreamingQuery:
    files = CheckpointFiles(lake, query)
    lake.ensure_all(family.bronze for family in families)
    partitions = {family: _partitions(lake, bootstrap, family) for family in families}
    is_new = not files.names("offsets")
    starting = _next_offsets(lake, partitions) if is_new else None
    before = _messages_before(lake, bootstrap, families, starting) if is_new else {}

    def write(df: DataFrame, batch_id: int, query_id: str) -> int:
        messages = messages_by_topic(files, batch_id)
        if batch_id == 0:  # where the first batch begins is not noted
            messages = {topic: n - before.get(topic, 0) for topic, n in messages.items()}
        return _write_messages(lake, families, df, messages, Txn(query_id, batch_id))

    stream = read_topics(
        lake.spark,
        bootstrap,
        tuple(family.topic for family in families),
        starting=starting,
        max_offsets_per_trigger=MAX_OFFSETS,
        client_options=java_options(lake.settings),
    )
    return start_query(lake.spark, lake.settings, query, stream, write, trigger)


def _messages_before(
    lake: Lake,
    bootstrap: str,
    families: Sequence[MessageFamily],
    starting: Mapping[str, Mapping[str, int]] | None,
) -> dict[str, int]:
    """Offsets of each topic that a new checkpoint passes over: those that bronze holds, or the topic has given up."""
    options = librdkafka_options(lake.settings)
    return {
        family.topic: sum(
            max(first, (starting or {}).get(family.topic, {}).get(str(partition), _EARLIEST))
            for partition, first in first_offsets(bootstrap, family.topic, options).items()
        )
        for family in families
    }


def _write_messages(
    lake: Lake, families: Sequence[MessageFamily], df: DataFrame, messages: Mapping[str, int], txn: Txn
) -> int:
    """Append a batch's messages to the tables of their topics, each at most once; returns how many there are.

    Few are fetched in one query and written by the driver; of many, Spark writes each table, reading all for each.

    Args:
        lake: Where the tables are.
        families: By whose topics they came.
        df: The messages.
        messages: How many there are at most of each topic.
        txn: Identity of the writes.
    """
    present = [family for family in families if messages.get(family.topic)]
    rows = to_bronze_rows(df, txn.version)
    if sum(messages.values()) <= FEW_MESSAGES:
        fetched = rows.toArrow()
        for family in present:
            own = fetched.filter(pc.field("topic") == family.topic)
            if own.num_rows:
                lake.append_table(family.bronze, conform_rows(family.bronze, own), txn)
        return int(fetched.num_rows)
    for family in present:
        lake.append(rows if len(families) == 1 else rows.where(F.col("topic") == family.topic), family.bronze, txn)
    return sum(messages.values())


def start_bronze(lake: Lake, bootstrap: str, trigger: Trigger) -> list[StreamingQuery]:
    """Start the query of telemetry and that of all other messages.

    Delivery order: Spark logs the batch's offsets; the batch is appended to each table under (query, batch), at most
    once; Spark logs the commit. A kill between any two repeats the batch with the same offsets, and Delta skips the
    appends that had been made. A new checkpoint goes on behind the highest offsets that bronze holds.

    Raises:
        infra.kafka.cluster.BrokerUnavailableError: If no broker answers.
        infra.kafka.cluster.UnknownTopicError: If a topic does not exist.
    """
    _partitions(lake, bootstrap, TELEMETRY)
    lake.ensure_all(OUTPUTS)
    others = tuple(family for family in FAMILIES if family != TELEMETRY)
    return [start_telemetry(lake, bootstrap, trigger), _start_topics(lake, bootstrap, trigger, EVENTS_QUERY, others)]


def _partitions(lake: Lake, bootstrap: str, family: MessageFamily) -> Sequence[int]:
    """Partitions of a family's topic; where no broker answers Spark would try for minutes."""
    return topic_partitions(bootstrap, family.topic, librdkafka_options(lake.settings))


def _next_offsets(
    lake: Lake, partitions: Mapping[MessageFamily, Sequence[int]]
) -> Mapping[str, Mapping[str, int]] | None:
    """Offsets behind those that bronze holds, ``None`` where it holds none."""
    starting = {
        family.topic: {str(p): _EARLIEST for p in numbers} | _offsets_held(lake, family)
        for family, numbers in partitions.items()
    }
    return starting if any(at != _EARLIEST for found in starting.values() for at in found.values()) else None


def _offsets_held(lake: Lake, family: MessageFamily) -> dict[str, int]:
    """Offset behind the last message that a family's table holds, by partition of its topic."""
    behind: dict[str, int] = {}
    for batch in scan_table(lake, family.bronze, EVERYTHING, ("kafka_partition", "kafka_offset")):
        greatest = pa.table(batch).group_by("kafka_partition").aggregate([("kafka_offset", "max")])
        for row in greatest.to_pylist():
            partition = str(row["kafka_partition"])
            behind[partition] = max(row["kafka_offset_max"] + 1, behind.get(partition, 0))
    return behind


def check_broker(settings: AppConfig) -> None:
    """Ask the broker for the topic of telemetry: without it there is nothing to start Spark for.

    Raises:
        infra.kafka.cluster.BrokerUnavailableError: If no broker answers.
        infra.kafka.cluster.UnknownTopicError: If the topic does not exist.
        InputError: If what is set about security cannot be used.
    """
    java_options(settings)
    topic_partitions(find_endpoints(settings).bootstrap, TELEMETRY.topic, librdkafka_options(settings))


JOB = StreamingJob(
    name=NAME,
    module="streaming.bronze",
    command="stream bronze",
    summary="Kafka to bronze: every message as it came, exactly once.",
    outputs=OUTPUTS,
    other_inputs=(f"Kafka topics {', '.join(family.topic for family in FAMILIES)}",),
    start=lambda lake, _run, trigger: start_bronze(lake, find_endpoints(lake.settings).bootstrap, trigger),
    describe=lambda run: f"{run.rows_in:,} messages stored",
    check=check_broker,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
