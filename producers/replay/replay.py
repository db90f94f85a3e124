"""Replays published telemetry files into Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from producers.kafka import KafkaStreamer
from producers.replay.encode import EVENT_TYPE, Record, encode
from producers.replay.files import find_files
from producers.replay.pace import check_speed, due_times_s
from producers.replay.reader import Readings, read
from producers.replay.report import FileReport, ReplayProgress, ReplayReport
from producers.replay.sessions import check_session, missing_session
from producers.replay.state import ReplayState

CHUNK_ROWS = 20_000
CHECKPOINT_S = 2.0
TICK_S = 0.02

OnProgress = Callable[[ReplayProgress], None]


@dataclass(frozen=True)
class ReplayTarget:
    """Where a replay sends to.

    Attributes:
        bootstrap: Broker list.
        topic: Topic; must exist.
        client_options: More options of the Kafka client, such as those for security.
        delivery_timeout_s: How long a message is tried while the broker is away.
    """

    bootstrap: str
    topic: str = "telemetry.raw"
    client_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    delivery_timeout_s: float = 120.0


def replay(
    paths: Sequence[Path],
    target: ReplayTarget,
    *,
    state_dir: Path,
    session: str | None = None,
    speed: float | None = None,
    resume: bool = False,
    on_progress: OnProgress = lambda _: None,
) -> ReplayReport:
    """Send the readings of published files, in order of arrival, as ``reading/1``.

    Delivery order: a chunk is sent; every two seconds all that was sent is awaited; only then does the state file say
    that much is delivered. A replay that is killed therefore resumes at most some two seconds early: those readings are
    sent again with the same id and the same content, and none is left out.

    Args:
        paths: Files, or folders that are searched for telemetry files.
        target: Where to.
        state_dir: Folder of the state files that ``resume`` goes by.
        session: Session id for files that do not say theirs.
        speed: 1.0 keeps the files' rate by arrival time, 10.0 is ten times as fast, None is as fast as possible.
        resume: Go on where an unfinished replay of the same content to the same topic stopped. A finished one starts
            again from the beginning.
        on_progress: Called after each chunk.

    Raises:
        ReplayFileError: If a file is missing, damaged, of unknown form, or none holds telemetry.
        SessionError: If a session is missing where the data need it, or contradicts them.
        BrokerUnavailableError, UnknownTopicError, DeliveryError: See :class:`producers.kafka.KafkaStreamer`.
        ValueError: If the speed is not positive, or a state file is damaged.
    """
    check_speed(speed)
    check_session(session)
    files, skipped = find_files(paths)
    for path, form in files:
        if session is None and not form.has_session:
            raise missing_session(path)
    reports = [
        _replay_file(
            path, target, state_dir=state_dir, session=session, speed=speed, resume=resume, on_progress=on_progress
        )
        for path, _ in files
    ]
    return ReplayReport(tuple(reports), tuple(skipped))


def _replay_file(
    path: Path,
    target: ReplayTarget,
    *,
    state_dir: Path,
    session: str | None,
    speed: float | None,
    resume: bool,
    on_progress: OnProgress,
) -> FileReport:
    streamer = KafkaStreamer(
        target.bootstrap,
        target.topic,
        source=f"/replay/{path.name}",
        client_options=target.client_options,
        linger_ms=20.0 if speed is None else 5.0,
        delivery_timeout_s=target.delivery_timeout_s,
    )
    with streamer:
        begun = time.perf_counter()
        readings = read(path, session)
        read_s = time.perf_counter() - begun
        state = ReplayState(
            state_dir, digest=readings.digest, session=session, topic=target.topic, cluster=streamer.cluster_id
        )
        start = min(state.resume_at(), readings.frame.height) if resume else 0
        delivery = _Delivery(streamer, state, readings, start, on_progress)
        begun = time.perf_counter()
        delivery.run(speed)
        send_s = time.perf_counter() - begun
    return FileReport(
        path=path,
        form=readings.form,
        sessions=readings.sessions,
        readings=readings.frame.height,
        malformed_count=readings.malformed_count,
        malformed=readings.malformed,
        resumed_from=start,
        sent=streamer.report.sent,
        acknowledged=streamer.report.acknowledged,
        read_s=read_s,
        send_s=send_s,
    )


class _Delivery:
    """Sends the readings of one file from ``start`` on and keeps its state file."""

    def __init__(
        self, streamer: KafkaStreamer, state: ReplayState, readings: Readings, start: int, on_progress: OnProgress
    ) -> None:
        self._streamer = streamer
        self._state = state
        self._readings = readings
        self._start = start
        self._on_progress = on_progress
        self._began = self._saved_at = time.monotonic()

    def run(self, speed: float | None) -> None:
        """Send all; on the way out, by whatever door, record what was delivered."""
        frame = self._readings.frame
        due = None if speed is None else due_times_s(frame, speed)[self._start :]
        self._report(0)
        done = 0
        try:
            for records in _chunks(self._readings, self._start):
                if due is None:
                    self._send(records, done)
                else:
                    self._send_when_due(records, due, done)
                done += len(records)
        finally:
            self._checkpoint()

    def _send(self, records: Sequence[Record], done: int) -> None:
        self._streamer.send_many(records, EVENT_TYPE)
        self._report(done + len(records))
        if time.monotonic() - self._saved_at >= CHECKPOINT_S:
            self._checkpoint()

    def _send_when_due(self, records: Sequence[Record], due: NDArray[np.float64], done: int) -> None:
        sent = 0
        while sent < len(records):
            elapsed = time.monotonic() - self._began
            ready = int(np.searchsorted(due, elapsed, side="right")) - done
            if ready > sent:
                self._send(records[sent:ready], done + sent)
                sent = min(ready, len(records))
            else:
                self._streamer.poll()
                time.sleep(min(due[done + sent] - elapsed, TICK_S))

    def _report(self, done: int) -> None:
        self._on_progress(ReplayProgress(self._readings.path, self._start + done, self._readings.frame.height))

    def _checkpoint(self) -> None:
        """Wait for what was sent and record it; with a failure among it, the state stays at the last checkpoint."""
        delivered = self._streamer.flush()
        if delivered.acknowledged == delivered.sent > 0:
            self._state.save(self._readings.path.name, self._readings.frame.height, self._start + delivered.sent)
        self._saved_at = time.monotonic()


def _chunks(readings: Readings, start: int) -> Iterator[list[Record]]:
    """The records from row ``start`` on; while one chunk is being sent, the next is encoded beside it."""
    frame = readings.frame.with_columns(dialect=pl.lit(readings.form.dialect))

    def chunk(row: int) -> list[Record]:
        return list(encode(frame.slice(row, CHUNK_ROWS), readings.digest, row))

    with ThreadPoolExecutor(1, thread_name_prefix="encode") as pool:
        upcoming = pool.submit(chunk, start)
        for row in range(start, frame.height, CHUNK_ROWS):
            records = upcoming.result()
            upcoming = pool.submit(chunk, row + CHUNK_ROWS)
            yield records
