"""Readings as Kafka records: ``reading/1``, one JSON object a reading.

A value that is not finite is written as the bare token ``NaN``, ``Infinity`` or ``-Infinity``, as many producers do. It
is no strict JSON, on purpose: the reading still arrives, and is quarantined downstream in place of vanishing here.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import polars as pl

EVENT_TYPE = "slipstream.reading.v1"

# What hardly changes from reading to reading: encoded once a combination. The rest is appended column by column.
STEADY = (
    "session_id",
    "vehicle_id",
    "vehicle_number",
    "original_vehicle_id",
    "lap",
    "outing",
    "meta_event",
    "meta_session",
    "meta_source",
    "dialect",
    "telemetry_name",
)

Record = tuple[bytes, bytes, bytes]


def encode_readings(frame: pl.DataFrame, digest: str, first_row: int = 0) -> Iterator[Record]:
    """Encode readings as ``(key, value, event id)``.

    Args:
        frame: Rows in arrival order with the columns of :class:`producers.replay.reader.Readings` and ``dialect``.
        digest: Identity of the file's content.
        first_row: Place of the frame's first row in the file's arrival order.

    Returns:
        The records in order. The key is ``session_id|vehicle_id``, the event id ``<digest>:<row in arrival order>``.
    """
    steady = frame.select(STEADY).unique()
    steady = steady.with_columns(
        _key=pl.Series([_key(row) for row in steady.iter_rows(named=True)], dtype=pl.Binary),
        _steady=pl.Series([orjson.dumps(row)[:-1].decode() for row in steady.iter_rows(named=True)], dtype=pl.String),
    )
    rows = frame.join(steady, on=STEADY, how="left", nulls_equal=True, maintain_order="left").with_row_index("_row")
    records = rows.select(
        "_key",
        pl.concat_str(
            "_steady",
            pl.lit(',"meta_time_us":'),
            _number("meta_time_us"),
            pl.lit(',"timestamp_us":'),
            _number("timestamp_us"),
            pl.lit(',"ecu_seq":'),
            "ecu_seq",
            pl.lit(',"telemetry_value":'),
            _number("telemetry_value").replace({"inf": "Infinity", "-inf": "-Infinity"}),
            pl.lit("}"),
        ).cast(pl.Binary),
        pl.format("{}:{}", pl.lit(digest), pl.col("_row").cast(pl.Int64) + first_row).cast(pl.Binary).alias("_id"),
    )
    return zip(*(column.to_list() for column in records), strict=True)


def _number(name: str) -> pl.Expr:
    """A number as JSON text; null where it is missing. Floats keep their shortest text that reads back the same."""
    return pl.col(name).cast(pl.String).fill_null("null")


def _key(row: dict[str, object]) -> bytes:
    return f"{row['session_id']}|{row['vehicle_id'] or ''}".encode()
