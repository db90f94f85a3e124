from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Message

from conf.settings import AppConfig
from infra.kafka.cluster import BrokerUnavailableError
from infra.local import broker, stack
from producers.replay.formats import ReplayFileError
from producers.replay.naming import Naming
from producers.replay.replay import ReplayTarget, replay_files
from producers.replay.report import ReplayProgress
from producers.replay.sessions import SessionError

pytestmark = pytest.mark.integration

Consume = Callable[..., list[Message]]
Write = Callable[..., Path]

ALONE = """
import sys
from pathlib import Path
from producers.replay.replay import ReplayTarget, replay_files
path, bootstrap, folder = sys.argv[1:]
replay_files([Path(path)], ReplayTarget(bootstrap), state_dir=Path(folder), speed=40.0)
"""


def by_id(messages: list[Message]) -> dict[bytes, set[bytes]]:
    values: dict[bytes, set[bytes]] = defaultdict(set)
    for message in messages:
        values[dict(message.headers())["ce_id"]].add(message.value())
    return values


def test_sent_is_acknowledged_is_consumed(running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path):
    path = write_telemetry(50_000)
    with path.open("a") as file:
        file.write("cut,off\n")
    seen: list[ReplayProgress] = []
    report = replay_files(
        [path], ReplayTarget(running.bootstrap), state_dir=tmp_path / "state", on_progress=seen.append
    )
    assert (report.sent, report.acknowledged, report.malformed_count) == (50_000, 50_000, 1)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 50_000, 50_000)
    messages = consume(running)
    assert len(messages) == 50_000
    values = by_id(messages)
    assert len(values) == 50_000
    assert {dict(message.headers())["ce_source"] for message in messages} == {b"/replay/synthetic.csv"}
    decoded = [json.loads(message.value()) for message in messages]
    assert {reading["session_id"] for reading in decoded} == {"SYNTHETIC-R1"}
    total = sum((k * 7919 % 1000) / 10 for k in range(50_000))
    assert sum(reading["telemetry_value"] for reading in decoded) == pytest.approx(total)
    for message, reading in zip(messages, decoded, strict=True):
        assert message.key() == f"{reading['session_id']}|{reading['vehicle_id']}".encode()


LAP_END = (
    "lap,meta_event,meta_session,meta_source,meta_time,outing,timestamp,vehicle_id\n"
    "4,SYNTHETIC,R1,feed,2025-01-01T00:02:01Z,0,2025-01-01T00:02:00Z,GR86-001\n"
    "3,SYNTHETIC,R1,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,GR86-001\n"
    "cut,off\n"
)
SECTORS = (
    "NUMBER; DRIVER_NUMBER; LAP_NUMBER; LAP_TIME; S1; S2; S3; ELAPSED; HOUR\n"
    "1;1;3;1:40.000;28.5;42.25;29.25;5:05.125;13:45:11.250\n"
)
RESULTS = (
    "POSITION;NUMBER;STATUS;LAPS;TOTAL_TIME;GAP_FIRST;GAP_PREVIOUS;FL_LAPNUM;FL_TIME;FL_KPH\n"
    "1;1;Classified;27;45:15.035;-;-;8;1:37.428;136.8\n"
    "2;2;Classified;26;45:17.775;1 Lap;1 Lap;7;1:37.746;136.3\n"
)
WEATHER = (
    "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP;TRACK_TEMP;HUMIDITY;PRESSURE;WIND_SPEED;WIND_DIRECTION;RAIN\n"
    "1735689600;x;29.5;0;56.75;992.5;5.04;280;0\n"
)


def write_sheets(folder: Path) -> None:
    (folder / "lap_end_R1.csv").write_text(LAP_END)
    (folder / "23_Sections_Race 1.CSV").write_text(SECTORS)
    (folder / "03_Results Race 1 Official.CSV").write_text(RESULTS)
    (folder / "26_Weather_Race 1.CSV").write_text(WEATHER)


