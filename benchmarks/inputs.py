"""What the benchmarks work on: simulated telemetry, as frames, as a published file's readings, and in Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from confluent_kafka import Consumer, TopicPartition

from benchmarks.runner import must_be
from conf.channel import load_channels
from conf.topics import TELEMETRY_RAW
from infra.kafka.producer import KafkaStreamer
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.frames import Frame
from producers.simulator.simulator import VehicleSimulator

EVENT_TYPE = "slipstream.frame.v1"
SOURCE = "/simulator/benchmark"
SAMPLES_PER_FRAME = 30
CARS = 40
IMPOSSIBLE_EVERY = 1000  # frames between two that hold a value no engine can have
IMPOSSIBLE_RPM = 30_000.0


@dataclass(frozen=True)
class Feed:
    """Frames and what is in them.

    Attributes:
        samples: Number of samples in all frames, those sent twice counted twice.
        impossible: Of these, the ones that the gate must refuse.
    """

    frames: tuple[Frame, ...]
    samples: int
    impossible: int


def simulate(n_frames: int, *, faults: bool, cars: int = CARS) -> VehicleSimulator:
    """A grid that sends about ``n_frames`` frames of a second each (some twice, with ``faults``)."""
    config = SimulatorConfig(
        session_id="benchmark",
        n_cars=cars,
        duration_s=max(n_frames / cars, 15.0),
        samples_per_frame=SAMPLES_PER_FRAME,
        data_faults=DataFaults() if faults else DataFaults.none(),
    )
    return VehicleSimulator(config)


def feed(n_frames: int, *, faults: bool, cars: int = CARS) -> Feed:
    """Frames of a simulated race, one in a thousand with an impossible engine speed in one sample."""
    frames = [
        _spoiled(frame) if number % IMPOSSIBLE_EVERY == 0 else frame
        for number, frame in enumerate(simulate(n_frames, faults=faults, cars=cars).frames())
    ]
    impossible = sum(int((np.asarray(f.columns["rpm"]) == IMPOSSIBLE_RPM).sum()) for f in frames)
    return Feed(tuple(frames), sum(len(f.columns["t_us"]) for f in frames), impossible)


def _spoiled(frame: Frame) -> Frame:
    rpm = np.array(frame.columns["rpm"], dtype=np.float64)
    rpm[0] = IMPOSSIBLE_RPM
    return replace(frame, columns=frame.columns | {"rpm": rpm})


def send(frames: Sequence[Frame], bootstrap: str, topic: str = TELEMETRY_RAW.name) -> None:
    """Send frames as the simulator's command does."""
    with KafkaStreamer(bootstrap, topic, source=SOURCE) as streamer:
        for number, frame in enumerate(frames):
            streamer.send(frame.key(), frame.payload(), EVENT_TYPE, f"benchmark:{number}")


def messages_in(bootstrap: str, topic: str) -> int:
    """How many messages a topic holds."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "benchmark", "enable.auto.commit": False})
    parts = [TopicPartition(topic, p) for p in consumer.list_topics(topic, timeout=10).topics[topic].partitions]
    marks = [consumer.get_watermark_offsets(part, timeout=10) for part in parts]
    consumer.close()
    return sum(high - low for low, high in marks)


def must_hold(bootstrap: str, topic: str, messages: int, who: str) -> None:
    """Check that all of them arrived."""
    must_be(messages_in(bootstrap, topic), messages, f"messages in the topic after '{who}'")


def long_file(path: Path, n_readings: int) -> Path:
    """Write simulated telemetry as a published long CSV of that many readings, in the GR Cup feed's channel names."""
    names = {m.channel: name for name, m in load_channels().sources["grcup"].channels.items()}
    names["throttle_pct"] = names["throttle_pedal_pct"]
    samples = simulate(n_readings // 250 + 600, faults=False).to_polars()
    channels = [c for c in samples.columns if c in names]
    clock = pl.from_epoch("t_us", time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    wide = samples.sort("t_us").with_columns(pl.col(c).cast(pl.Float64).round(3) for c in channels)
    car = pl.format("GR86-{}-{}", pl.col("vehicle_id").str.slice(4).str.zfill(3), pl.col("vehicle_id").str.slice(4))
    rows = wide.rename({c: names[c] for c in channels}).select(
        pl.lit(None, pl.String).alias("expire_at"),
        pl.col("lap_number").cast(pl.Int64).alias("lap"),
        pl.lit("BENCH").alias("meta_event"),
        pl.lit("R1").alias("meta_session"),
        pl.lit("kafka:benchmark").alias("meta_source"),
        clock.alias("meta_time"),
        car.alias("original_vehicle_id"),
        pl.lit(0).alias("outing"),
        clock.alias("timestamp"),
        car.alias("vehicle_id"),
        pl.col("vehicle_id").str.slice(4).cast(pl.Int64).alias("vehicle_number"),
        *(names[c] for c in channels),
    )
    steady = [c for c in rows.columns if c not in names.values()]
    sent = [names[c] for c in channels]
    long = rows.unpivot(sent, index=steady, variable_name="telemetry_name", value_name="telemetry_value")
    long.drop_nulls("telemetry_value").sort("meta_time", maintain_order=True).head(n_readings).write_csv(path)
    return path
