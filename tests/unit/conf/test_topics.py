"""Topics: created as they always were, and named by their contracts."""

from __future__ import annotations

from conf.contract import contract_names, load_contract, table_names
from conf.families import FAMILIES
from conf.settings import AppConfig
from conf.topics import TELEMETRY_DLQ, TELEMETRY_RAW, TOPICS, Topic


def test_every_event_is_sent_to_the_topic_that_its_contract_names() -> None:
    sent = {contract: topic.name for topic in TOPICS for contract in topic.contracts}
    events = set(contract_names()) - set(table_names())
    assert sent == {event: load_contract(event).properties["topic"] for event in events}


def test_every_topic_but_the_unused_one_is_of_a_family() -> None:
    assert [family.topic for family in FAMILIES] == [topic.name for topic in TOPICS if topic != TELEMETRY_DLQ]


def test_telemetry_has_the_partitions_of_the_settings_and_the_others_one() -> None:
    settings = AppConfig(kafka_partitions=12, _env_file=None)
    assert {topic.name: topic.partition_count(settings) for topic in TOPICS} == {
        "telemetry.raw": 12,
        "timing.raw": 1,
        "race.raw": 1,
        "environment.raw": 1,
        "truth.raw": 1,
        "telemetry.dlq": 1,
    }


def test_topics_leave_cleanup_and_retention_to_the_broker_unless_they_say_otherwise() -> None:
    size_and_time = {"max.message.bytes": "17825792", "message.timestamp.type": "LogAppendTime"}
    unset, week = (AppConfig(kafka_retention_hours=hours, _env_file=None) for hours in (None, 168))
    assert [topic.config(unset) for topic in TOPICS] == [size_and_time] * len(TOPICS)
    assert [topic.config(week)["retention.ms"] for topic in TOPICS] == ["604800000"] * len(TOPICS)
    compacted = Topic(name="twin.state", cleanup_policy="compact", retention_ms=60_000)
    assert (
        compacted.config(unset)
        == compacted.config(week)
        == size_and_time | {"cleanup.policy": "compact", "retention.ms": "60000"}
    )
    assert TELEMETRY_RAW.events == ("frame.v1", "reading.v1")
