"""Distinguish samples while a car's clock has stopped.

A sample is known by its car's clock. Some loggers let the clock stand: one Barber car sent 25,909 readings on a single
timestamp, and bursts of up to 127 readings share one at Indianapolis. These are different samples and not repeats.
"""

from __future__ import annotations

import polars as pl

INSTANT = ("session_id", "vehicle_id", "timestamp_us")
CHANNEL = (*INSTANT, "telemetry_name")


def number_standing_clock(readings: pl.DataFrame) -> pl.DataFrame:
    """Number the samples that share one value of their car's clock.

    At such an instant the n-th reading of a channel sent at full rate (one with as many readings as any other there)
    belongs to sample n. A slower channel's reading belongs to the sample that had been reached when it arrived. A
    sample whose channels and values all equal those of an earlier one at that instant is a repeat and takes its number;
    where every channel has one distinct value, all are repeats.

    Args:
        readings: Rows in arrival order with ``session_id``, ``vehicle_id``, ``timestamp_us``, ``telemetry_name`` and
            ``telemetry_value``. Must be the whole file: the numbers depend on all readings of an instant.

    Returns:
        The same rows in the same order with ``ecu_seq`` (Int32), 0 wherever an instant holds one sample.
    """
    indexed = readings.with_row_index("_row")
    repeated = indexed.filter(pl.struct(CHANNEL).is_duplicated()).select(INSTANT).unique()
    standing = indexed.select("_row", *CHANNEL, "telemetry_value").join(
        repeated, on=INSTANT, how="semi", nulls_equal=True, maintain_order="left"
    )
    numbers = _same_as_first(_place(standing)).select("_row", "ecu_seq")
    return (
        indexed.join(numbers, on="_row", how="left", maintain_order="left")
        .with_columns(pl.col("ecu_seq").fill_null(0).cast(pl.Int32))
        .drop("_row")
    )


def _place(standing: pl.DataFrame) -> pl.DataFrame:
    """Put each reading into a sample: adds ``instant`` and ``sample``."""
    instant, channel = "instant", ["instant", "telemetry_name"]
    occurrence = pl.col("_row").cum_count().over(channel).cast(pl.Int64) - 1
    return (
        standing.with_columns(instant=pl.struct(INSTANT).rank("dense"))
        .with_columns(occurrence=occurrence, count=pl.len().over(channel))
        .with_columns(reached=pl.col("occurrence").cum_max().over(instant), most=pl.col("count").max().over(instant))
        .with_columns(sample=pl.when(pl.col("count") == pl.col("most")).then("occurrence").otherwise("reached"))
        .select("_row", "instant", "sample", "telemetry_name", "telemetry_value")
    )


def _same_as_first(placed: pl.DataFrame) -> pl.DataFrame:
    """Give repeats of a sample the number of the first with that content: adds ``ecu_seq``."""
    pairs = placed.select("instant", "sample", "telemetry_name", "telemetry_value").unique()
    contents = (
        pairs.sort("telemetry_name", "telemetry_value")
        .group_by("instant", "sample", maintain_order=True)
        .agg("telemetry_name", "telemetry_value")
        .with_columns(
            ecu_seq=pl.col("sample").min().over("instant", "telemetry_name", "telemetry_value"),
        )
        .select("instant", "sample", "ecu_seq")
    )
    constant = (
        pairs.group_by("instant", "telemetry_name")
        .agg(values=pl.col("telemetry_value").n_unique())
        .group_by("instant")
        .agg(constant=pl.col("values").max() == 1)
    )
    return (
        placed.join(contents, on=("instant", "sample"), maintain_order="left")
        .join(constant, on="instant", maintain_order="left")
        .with_columns(ecu_seq=pl.when("constant").then(0).otherwise("ecu_seq"))
    )
