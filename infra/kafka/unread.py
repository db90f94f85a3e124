"""How many messages of topics have not been read yet, and when the oldest of them arrived."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, TopicPartition

from infra.kafka.cluster import ANSWER_TIMEOUT_S, ClientErrors

Offsets = Mapping[str, Mapping[int, int]]
"""First offset that has not been read, by topic and partition."""
_FEW: Final = {
    "fetch.message.max.bytes": 65_536,  # a single message is looked at, and fetched whole however large it is
    "queued.min.messages": 1,
    "queued.max.messages.kbytes": 64,
}


@dataclass(frozen=True)
class Unread:
    """Messages of topics from given offsets on.

    Attributes:
        messages: How many there are.
        oldest_s: When the oldest arrived at the broker, seconds since the epoch; ``None`` where there is none, or the
            topics keep the producers' time in place of the broker's.
    """

    messages: int
    oldest_s: float | None


class UnreadMessages:
    """Looks at topics as a client of its own, without a group and without committing anything.

    Args:
        bootstrap: Broker list.
        client_options: Options of librdkafka's client.
    """

    def __init__(self, bootstrap: str, client_options: Mapping[str, str]) -> None:
        options = {"log_level": 0, "enable.auto.commit": False, **_FEW, **client_options, "error_cb": ClientErrors()}
        self._consumer = Consumer({**options, "bootstrap.servers": bootstrap, "group.id": "slipstream-progress"})

    def measure(self, offsets: Offsets, timeout_s: float = ANSWER_TIMEOUT_S) -> Unread:
        """Count what has not been read.

        Args:
            offsets: Where reading goes on.
            timeout_s: How long a broker has for each answer.

        Raises:
            KafkaException: If no broker answers.
        """
        messages, waiting = 0, []
        for topic, partitions in offsets.items():
            for number, offset in partitions.items():
                low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=timeout_s)
                first = max(low, offset)
                if high > first:
                    messages += high - first
                    waiting.append(TopicPartition(topic, number, first))
        return Unread(messages, self._oldest_s(waiting, timeout_s))

    def _oldest_s(self, waiting: list[TopicPartition], timeout_s: float) -> float | None:
        """When the oldest of the first messages of partitions arrived."""
        if not waiting:
            return None
        times: list[tuple[int, int]] = []
        until = time.monotonic() + timeout_s
        self._consumer.assign(waiting)
        try:
            missing = {(place.topic, place.partition) for place in waiting}
            while missing and (left_s := until - time.monotonic()) > 0:
                message = self._consumer.poll(left_s)
                place = None if message is None or message.error() else (message.topic(), message.partition())
                if place in missing:
                    missing.remove(place)
                    self._consumer.incremental_unassign([TopicPartition(*place)])
                    times.append(message.timestamp())
        finally:
            self._consumer.unassign()
        if missing or any(kind != TIMESTAMP_LOG_APPEND_TIME for kind, _ in times):
            return None
        return min(ms for _, ms in times) / 1000

    def close(self) -> None:
        """End the client."""
        self._consumer.close()