def test_a_folder_goes_to_the_topics_of_its_contracts_and_the_same_again(
    running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path
):
    folder = tmp_path / "race"
    folder.mkdir()
    write_telemetry(400, "race/telemetry.csv")
    write_sheets(folder)
    seen: list[ReplayProgress] = []
    for _ in range(2):
        report = replay_files(
            [folder],
            ReplayTarget(running.bootstrap),
            state_dir=tmp_path / "state",
            speed=100.0,
            on_progress=seen.append,
        )
        assert (report.sent, report.acknowledged, report.malformed_count) == (406, 406, 1)
    assert {now.path.name for now in seen} == {file.path.name for file in report.files}
    counts = {}
    for topic in ("telemetry.raw", "timing.raw", "race.raw", "environment.raw"):
        messages = consume(running, topic)
        values = by_id(messages)
        assert len(messages) == 2 * len(values)
        assert all(len(contents) == 1 for contents in values.values())
        assert {json.loads(message.value())["session_id"] for message in messages} == {"SYNTHETIC-R1"}
        counts[topic] = len(values)
    assert counts == {"telemetry.raw": 400, "timing.raw": 3, "race.raw": 2, "environment.raw": 1}
    timing = consume(running, "timing.raw")
    sectors = [message for message in timing if message.key() == b"SYNTHETIC-R1|number-1"]
    laps = [message for message in timing if message.key() == b"SYNTHETIC-R1|GR86-001"]
    assert [json.loads(message.value())["lap"] for message in laps] == [3, 4, 3, 4]
    headers = dict(sectors[0].headers())
    assert headers["ce_type"] == b"slipstream.sector_times.v1"
    assert headers["ce_source"] == b"/replay/23_Sections_Race%201.CSV"
    assert headers["ce_id"].endswith(b":sector_times:2")


def test_sheets_resume_where_they_stopped(running: AppConfig, consume: Consume, tmp_path: Path):
    target, state = ReplayTarget(running.bootstrap), tmp_path / "state"
    rows = "".join(f"{k},E,R1,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,C\n" for k in range(100))
    path = tmp_path / "lap_end.csv"
    path.write_text(LAP_END.splitlines()[0] + "\n" + rows)
    replay_files([path], target, state_dir=state)
    (saved,) = state.iterdir()
    saved.write_text(saved.read_text().replace('"acknowledged": 100', '"acknowledged": 60'))
    report = replay_files([path], target, state_dir=state, resume=True)
    assert (report.files[0].resumed_from, report.sent) == (60, 40)
    messages = consume(running, "timing.raw")
    assert len(messages) == 140
    assert all(len(contents) == 1 for contents in by_id(messages).values())


def test_a_published_weekend(running: AppConfig, consume: Consume, tmp_path: Path, data_dir: Path):
    report = replay_files([data_dir / "grcup" / "vir"], ReplayTarget(running.bootstrap), state_dir=tmp_path / "state")
    assert report.sent == report.acknowledged == 368_628 + 3486
    assert len(report.skipped) == 5
    for topic, count in (("timing.raw", 3255), ("race.raw", 144), ("environment.raw", 87)):
        messages = consume(running, topic)
        assert len(by_id(messages)) == len(messages) == count
        sessions = {json.loads(message.value())["session_id"] for message in messages}
        assert sessions == {"I_R04_2025-07-20-R1", "I_R04_2025-07-20-R2"}


def test_order_of_arrival_is_kept_for_each_car(
    running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path
):
    replay_files([write_telemetry(30_000)], ReplayTarget(running.bootstrap), state_dir=tmp_path / "state")
    rows: dict[bytes, list[int]] = defaultdict(list)
    for message in consume(running):
        rows[message.key()].append(int(dict(message.headers())["ce_id"].split(b":")[1]))
    assert len(rows) == 3
    assert all(order == sorted(order) for order in rows.values())


def test_a_second_replay_sends_the_same_again(
    running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path
):
    path, target = write_telemetry(5_000), ReplayTarget(running.bootstrap)
    for resume in (False, True):  # finished, so there is nothing to resume
        assert replay_files([path], target, state_dir=tmp_path / "state", resume=resume).acknowledged == 5_000
    messages = consume(running)
    assert len(messages) == 10_000
    assert all(len(values) == 1 for values in by_id(messages).values())


