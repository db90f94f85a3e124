"""Row 1: encode telemetry and send it to a real broker, against a bare producer that sends one constant payload.

Both have our producer's delivery settings (all replicas, idempotent, the same linger, batches and lz4) and go to a
new topic of four partitions on the same broker. The time starts behind a first message, which has the producer connect
and get its id, and ends when every message is acknowledged. Frames and readings are objects in memory when it starts;
our side encodes them within it. The constant payload is the one real message whose size is nearest to the mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from statistics import mean
from typing import Any, TypeVar

from confluent_kafka import Producer

from benchmarks.bench import Bench
from benchmarks.inputs import EVENT_TYPE, SOURCE, Feed, feed, long_file, must_hold
from benchmarks.runner import Goal, Result, Run, Unit, compare, race
from infra.kafka.producer import POLL_EVERY, KafkaStreamer
from producers.replay.encode import EVENT_TYPE as READING_TYPE
from producers.replay.reader import Readings, read_telemetry
from producers.replay.replay import _chunks

TITLE = "encode and send to Kafka"
GOAL = 0.9
GOAL_SAMPLES_PER_S = 2e6
OURS = "simulator"
OURS_READINGS = "replay"
BARE = "constant payload"
HEADED = "constant payload, 6 headers"
ENCODED = "same messages, encoded before"
Message = tuple[bytes, bytes]
T = TypeVar("T")
Sender = Callable[[str], float]
HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_source", SOURCE.encode()),
    ("content-type", b"application/json"),
    ("ce_type", EVENT_TYPE.encode()),
    ("ce_time", b"2025-09-06T18:00:00.000000Z"),
    ("ce_id", b"benchmark:123456"),
]


def measure(bench: Bench) -> list[Result]:
    """Frames, then single readings."""
    with bench.broker() as bootstrap:
        return [*_frames(bench, bootstrap), *_readings(bench, bootstrap)]


def _frames(bench: Bench, bootstrap: str) -> list[Result]:
    data, times_over = feed(bench.pick(1_000, 20_000), faults=True), bench.pick(1, 4)
    encoded = [(f.key(), f.payload()) for f in data.frames]
    n, size = len(encoded) * times_over, round(mean(len(value) for _, value in encoded))
    payload = _typical([value for _, value in encoded])
    bench.say(f"row 1: {n:,} frames of {size:,} bytes, {data.samples * times_over:,} samples")
    constant = [(key, payload) for key, _ in encoded]
    sides = {
        OURS: lambda topic: _simulator(bootstrap, topic, data, times_over),
        BARE: lambda topic: _bare(bootstrap, topic, _again(constant, times_over), None),
        HEADED: lambda topic: _bare(bootstrap, topic, _again(constant, times_over), HEADERS),
        ENCODED: lambda topic: _bare(bootstrap, topic, _again(encoded, times_over), HEADERS),
    }
    times = race([_run(bench, bootstrap, name, send, n) for name, send in sides.items()], bench.runs, say=bench.say)
    work, note = f"frames of {size / 1000:.1f} kB", f"{n} messages of {size} bytes on average, six headers on ours"
    messages, samples = Unit("messages/s"), Unit("samples/s")
    return [
        compare(times, OURS, BARE, work, n, messages, Goal(ratio=GOAL), f"{note}, none on the peer's"),
        compare(times, OURS, HEADED, work, n, messages, Goal(ratio=GOAL), f"{note} and on the peer's"),
        compare(times, OURS, ENCODED, work, n, messages, note=f"{note}; what encoding alone costs"),
        compare(times, OURS, HEADED, work, data.samples * times_over, samples, Goal(least=GOAL_SAMPLES_PER_S), note),
    ]


def _readings(bench: Bench, bootstrap: str) -> list[Result]:
    n = bench.pick(20_000, 1_000_000)
    readings = read_telemetry(long_file(bench.folder("readings") / "long.csv", n))
    values = [value for _, value, _ in next(_chunks(readings, 0))]
    key, size, payload = b"BENCH-R1|GR86-004-78", round(mean(map(len, values))), _typical(values)
    headers = [*HEADERS[:3], ("ce_type", READING_TYPE.encode()), *HEADERS[4:]]
    n = readings.frame.height
    bench.say(f"row 1: {n:,} readings of {size} bytes")
    sides = {
        OURS_READINGS: lambda topic: _replay(bootstrap, topic, readings),
        BARE: lambda topic: _bare(bootstrap, topic, repeat((key, payload), n), None),
        HEADED: lambda topic: _bare(bootstrap, topic, repeat((key, payload), n), headers),
    }
    times = race([_run(bench, bootstrap, name, send, n) for name, send in sides.items()], bench.runs, say=bench.say)
    work, note = f"readings of {size} B", f"{n} messages of {size} bytes on average, six headers on ours"
    unit = Unit("messages/s")
    return [
        compare(times, OURS_READINGS, BARE, work, n, unit, Goal(ratio=GOAL), f"{note}, none on the peer's"),
        compare(times, OURS_READINGS, HEADED, work, n, unit, Goal(ratio=GOAL), f"{note} and on the peer's"),
    ]


def _run(bench: Bench, bootstrap: str, name: str, send: Sender, messages: int) -> Run:
    def run() -> dict[str, float]:
        with bench.topic(bootstrap) as topic:
            seconds = send(topic)
            must_hold(bootstrap, topic, messages + 1, name)
        return {name: seconds}

    return run


def _simulator(bootstrap: str, topic: str, data: Feed, times_over: int) -> float:
    with KafkaStreamer(bootstrap, topic, source=SOURCE) as streamer:
        first = data.frames[0]
        streamer.send(first.key(), first.payload(), EVENT_TYPE, "benchmark:first")
        streamer.flush()
        began = time.perf_counter()
        for number, frame in enumerate(_again(data.frames, times_over)):
            streamer.send(frame.key(), frame.payload(), EVENT_TYPE, f"benchmark:{number}")
        streamer.flush()
        return time.perf_counter() - began


def _replay(bootstrap: str, topic: str, readings: Readings) -> float:
    with KafkaStreamer(bootstrap, topic, source="/replay/benchmark") as streamer:
        streamer.send(b"first", b"{}", READING_TYPE, "benchmark:first")
        streamer.flush()
        began = time.perf_counter()
        for records in _chunks(readings, 0):
            streamer.send_many(records, READING_TYPE)
        streamer.flush()
        return time.perf_counter() - began


def _bare(bootstrap: str, topic: str, messages: Iterable[Message], headers: list[tuple[str, bytes]] | None) -> float:
    """The peer: a producer and a loop."""
    producer = Producer(delivery_settings(bootstrap))
    produce = producer.produce
    extra: dict[str, Any] = {} if headers is None else {"headers": headers}
    produce(topic, b"{}", b"first", **extra)
    producer.flush()
    began = time.perf_counter()
    for number, (key, value) in enumerate(messages):
        while True:
            try:
                produce(topic, value, key, **extra)
                break
            except BufferError:
                producer.poll(0.05)
        if number % POLL_EVERY == 0:
            producer.poll(0)
    producer.flush()
    return time.perf_counter() - began


def delivery_settings(bootstrap: str) -> dict[str, Any]:
    """The client options of our producer, less its callbacks."""
    options = KafkaStreamer(bootstrap, source=SOURCE)._options
    return {name: value for name, value in options.items() if name not in ("on_delivery", "error_cb", "logger")}


def _typical(values: Sequence[bytes]) -> bytes:
    size = mean(len(value) for value in values)
    return min(values, key=lambda value: abs(len(value) - size))


def _again(items: Sequence[T], times_over: int) -> Iterable[T]:
    return chain.from_iterable(repeat(items, times_over))
