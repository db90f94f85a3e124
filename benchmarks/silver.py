"""Row 3: Kafka to a gated silver Delta table, against one Python process that consumes, parses, gates and writes.

Ours is the bronze job's query, then the silver job's, each over everything there is, into an empty lake on a Spark
session that is up. The peer consumes with confluent-kafka, parses and gates with Polars and appends with the deltalake
writer, straight to silver: it keeps no bronze copy, looks for no repeats or conflicts, knows no soft rules and writes a
batch twice if it dies between the write and its offsets. The input holds impossible values, and both must refuse the
same ones.
"""

from __future__ import annotations

import shutil

from benchmarks import inputs, peers
from benchmarks.bench import Bench
from benchmarks.runner import Goal, Result, Run, Unit, compare, must_be, race, timed
from conf.families import TELEMETRY
from conf.tables import SILVER_TELEMETRY
from medallion.provenance import JobRun
from streaming import bronze, silver
from streaming.query import Trigger

TITLE = "Kafka to gated silver"
WHOLE = "bronze and silver jobs"
SILVER = "silver job alone"
CLOSED = "both, clocks and laps too"
PEER = "consumer + deltalake"
GOAL = 1.0


def measure(bench: Bench) -> list[Result]:
    """A race as the simulator sends it by default, then the same without any fault."""
    return [*_race(bench, faults=True), *_race(bench, faults=False)]


def _race(bench: Bench, *, faults: bool) -> list[Result]:
    data = inputs.feed(bench.pick(1_000, 20_000), faults=faults)
    kind = "framed, with repeats and late frames" if faults else "framed, clean"
    bench.say(f"row 3, {kind}: {len(data.frames):,} frames, {data.samples:,} samples, {data.impossible} impossible")
    with bench.broker() as bootstrap:
        inputs.send(data.frames, bootstrap)
        times = race([_ours(bench, bootstrap, data), _peer(bench, bootstrap, data)], bench.runs, say=bench.say)
    unit, note = Unit("samples/s"), f"{len(data.frames)} frames, {data.impossible} samples refused by both"
    return [
        compare(times, WHOLE, PEER, kind, data.samples, unit, Goal(ratio=GOAL), f"{note}; the peer writes no bronze"),
        compare(times, SILVER, PEER, kind, data.samples, unit, note=f"{note}; ours from bronze, the peer from Kafka"),
        compare(
            times,
            CLOSED,
            PEER,
            kind,
            data.samples,
            unit,
            note=f"{note}; ours also restates event times and finds laps and results",
        ),
    ]


def _ours(bench: Bench, bootstrap: str, data: inputs.Feed) -> Run:
    def run() -> dict[str, float]:
        once = Trigger(once=True)
        with bench.lake(bootstrap) as lake:
            for table in (TELEMETRY.bronze, *silver.TELEMETRY_OUTPUTS):
                lake.ensure(table)
            job = JobRun(silver.NAME)
            to_bronze = timed(lambda: bronze.start_telemetry(lake, bootstrap, once).awaitTermination())
            to_silver = timed(lambda: silver.start_telemetry(lake, job, once).awaitTermination())
            closing = timed(lambda: silver.finish_silver(lake, job))
            must_be(job.rows_in, data.samples, "units accounted for")
            must_be(job.rows_quarantined, data.impossible, "units in quarantine")
            must_be(lake.read(SILVER_TELEMETRY).count(), job.rows_out, "rows in silver")
        return {WHOLE: to_bronze + to_silver, SILVER: to_silver, CLOSED: to_bronze + to_silver + closing}

    return run


def _peer(bench: Bench, bootstrap: str, data: inputs.Feed) -> Run:
    def run() -> dict[str, float]:
        folder, found = bench.folder("peer"), []
        seconds = timed(lambda: found.append(peers.frames_to_silver(bootstrap, TELEMETRY.topic, folder)))
        shutil.rmtree(folder)
        must_be(found, [peers.Outcome(data.samples - data.impossible, data.impossible)], f"rows written by '{PEER}'")
        return {PEER: seconds}

    return run
