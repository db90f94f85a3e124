"""Row 2: Kafka to bronze, against a consumer that only reads the bytes.

Ours is the bronze job's own query over everything in the topic, into an empty table, on a Spark session that is up: it
copies key, value and headers and commits a Delta version. The peer is confluent-kafka's batch consumer, which keeps
nothing. Both connect within their time.
"""

from __future__ import annotations

from benchmarks import inputs, peers
from benchmarks.bench import Bench
from benchmarks.runner import Goal, Result, Unit, compare, must_be, race, timed
from conf.families import TELEMETRY
from streaming import bronze
from streaming.query import Trigger

TITLE = "Kafka to bronze"
OURS = "bronze job"
PEER = "consumer, bytes only"
GOAL = 0.8


def measure(bench: Bench) -> list[Result]:
    """Framed messages."""
    data = inputs.feed(bench.pick(1_000, 60_000), faults=True)
    bench.say(f"row 2: {len(data.frames):,} frames, {data.samples:,} samples")
    with bench.broker() as bootstrap:
        inputs.send(data.frames, bootstrap)

        def ours() -> dict[str, float]:
            return {OURS: to_bronze(bench, bootstrap, len(data.frames))}

        def peer() -> dict[str, float]:
            read: list[int] = []
            seconds = timed(lambda: read.append(peers.read_bytes(bootstrap, TELEMETRY.topic)))
            must_be(read, [len(data.frames)], f"messages read by '{PEER}'")
            return {PEER: seconds}

        times = race([ours, peer], bench.runs, say=bench.say)
    note = f"{len(data.frames)} frames; ours writes them to Delta, the peer keeps nothing"
    return [compare(times, OURS, PEER, "framed", data.samples, Unit("samples/s"), Goal(ratio=GOAL), note)]


def to_bronze(bench: Bench, bootstrap: str, messages: int) -> float:
    """Seconds of one drain into an empty lake, whose table is there before the time starts."""
    with bench.lake(bootstrap) as lake:
        lake.ensure(TELEMETRY.bronze)
        seconds = timed(lambda: bronze.start_telemetry(lake, bootstrap, Trigger(once=True)).awaitTermination())
        must_be(lake.read(TELEMETRY.bronze).count(), messages, f"rows in {TELEMETRY.bronze}")
    return seconds
