"""Run a streaming query: checkpoint, trigger, and an id that ties its writes to the checkpoint's generation."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from conf.errors import InputError
from conf.lake import checkpoint_uri
from conf.settings import AppConfig
from streaming.turns import TurnLock

# A query's batches and the steps between them write the same tables: one at a time.
_LOCKS: defaultdict[str, TurnLock] = defaultdict(TurnLock)
Batch = Callable[[DataFrame, int, str], None]


@dataclass(frozen=True)
class Trigger:
    """When a query runs: once over the available data, or every so many seconds until it is stopped."""

    once: bool = True
    every_s: float = 2.0

    def on(self, writer: DataStreamWriter) -> DataStreamWriter:
        """The writer with this trigger."""
        if self.once:
            return writer.trigger(availableNow=True)
        return writer.trigger(processingTime=f"{self.every_s} seconds")


def start_query(
    spark: SparkSession,
    settings: AppConfig,
    name: str,
    stream: DataFrame,
    batch: Batch,
    trigger: Trigger,
    job: str | None = None,
) -> StreamingQuery:
    """Start ``name`` with its checkpoint beside the lake.

    Args:
        spark: Session.
        settings: Says where the checkpoint is.
        name: Query name; also the checkpoint's folder.
        stream: Streaming DataFrame.
        batch: Called with the micro-batch, its number, and ``<name>:<generation>``: the id under which the batch's
            writes are made at most once. The generation is the checkpoint's own, so a new checkpoint never passes for
            an old one.
        trigger: When to run.
        job: Job that the query belongs to, if it has several: their batches then never run at the same time.
    """
    checkpoint = checkpoint_uri(name, settings)

    @cache
    def query_id() -> str:
        return f"{name}:{checkpoint_generation(spark, checkpoint)}"

    def run(df: DataFrame, batch_id: int) -> None:
        with _LOCKS[job or name]:
            batch(df, batch_id, query_id())

    writer = stream.writeStream.queryName(name).foreachBatch(run).option("checkpointLocation", checkpoint)
    return trigger.on(writer).start()


def hold_between_batches(job: str) -> TurnLock:
    """A lock to hold while something other than a batch of ``job`` writes its tables."""
    return _LOCKS[job]


def checkpoint_generation(spark: SparkSession, checkpoint: str) -> str:
    """Id of a checkpoint: Spark writes it when the checkpoint is made and keeps it for its life."""
    text = spark.read.text(f"{checkpoint}/metadata").first()
    if text is None:
        raise InputError(f"checkpoint {checkpoint} has no metadata: it is damaged, remove it to start a new generation")
    return str(json.loads(text[0])["id"])[:8]
