"""The bronze tables: a Kafka record, byte for byte, with the CloudEvents headers beside it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from medallion.schema import known_instant


def header_value(name: str) -> Column:
    """Value of the first header of that name as text, null where there is none or it is not UTF-8.

    Text that is not UTF-8 would make the whole table unreadable to others; the bytes stay in ``headers``.
    """
    place = f"cast(array_position(headers.key, '{name}') as int) - 1"
    return F.expr(f"try_validate_utf8(cast(get(headers.value, {place}) as string))")


def _outside_code(value: Column) -> Column:
    """A constant that Spark's generated code refers to, where it else holds its digits.

    Code that differs with each batch is generated, compiled and optimised anew for each: half of what a stream of small
    batches costs. An array is referred to, and what is taken from a place known only as it runs stays outside.
    """
    return F.get(F.array(value), F.lit(0) * F.spark_partition_id())


def to_bronze_rows(records: DataFrame, batch_id: int) -> DataFrame:
    """Kafka source columns to bronze columns; nothing is parsed, nothing is refused.

    Args:
        records: Columns of Spark's Kafka source with ``includeHeaders``.
        batch_id: Micro-batch that writes them.
    """
    sent_ts = F.try_to_timestamp(header_value("ce_time"))
    source = F.regexp_extract(header_value("ce_source"), "^/([a-z]+)/", 1)
    return records.select(
        "topic",
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        known_instant(F.col("timestamp")).alias("kafka_ts"),
        F.col("key").alias("msg_key"),
        F.col("value").alias("payload"),
        "headers",
        header_value("ce_type").alias("event_type"),
        F.when(source != "", source).alias("source"),
        header_value("ce_id").alias("event_id"),
        known_instant(sent_ts).alias("sent_ts"),
        _outside_code(F.current_timestamp()).alias("ingest_ts"),
        F.current_date().alias("ingest_date"),
        _outside_code(F.lit(batch_id).cast("bigint")).alias("batch_id"),
    )