def test_at_the_files_own_rate(running: AppConfig, write_telemetry: Write, tmp_path: Path):
    path = write_telemetry(1_000)  # 250 instants, 20 ms apart: 4.98 s
    begun = time.monotonic()
    report = replay_files([path], ReplayTarget(running.bootstrap), state_dir=tmp_path / "state", speed=2.0)
    assert report.acknowledged == 1_000
    assert 2.4 < report.files[0].send_s < 10
    assert time.monotonic() - begun >= report.files[0].send_s


def test_killed_and_resumed_every_row_arrives(
    running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path
):
    path, folder = write_telemetry(100_000), tmp_path / "state"  # 500 s of data: 12.5 s at 40 times the rate
    process = subprocess.Popen([sys.executable, "-c", ALONE, str(path), running.bootstrap, str(folder)])
    until = time.monotonic() + 120
    while not list(folder.glob("*.json")) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = len(consume(running))
    report = replay_files([path], ReplayTarget(running.bootstrap), state_dir=folder, resume=True)
    assert 0 < report.files[0].resumed_from <= before < 100_000
    assert report.acknowledged == report.sent == 100_000 - report.files[0].resumed_from
    messages = consume(running)
    values = by_id(messages)
    assert len(values) == 100_000
    assert all(len(contents) == 1 for contents in values.values())
    assert len(messages) == before + report.sent


def test_interrupted_it_delivers_what_it_sent_and_remembers(
    running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path
):
    path, target, folder = write_telemetry(100_000), ReplayTarget(running.bootstrap), tmp_path / "state"

    def interrupt(now: ReplayProgress) -> None:
        if now.done >= 40_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay_files([path], target, state_dir=folder, on_progress=interrupt)
    assert len(consume(running)) == 40_000
    report = replay_files([path], target, state_dir=folder, resume=True)
    assert (report.files[0].resumed_from, report.sent) == (40_000, 60_000)
    assert len(by_id(consume(running))) == 100_000


@pytest.mark.slow
def test_a_broker_gone_for_a_while_loses_nothing(
    running: AppConfig, kill_broker: Callable[[], None], consume: Consume, write_telemetry: Write, tmp_path: Path
):
    def kill_and_bring_back() -> None:
        kill_broker()
        time.sleep(5)
        stack.start_stack(running, services=[broker.NAME])

    trouble = threading.Thread(target=kill_and_bring_back)

    def start_trouble(now: ReplayProgress) -> None:
        if now.done >= 20_000 and trouble.ident is None:
            trouble.start()

    report = replay_files(
        [write_telemetry(100_000)],
        ReplayTarget(running.bootstrap),
        state_dir=tmp_path / "state",
        speed=100.0,
        on_progress=start_trouble,
    )
    trouble.join()
    assert report.acknowledged == 100_000
    messages = consume(running)
    assert len(messages) == len(by_id(messages)) == 100_000


def test_errors_come_before_anything_is_sent(
    running: AppConfig, consume: Consume, write_telemetry: Write, tmp_path: Path
):
    path, target = write_telemetry(100), ReplayTarget(running.bootstrap)
    with pytest.raises(ReplayFileError, match="no such file"):
        replay_files([path, tmp_path / "absent.csv"], target, state_dir=tmp_path / "state")
    with pytest.raises(SessionError, match="contradicts the data"):
        replay_files([path], target, state_dir=tmp_path / "state", naming=Naming(("SYNTHETIC-R9",)))
    weather = tmp_path / "elsewhere" / "26_Weather_Race 1.CSV"
    weather.parent.mkdir()
    weather.write_text(WEATHER)
    with pytest.raises(SessionError, match="name it with --session ID"):
        replay_files([path, weather], target, state_dir=tmp_path / "state")
    with pytest.raises(ValueError, match="must be a positive number"):
        replay_files([path], target, state_dir=tmp_path / "state", speed=0.0)
    assert consume(running) == []


def test_no_broker(write_telemetry: Write, tmp_path: Path):
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailableError, match=r"no Kafka broker answers at 127\.0\.0\.1:1 within 10 s"):
        replay_files([write_telemetry(100)], ReplayTarget("127.0.0.1:1"), state_dir=tmp_path / "state")
    assert time.monotonic() - begun < 20
    assert not (tmp_path / "state").exists()
