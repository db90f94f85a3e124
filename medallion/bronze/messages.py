"""The bronze tables: a Kafka record, byte for byte, with the CloudEvents headers beside it."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_SLOTS = 8  # headers looked at by place before all are searched; our producers send six


def header_value(name: str) -> Column:
    """Value of the first header of that name as text, null where there is none or it is not UTF-8.

    Text that is not UTF-8 would make the whole table unreadable to others; the bytes stay in ``headers``. The first few
    places are looked at one by one, which Spark compiles; its search through an array is many times slower.
    """
    places = [f"WHEN get(headers, {i}).key = '{name}' THEN get(headers, {i}).value" for i in range(_SLOTS)]
    search = f"try_element_at(filter(headers, h -> h.key = '{name}'), 1).value"
    value = f"CASE {' '.join(places)} WHEN size(headers) > {_SLOTS} THEN {search} END"
    return F.expr(f"try_validate_utf8(cast({value} as string))")


def to_bronze_rows(records: DataFrame, batch_id: int) -> DataFrame:
    """Kafka source columns to bronze columns; nothing is parsed, nothing is refused.

    Args:
        records: Columns of Spark's Kafka source with ``includeHeaders``.
        batch_id: Micro-batch that writes them.
    """
    source = F.regexp_extract(header_value("ce_source"), "^/([a-z]+)/", 1)
    return records.select(
        "topic",
        F.col("partition").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").alias("kafka_ts"),
        F.col("key").alias("msg_key"),
        F.col("value").alias("payload"),
        "headers",
        header_value("ce_type").alias("event_type"),
        F.when(source != "", source).alias("source"),
        header_value("ce_id").alias("event_id"),
        F.try_to_timestamp(header_value("ce_time")).alias("sent_ts"),
        F.current_timestamp().alias("ingest_ts"),
        F.current_date().alias("ingest_date"),
        F.lit(batch_id).cast("bigint").alias("batch_id"),
    )
