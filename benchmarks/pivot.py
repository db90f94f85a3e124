"""Row 5: pivot long readings to wide rows, against DuckDB and Polars.

The input is one Parquet file of gated readings, in arrival order, as silver has them before it pivots. Ours is silver's
own ``pivot_readings`` (per cell the value with the lowest offset, per row its attributes, lineage and warnings) into
Spark's noop sink. DuckDB does the same work (``arg_min``), and then the lighter work that the goal was set on
(``avg(...) filter``, which blends contradicting readings); both leave an Arrow table in memory. Polars pivots the cells
only, keeping the first. All use all cores and read the file within the time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import polars as pl

from benchmarks.bench import Bench
from benchmarks.runner import Goal, Result, Run, Unit, compare, must_be, race, timed
from medallion.silver.telemetry import KEY, pivot_readings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TITLE = "pivot long readings to wide rows"
OURS = "pivot_readings"
DUCKDB = "DuckDB arg_min, whole rows"
DUCKDB_AVG = "DuckDB avg, cells only"
POLARS = "Polars pivot, cells only"
GOAL = 0.5
VEHICLES = 20
FAST = (
    "throttle_pedal_pct",
    "throttle_blade_pct",
    "brake_front_bar",
    "brake_rear_bar",
    "steering_deg",
    "accel_long_g",
    "accel_lat_g",
    "lap_distance_m",
    "lat_deg",
    "lon_deg",
)
SLOW = ("speed_kmh", "rpm", "gear")
FAST_HZ, SLOW_HZ = 23.0, 4.6  # as the GR Cup feed has them; fast and slow never share an instant


def measure(bench: Bench) -> list[Result]:
    """One size."""
    path = bench.folder("readings") / "readings.parquet"
    n, rows = write_readings(path, bench.pick(100_000, 8_000_000))
    bench.say(f"row 5: {n:,} readings, {rows:,} wide rows")
    times = race([_ours(bench.spark, path), *_peers(path, rows)], bench.runs, say=bench.say)
    must_be(_wide(bench.spark, path), rows, f"rows of '{OURS}'")
    unit, work, size = Unit("s", seconds=float(n)), f"{n / 1e6:g} M readings", f"{n} readings to {rows} rows"
    return [
        compare(times, OURS, DUCKDB, work, n, unit, Goal(ratio=GOAL), f"{size}, the same columns"),
        compare(times, OURS, DUCKDB_AVG, work, n, unit, Goal(ratio=GOAL), f"{size}; the peer only averages cells"),
        compare(times, OURS, POLARS, work, n, unit, note=f"{size}; the peer only keeps the first value of a cell"),
    ]


def write_readings(path: Path, n: int) -> tuple[int, int]:
    """Write about ``n`` readings of vehicles side by side; returns readings and distinct keys."""
    per_second = len(FAST) * FAST_HZ + len(SLOW) * SLOW_HZ
    seconds = n / VEHICLES / per_second
    vehicles = [_vehicle(v, seconds) for v in range(VEHICLES)]
    frame = pl.concat(vehicles).sort("arrival_us", maintain_order=True)
    frame = frame.with_columns(
        ecu_ts=pl.from_epoch("t_us", time_unit="us").dt.replace_time_zone("UTC"),
        kafka_offset=pl.int_range(pl.len(), dtype=pl.Int64),
        session_id=pl.lit("benchmark"),
        ecu_seq=pl.lit(0, pl.Int32),
        kafka_partition=(pl.col("vehicle_number") % 4).cast(pl.Int32),
        origin=pl.lit(0, pl.Int32),
        # One reading in ten thousand breaks a soft rule.
        warn=pl.when(pl.int_range(pl.len()) % 10_000 == 0).then(pl.lit(2, pl.Int32)),
    )
    frame.drop("t_us").write_parquet(path)
    return frame.height, frame.select(KEY).n_unique()


def _vehicle(vehicle: int, seconds: float) -> pl.DataFrame:
    random = np.random.default_rng(vehicle)
    parts = []
    for channels, rate, shift in ((FAST, FAST_HZ, 0), (SLOW, SLOW_HZ, 7_000)):
        instants = (np.arange(max(int(seconds * rate), 1)) * (1e6 / rate)).astype(np.int64) + shift
        t_us = np.repeat(1_757_181_600_000_000 + instants, len(channels))
        values = np.round(random.normal(50.0, 20.0, len(t_us)), 3)
        parts.append(pl.DataFrame({"t_us": t_us, "channel": np.tile(channels, len(instants)), "value": values}))
    return pl.concat(parts).with_columns(
        vehicle_id=pl.lit(f"GR86-{vehicle:03d}"),
        vehicle_number=pl.lit(vehicle, pl.Int32),
        arrival_us=pl.col("t_us") + vehicle * 1_000,
        lap_number_raw=((pl.col("t_us") - pl.col("t_us").min()) // 100_000_000 + 1).cast(pl.Int32),
    )


def _ours(spark: SparkSession, path: Path) -> Run:
    def run() -> dict[str, float]:
        readings = spark.read.parquet(str(path))
        return {OURS: timed(lambda: pivot_readings(readings).write.format("noop").mode("overwrite").save())}

    return run


def _wide(spark: SparkSession, path: Path) -> int:
    return pivot_readings(spark.read.parquet(str(path))).count()


def _peers(path: Path, rows: int) -> list[Run]:
    def polars() -> int:
        wide = pl.read_parquet(path, columns=[*KEY, "channel", "value"]).pivot(
            "channel", index=list(KEY), values="value", aggregate_function="first"
        )
        return wide.height

    sides = {
        DUCKDB: lambda: duckdb_rows(path, same_work()),
        DUCKDB_AVG: lambda: duckdb_rows(path, averages()),
        POLARS: polars,
    }

    def side(name: str) -> Run:
        def run() -> dict[str, float]:
            found: list[int] = []
            seconds = timed(lambda: found.append(sides[name]()))
            must_be(found, [rows], f"rows of '{name}'")
            return {name: seconds}

        return run

    return [side(name) for name in sides]


def duckdb_rows(path: Path, aggregates: str) -> int:
    """Run the grouping in a fresh DuckDB; returns the rows of its Arrow table."""
    query = f"SELECT {', '.join(KEY)}, {aggregates} FROM read_parquet('{path}') GROUP BY {', '.join(KEY)}"
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        return int(connection.execute(query).to_arrow_table().num_rows)


def same_work() -> str:
    """What ``pivot_readings`` aggregates, in DuckDB's words."""
    first = [
        f"arg_min({a}, kafka_offset) AS {a}" for a in ("lap_number_raw", "vehicle_number", "kafka_partition", "origin")
    ]
    cells = [f"arg_min(value, kafka_offset) FILTER (channel = '{c}') AS {c}" for c in (*FAST, *SLOW)]
    return ", ".join(
        [
            *cells,
            *first,
            "min(arrival_us) AS arrival_us",
            "min(kafka_offset) AS first_offset",
            "max(kafka_offset) AS last_offset",
            "bit_or(1::BIGINT << coalesce(warn, 62)) AS warn_bits",
            "count(*) AS n_units",
        ]
    )


def averages() -> str:
    """One average a channel."""
    return ", ".join(f"avg(value) FILTER (channel = '{c}') AS {c}" for c in (*FAST, *SLOW))
