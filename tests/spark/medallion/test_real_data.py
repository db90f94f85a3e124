"""Published race files through silver: counted by polars beside, and the car whose clock stood still."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from conf.channel import load_channels
from medallion.io import Lake
from medallion.silver.event_time import update_event_times
from medallion.silver.promote_telemetry import BatchReconciliation, SilverProcessor
from producers.replay.encode import encode_readings
from producers.replay.reader import read_telemetry
from producers.replay.sessions import Placement
from tests.spark.messages import READING, Message, stored

CELL = ["session_id", "vehicle_id", "timestamp_us", "ecu_seq", "telemetry_name"]


def promote(lake: Lake, frame: pl.DataFrame, to_bronze) -> BatchReconciliation:
    messages = [Message(k.decode(), READING, v) for k, v, _ in encode_readings(frame, "test")]
    balance = SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(stored(messages)), 0, "silver:a")
    update_event_times(lake, "run")
    assert balance is not None
    return balance


def counted(frame: pl.DataFrame) -> tuple[int, int, int]:
    """Cells, repeats and conflicts of readings in arrival order, none of them refused."""
    kept = pl.col("telemetry_value").first().over(CELL)
    nth = pl.int_range(pl.len()).over(CELL)
    kind = frame.select(first=nth == 0, same=pl.col("telemetry_value") == kept)
    return kind["first"].sum(), (~kind["first"] & kind["same"]).sum(), (~kind["first"] & ~kind["same"]).sum()


def load(path: Path, session: str | None = None) -> pl.DataFrame:
    readings = read_telemetry(path, Placement(session))
    return readings.frame.with_columns(dialect=pl.lit(readings.form.dialect))


def test_barber_keeps_the_car_whose_clock_stands_still(data_dir, lake, to_bronze, rows) -> None:
    every = load(data_dir / "grcup/barber/barber_r1_fastest_lap_17cars.parquet", "barber-R1")
    assert every["vehicle_id"].n_unique() == 17
    still = pl.col("vehicle_id") == "GR86-013-80"
    frame = every.filter(still | (pl.int_range(pl.len()) < 60_000))
    balance = promote(lake, frame, to_bronze)
    assert (balance.units, balance.quarantined) == (frame.height, 0)
    assert (balance.written, balance.repeats, balance.conflicts) == counted(frame)
    table = rows(lake, "silver.telemetry")
    car = table.filter(still)
    assert car.height == 2_699
    assert car["ecu_ts"].n_unique() == 1
    assert set(car["clock_source"]) == {"arrival"}
    assert (car["event_ts"] == car["arrival_ts"]).all()
    assert set(table.filter(~still)["clock_source"]) == {"car"}
    assert (table["event_ts"] <= table["arrival_ts"]).all()
    offsets = rows(lake, "silver.clock_offsets")
    assert dict(offsets.select("vehicle_id", "stood_still").iter_rows()) == {
        v: v == "GR86-013-80" for v in frame["vehicle_id"].unique()
    }


def test_indianapolis_slice_is_counted_by_another_way(data_dir, lake, to_bronze, rows) -> None:
    frame = load(data_dir / "grcup/indianapolis/indianapolis_r1_2cars_fullrace.parquet")
    frame = frame.slice(400_000, 100_000)
    lake.ensure("silver.quarantine")
    balance = promote(lake, frame, to_bronze)
    assert balance.units == balance.messages == 100_000
    refused = rows(lake, "silver.quarantine")
    assert refused.height == balance.quarantined < 200
    # Messages of one partition are in file order, so an offset leads back to its reading.
    parts = {k: stored_offsets(frame, k) for k in refused["bronze_partition"].unique()}
    bad = [parts[p][o] for p, o in refused.select("bronze_partition", "bronze_offset").iter_rows()]
    good = frame.with_row_index("_i").filter(~pl.col("_i").is_in(bad))
    assert (balance.written, balance.repeats, balance.conflicts) == counted(good)
    table = rows(lake, "silver.telemetry")
    assert table["n_readings"].sum() == balance.written
    names = load_channels().sources["grcup-renamed"].channels
    first = good.unique(CELL, keep="first", maintain_order=True)
    for name, mapping in names.items():
        wanted = first.filter(telemetry_name=name)["telemetry_value"].sum() * mapping.factor
        kind = pl.Int32 if mapping.channel == "gear" else pl.Float64
        assert table[mapping.channel].cast(kind).sum() == pytest.approx(wanted, rel=1e-9), name
    latitude = table["lat_deg"].drop_nulls()
    assert 0.01 < latitude.max() - latitude.min() < 0.02  # the road course is 1.4 km from north to south


def stored_offsets(frame: pl.DataFrame, partition: int) -> list[int]:
    """Row of each message of a partition."""
    placed = stored(Message(f"{s}|{v}", READING, None) for s, v in frame.select("session_id", "vehicle_id").iter_rows())
    return [i for i, s in enumerate(placed) if s.kafka_partition == partition]
