"""Replays published files into Kafka."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import polars as pl

from conf.errors import InputError
from conf.text_table import SourceFile
from conf.topics import TELEMETRY_RAW
from infra.kafka.producer import KafkaStreamer
from producers.replay.delivery import FileDelivery, FileLoad, OnProgress
from producers.replay.encode import EVENT_TYPE, Record, encode_readings
from producers.replay.files import Skipped, find_files
from producers.replay.lines import EXAMPLES
from producers.replay.naming import Naming
from producers.replay.pacing import check_speed, due_times_s
from producers.replay.placing import PlacedSheet, PlacedTelemetry
from producers.replay.plan import AS_FOUND, ReplayPlan, make_replay_plan
from producers.replay.reader import Readings, read_telemetry
from producers.replay.report import FileReport, ReplayReport
from producers.replay.state import ReplayState

CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class ReplayTarget:
    """Where a replay sends to.

    Attributes:
        bootstrap: Broker list.
        topic: Topic of telemetry; must exist, as must those that the contracts of the other events name.
        client_options: More options of the Kafka client, such as those for security.
        delivery_timeout_s: How long a message is tried while the broker is away.
    """

    bootstrap: str
    topic: str = TELEMETRY_RAW.name
    client_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    delivery_timeout_s: float = 120.0


@dataclass(frozen=True)
class _ReplayRun:
    """What holds for all files of a replay; see :func:`replay_files`."""

    target: ReplayTarget
    state_dir: Path
    speed: float | None
    resume: bool
    on_progress: OnProgress


def replay_files(
    paths: Sequence[Path],
    target: ReplayTarget,
    *,
    state_dir: Path,
    naming: Naming = AS_FOUND,
    speed: float | None = None,
    resume: bool = False,
    on_progress: OnProgress = lambda _: None,
) -> ReplayReport:
    """Send published files: lap events, sector times, results and weather first, then telemetry as ``reading/1``.

    Telemetry and lap events go in order of arrival, the rest in the order of the file. Only telemetry is paced.

    Delivery order: a chunk is sent; every two seconds all that was sent is awaited; only then does the state file say
    that much is delivered. A replay that is killed therefore resumes at most some two seconds early: those messages are
    sent again with the same id and the same content, and none is left out.

    Args:
        paths: Files, or folders that are searched for files.
        target: Where to.
        state_dir: Folder of the state files that ``resume`` goes by.
        naming: Session of files that do not say theirs, and new names of sessions and vehicles.
        speed: 1.0 keeps the telemetry files' rate by arrival time, 10.0 is ten times as fast, None is as fast as
            possible.
        resume: Go on where an unfinished replay of the same content to the same topic stopped. A finished one starts
            again from the beginning.
        on_progress: Called after each chunk.

    Raises:
        ReplayFileError: If a file is missing, of unknown form, or none can be replayed.
        TextTableError: If a file is damaged.
        SessionError: If a session is missing where the data need it, or contradicts them.
        IdentifierError: If the contracts refuse the id of a session or vehicle.
        ReplayRefusedError: If there are several of these.
        BrokerUnavailableError, UnknownTopicError, DeliveryError: See :class:`infra.kafka.producer.KafkaStreamer`.
        InputError: If the speed is not positive, or a state file is damaged.
    """
    check_speed(speed)
    plan, skipped = plan_replay(paths, naming)
    plan.check()
    run = _ReplayRun(target, state_dir, speed, resume, on_progress)
    reports = [
        *(_replay_sheet(sheet, run) for sheet in plan.sheets),
        *(_replay_telemetry(file, run) for file in plan.telemetry),
    ]
    return ReplayReport(tuple(reports), (*skipped, *plan.copies), plan.notes)


def plan_replay(paths: Sequence[Path], naming: Naming = AS_FOUND) -> tuple[ReplayPlan, list[Skipped]]:
    """What :func:`replay_files` would send, with all that keeps it from that, and the files left out.

    Raises:
        ReplayFileError: If there is no file to replay.
    """
    problems: list[InputError] = []
    found, skipped = find_files(paths, problems)
    return make_replay_plan(found, naming, problems), skipped


def _replay_sheet(placed: PlacedSheet, run: _ReplayRun) -> FileReport:
    sheet = placed.sheet
    load = FileLoad(sheet.path, sheet.event_type, len(placed.records), lambda start: [placed.records[start:]])
    with _streamer(sheet.path, sheet.topic, run) as streamer:
        state = ReplayState(
            run.state_dir,
            digest=sheet.identity.replace(":", "-"),
            session=",".join(placed.sessions),
            topic=sheet.topic,
            cluster=streamer.cluster_id,
        )
        start, send_s = _deliver(streamer, state, load, run)
    return FileReport(
        path=sheet.path,
        form=sheet.form,
        topic=sheet.topic,
        sessions=placed.sessions,
        messages=len(placed.records),
        malformed_count=len(placed.malformed),
        malformed=placed.malformed[:EXAMPLES],
        notes=placed.notes,
        resumed_from=start,
        sent=streamer.report.sent,
        acknowledged=streamer.report.acknowledged,
        send_s=send_s,
    )


def _replay_telemetry(placed: PlacedTelemetry, run: _ReplayRun) -> FileReport:
    path, topic = placed.path, run.target.topic
    with _streamer(path, topic, run) as streamer:
        readings = read_telemetry(path, placed.placement)
        due_s = None if run.speed is None else due_times_s(readings.frame, run.speed)
        load = FileLoad(path, EVENT_TYPE, readings.frame.height, partial(_chunks, readings), due_s)
        state = ReplayState(
            run.state_dir,
            digest=readings.digest,
            session=",".join(readings.sessions),
            topic=topic,
            cluster=streamer.cluster_id,
        )
        start, send_s = _deliver(streamer, state, load, run)
    return FileReport(
        path=path,
        form=readings.form,
        topic=topic,
        sessions=readings.sessions,
        messages=readings.frame.height,
        malformed_count=readings.malformed_count,
        malformed=readings.malformed,
        notes=placed.notes,
        resumed_from=start,
        sent=streamer.report.sent,
        acknowledged=streamer.report.acknowledged,
        send_s=send_s,
    )


def _streamer(path: SourceFile, topic: str, run: _ReplayRun) -> KafkaStreamer:
    return KafkaStreamer(
        run.target.bootstrap,
        topic,
        source=f"/replay/{quote(os.fsencode(path.name))}",
        client_options=run.target.client_options,
        linger_ms=20.0 if run.speed is None else 5.0,
        delivery_timeout_s=run.target.delivery_timeout_s,
    )


def _deliver(streamer: KafkaStreamer, state: ReplayState, load: FileLoad, run: _ReplayRun) -> tuple[int, float]:
    """Send a load; returns the message it began at and the seconds it took."""
    start = min(state.resume_at(), load.total) if run.resume else 0
    begun = time.perf_counter()
    FileDelivery(streamer, state, load, start, run.on_progress).run()
    return start, time.perf_counter() - begun


def _chunks(readings: Readings, start: int) -> Iterator[list[Record]]:
    """The records from row ``start`` on; while one chunk is being sent, the next is encoded beside it."""
    frame = readings.frame.with_columns(dialect=pl.lit(readings.form.dialect))

    def chunk(row: int) -> list[Record]:
        return list(encode_readings(frame.slice(row, CHUNK_ROWS), readings.digest, row))

    with ThreadPoolExecutor(1, thread_name_prefix="encode") as pool:
        upcoming = pool.submit(chunk, start)
        for row in range(start, frame.height, CHUNK_ROWS):
            records = upcoming.result()
            upcoming = pool.submit(chunk, row + CHUNK_ROWS)
            yield records
