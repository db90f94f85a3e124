"""What a replay hands to the producer, file by file; the integration tests do it with a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from infra.kafka.producer import DeliveryReport
from producers.replay.naming import Naming
from producers.replay.replay import ReplayTarget, replay_files
from producers.replay.sessions import SessionError

LAPS = "lap,meta_event,meta_session,meta_source,meta_time,outing,timestamp,vehicle_id"
TELEMETRY = (
    "lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,telemetry_name,telemetry_value,timestamp,"
    "vehicle_id,vehicle_number"
)
WEATHER = "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP;TRACK_TEMP;HUMIDITY;PRESSURE;WIND_SPEED;WIND_DIRECTION;RAIN"


@dataclass
class Streamer:
    """Keeps what it is given."""

    bootstrap: str
    topic: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)
    sent: list[tuple[bytes, bytes, bytes, str]] = field(default_factory=list)
    cluster_id: str = "c"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def send_many(self, records: Iterable[tuple[bytes, bytes, bytes]], event_type: str) -> None:
        self.sent += [(*record, event_type) for record in records]

    def flush(self) -> DeliveryReport:
        return self.report

    @property
    def report(self) -> DeliveryReport:
        return DeliveryReport(len(self.sent), len(self.sent), 0, 0, 0.0, ())


@pytest.fixture
def streamers(monkeypatch: pytest.MonkeyPatch) -> list[Streamer]:
    """The producers of a replay, in order."""
    made: list[Streamer] = []

    def make(bootstrap: str, topic: str, *, source: str, **options: Any) -> Streamer:
        made.append(Streamer(bootstrap, topic, source, options))
        return made[-1]

    monkeypatch.setattr("producers.replay.replay.KafkaStreamer", make)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One race: telemetry, lap events of which one line is cut, weather; best laps."""
    files = {
        "R1_telemetry.csv": [TELEMETRY, "3,E,R1,feed,2025-01-01T00:00:01Z,C,0,aps,1.5,2025-01-01T00:00:00Z,C,7"],
        "lap end R1.csv": [
            LAPS,
            *(f"{k},E,R1,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,C" for k in range(3)),
            "cut",
        ],
        "Weather_R1.csv": [WEATHER, "1735689600;x;29.5;0;56.75;992.5;5.04;280;0"],
        "best.csv": ["NUMBER;BESTLAP_1", "7;1:37.428"],
    }
    (tmp_path / "race").mkdir()
    for name, lines in files.items():
        (tmp_path / "race" / name).write_text("\n".join(lines) + "\n")
    return tmp_path / "race"


def test_sheets_first_and_each_to_the_topic_of_its_contract(streamers: list[Streamer], folder: Path, tmp_path: Path):
    report = replay_files([folder], ReplayTarget("b", "my.telemetry"), state_dir=tmp_path / "state")
    assert [(each.topic, each.source, len(each.sent)) for each in streamers] == [
        ("environment.raw", "/replay/Weather_R1.csv", 1),
        ("timing.raw", "/replay/lap%20end%20R1.csv", 3),
        ("my.telemetry", "/replay/R1_telemetry.csv", 1),
    ]
    assert [each.sent[0][3] for each in streamers] == [
        "slipstream.weather.v1",
        "slipstream.lap_end.v1",
        "slipstream.reading.v1",
    ]
    assert {json.loads(value)["session_id"] for each in streamers for _, value, _, _ in each.sent} == {"E-R1"}
    assert (report.sent, report.acknowledged, report.malformed_count) == (5, 5, 1)
    assert [(file.unit, file.messages, len(file.notes)) for file in report.files] == [
        ("events", 1, 1),
        ("events", 3, 0),
        ("readings", 1, 0),
    ]
    assert [path.name for path, _ in report.skipped] == ["best.csv"]


def test_a_second_replay_sends_the_same_again(streamers: list[Streamer], folder: Path, tmp_path: Path):
    for _ in range(2):
        replay_files([folder], ReplayTarget("b"), state_dir=tmp_path / "state", resume=True)
    assert [each.sent for each in streamers[:3]] == [each.sent for each in streamers[3:]]


def test_an_unfinished_one_goes_on(streamers: list[Streamer], folder: Path, tmp_path: Path):
    path = folder / "lap end R1.csv"
    replay_files([path], ReplayTarget("b"), state_dir=tmp_path / "state")
    (saved,) = (tmp_path / "state").iterdir()
    saved.write_text(saved.read_text().replace('"acknowledged": 3', '"acknowledged": 2'))
    report = replay_files([path], ReplayTarget("b"), state_dir=tmp_path / "state", resume=True)
    assert (report.files[0].resumed_from, report.sent) == (2, 1)
    assert streamers[1].sent == streamers[0].sent[2:]


def test_each_form_and_session_has_a_state_of_its_own(streamers: list[Streamer], folder: Path, tmp_path: Path):
    text = "\n".join([LAPS, "1,,,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,C"])
    (folder / "lap end R1.csv").unlink()
    for name in ("lap_start.csv", "lap_end.csv"):
        (folder / name).write_text(text)
        for session in ("a", "b"):
            replay_files([folder / name], ReplayTarget("b"), state_dir=tmp_path / "state", naming=Naming((session,)))
    assert len(list((tmp_path / "state").iterdir())) == 4
    assert len({each.sent[0][2] for each in streamers}) == 2


def test_nothing_is_sent_when_a_session_is_missing(streamers: list[Streamer], folder: Path, tmp_path: Path):
    (tmp_path / "alone").mkdir()
    (folder / "Weather_R1.csv").rename(tmp_path / "alone" / "Weather_R1.csv")
    with pytest.raises(SessionError, match="name it with --session ID"):
        replay_files([folder, tmp_path / "alone"], ReplayTarget("b"), state_dir=tmp_path / "state")
    assert streamers == []
