from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import pytest
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource

from conf.settings import AppConfig
from conf.topics import TOPICS
from infra.kafka.cluster import UnknownTopicError
from infra.kafka.producer import DeliveryError, KafkaStreamer
from infra.kafka.topics import apply_retention, topic_partitions, topic_span
from infra.kafka.unread import Unread, UnreadMessages
from infra.local import broker, stack

pytestmark = pytest.mark.integration


def test_headers_key_and_counts(running: AppConfig, consume: Callable[[AppConfig], list[Message]]):
    with KafkaStreamer(running.bootstrap, source="/simulator/1") as streamer:
        streamer.send(b"s|car", b"{}", "slipstream.frame.v1", "1:0", 1_735_689_600_000_042)
        streamer.send_many([(b"s|car", b"[1]", b"1:1"), (b"s|other", b"[2]", b"1:2")], "slipstream.reading.v1")
    report = streamer.report
    assert (report.sent, report.acknowledged, report.failed, report.bytes) == (3, 3, 0, 8)
    arrived = sorted(consume(running), key=lambda message: dict(message.headers())["ce_id"])
    assert [message.key() for message in arrived] == [b"s|car", b"s|car", b"s|other"]
    assert [message.value() for message in arrived] == [b"{}", b"[1]", b"[2]"]
    assert dict(arrived[0].headers()) == {
        "ce_specversion": b"1.0",
        "ce_type": b"slipstream.frame.v1",
        "ce_source": b"/simulator/1",
        "ce_id": b"1:0",
        "ce_time": b"2025-01-01T00:00:00.000042Z",
        "content-type": b"application/json",
    }
    sent_at = datetime.fromisoformat(dict(arrived[1].headers())["ce_time"].decode())
    assert abs(sent_at.timestamp() - time.time()) < 60


def test_what_is_unread_is_counted_and_its_age_known(running: AppConfig):
    began = time.time()
    with KafkaStreamer(running.bootstrap, source="/test") as streamer:
        streamer.send_many(((b"k%d" % (k % 7), b"x" * 500, b"%d" % k) for k in range(1_000)), "t")
    sent = topic_span(running.bootstrap, "telemetry.raw", {}).sent
    topic = UnreadMessages(running.bootstrap, {})
    numbers = topic_partitions(running.bootstrap, "telemetry.raw", {})
    nothing_read = topic.measure({"telemetry.raw": dict.fromkeys(numbers, 0)})
    assert nothing_read.messages == sent == 1_000
    assert began - 1 < nothing_read.oldest_s < time.time() + 1
    ends = {part.partition: part.offset for part in ends_of(running)}
    assert topic.measure({"telemetry.raw": ends}) == Unread(0, None)
    time.sleep(1.5)
    last = time.time()
    with KafkaStreamer(running.bootstrap, source="/test") as streamer:
        streamer.send_many([(b"k0", b"late", b"1000"), (b"k0", b"later", b"1001")], "t")
    late = topic.measure({"telemetry.raw": ends})
    assert late.messages == 2
    assert last - 1 < late.oldest_s < last + 1, "the broker's time of the first of them"
    topic.close()
    with pytest.raises(KafkaException):
        UnreadMessages("127.0.0.1:1", {}).measure({"telemetry.raw": {0: 0}}, timeout_s=0.2)


def test_topics_are_told_how_long_to_keep_messages(running: AppConfig):
    assert apply_retention(running, running.bootstrap, {}) == [], "the settings say nothing"
    day = running.model_copy(update={"kafka_retention_hours": 24})
    assert set(apply_retention(day, running.bootstrap, {})) == {topic.name for topic in TOPICS}
    assert apply_retention(day, running.bootstrap, {}) == []
    resource = ConfigResource(ConfigResource.Type.TOPIC, "telemetry.raw")
    admin = AdminClient({"bootstrap.servers": running.bootstrap})
    (found,) = admin.describe_configs([resource]).values()
    told = found.result()
    assert told["retention.ms"].value == "86400000"
    assert told["message.timestamp.type"].value == "LogAppendTime", "what else the topic was told stays"


