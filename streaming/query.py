"""Run a streaming query: checkpoint, trigger, and an id that ties its writes to the checkpoint's generation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from conf.errors import InputError
from conf.lake import checkpoint_uri
from conf.settings import AppConfig
from streaming.batches import BOARD

ProcessBatch = Callable[[DataFrame, int, str], int]


@dataclass(frozen=True)
class Trigger:
    """When a query runs: once over the available data, or every so many seconds until it is stopped.

    A run that took longer than that is followed by the next at once.
    """

    once: bool = True
    every_s: float = 2.0

    def pause_s(self, began_s: float) -> float:
        """How long to wait until the next run, after one that began at an instant of ``time.monotonic``."""
        return max(0.0, began_s + self.every_s - time.monotonic())

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
    batch: ProcessBatch,
    trigger: Trigger,
) -> StreamingQuery:
    """Start ``name`` with its checkpoint beside the lake.

    Args:
        spark: Session.
        settings: Says where the checkpoint is.
        name: Query name; also the checkpoint's folder.
        stream: Streaming DataFrame.
        batch: Called with the micro-batch, its number, and ``<name>:<generation>``: the id under which the batch's
            writes are made at most once. The generation is the checkpoint's own, so a new checkpoint never passes for
            an old one. It returns how many rows it read: Spark itself counts them each time that they are looked at.
        trigger: When to run.
    """
    checkpoint = checkpoint_uri(name, settings)

    @cache
    def query_id() -> str:
        return f"{name}:{checkpoint_generation(spark, checkpoint)}"

    def run(df: DataFrame, batch_id: int) -> None:
        BOARD.count(name, batch_id, batch(df, batch_id, query_id()))

    writer = stream.writeStream.queryName(name).foreachBatch(run).option("checkpointLocation", checkpoint)
    return trigger.on(writer).start()


def checkpoint_generation(spark: SparkSession, checkpoint: str) -> str:
    """Id of a checkpoint: Spark writes it when the checkpoint is made and keeps it for its life."""
    text = spark.read.text(f"{checkpoint}/metadata").first()
    if text is None:
        raise InputError(f"checkpoint {checkpoint} has no metadata: it is damaged, remove it to start a new generation")
    return str(json.loads(text[0])["id"])[:8]