def ends_of(settings: AppConfig) -> list[TopicPartition]:
    """Offset behind the last message of each partition."""
    consumer = Consumer({"bootstrap.servers": settings.bootstrap, "group.id": "test"})
    parts = [TopicPartition("telemetry.raw", n) for n in topic_partitions(settings.bootstrap, "telemetry.raw", {})]
    found = [TopicPartition(p.topic, p.partition, consumer.get_watermark_offsets(p)[1]) for p in parts]
    consumer.close()
    return found


def test_a_full_queue_waits_and_loses_nothing(running: AppConfig, consume: Callable[[AppConfig], list[Message]]):
    small = {"queue.buffering.max.messages": "100"}
    with KafkaStreamer(running.bootstrap, source="/test", client_options=small) as streamer:
        streamer.send_many(((b"k", b"%d" % k, b"%d" % k) for k in range(5_000)), "t")
        for k in range(5_000, 6_000):
            streamer.send(b"k", b"%d" % k, "t", str(k))
    assert streamer.report.acknowledged == 6_000
    assert [int(message.value()) for message in consume(running)] == list(range(6_000))


def test_unknown_topic_and_too_large_a_message(running: AppConfig):
    with pytest.raises(UnknownTopicError, match=r"topic 'nowhere' does not exist .*telemetry\.raw.*slipstream up"):
        KafkaStreamer(running.bootstrap, "nowhere", source="/test").__enter__()
    streamer = KafkaStreamer(running.bootstrap, source="/test")

    def send_two() -> None:
        with streamer:
            streamer.send(b"k", b"fits" * 3_000_000, "t", "0")
            streamer.send(b"k", b"large" * 4_000_000, "t", "1")

    with pytest.raises(DeliveryError, match=r"1 of 2 messages were not delivered .* 20000000 bytes for key"):
        send_two()
    assert (streamer.report.sent, streamer.report.acknowledged, streamer.report.failed) == (2, 1, 1)


def test_an_exception_on_the_way_still_delivers_what_was_sent(
    running: AppConfig, consume: Callable[[AppConfig], list[Message]]
):
    streamer = KafkaStreamer(running.bootstrap, source="/test")

    def send_and_stop() -> None:
        with streamer:
            streamer.send_many([(b"k", b"v", b"%d" % k) for k in range(1_000)], "t")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_and_stop()
    assert streamer.report.acknowledged == 1_000
    assert len(consume(running)) == 1_000


@pytest.mark.slow
def test_a_broker_that_is_gone_for_a_while_loses_nothing(
    running: AppConfig, kill_broker: Callable[[], None], consume: Callable[[AppConfig], list[Message]]
):
    def kill_and_bring_back() -> None:
        kill_broker()
        time.sleep(5)
        stack.start_stack(running, services=[broker.NAME])

    trouble = threading.Thread(target=kill_and_bring_back)
    with KafkaStreamer(running.bootstrap, source="/test") as streamer:
        for k in range(60_000):
            if k == 20_000:
                trouble.start()
            streamer.send(b"key-%d" % (k % 7), b"%d" % k, "t", str(k))
            if k % 100 == 0:
                time.sleep(0.01)
        trouble.join()
    assert (streamer.report.sent, streamer.report.acknowledged) == (60_000, 60_000)
    values = [int(message.value()) for message in consume(running)]
    assert sorted(values) == list(range(60_000))  # none lost, none doubled


@pytest.mark.slow
def test_a_broker_that_stays_away_is_an_error_with_counts(running: AppConfig, kill_broker: Callable[[], None]):
    streamer = KafkaStreamer(running.bootstrap, source="/test", delivery_timeout_s=5.0)

    def send_around_the_kill() -> None:
        with streamer:
            for k in range(20):
                if k == 10:
                    streamer.flush()
                    kill_broker()
                streamer.send(b"k", b"v", "t", str(k))

    with pytest.raises(DeliveryError, match=r"10 of 20 messages were not delivered \(10 acknowledged\)"):
        send_around_the_kill()
    assert (streamer.report.sent, streamer.report.failed) == (20, 10)
