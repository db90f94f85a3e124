"""What a topic looks like now."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient


class BrokerUnreachableError(RuntimeError):
    """No broker answers, or the topic is not there."""


def partitions(bootstrap: str, topic: str, client_options: Mapping[str, str]) -> list[int]:
    """Partitions of a topic.

    Raises:
        BrokerUnreachableError: If no broker answers within ten seconds or the topic does not exist.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **client_options})
    try:
        found = admin.list_topics(topic, timeout=10).topics[topic]
    except KafkaException as error:
        raise BrokerUnreachableError(
            f"no Kafka broker answers at {bootstrap}: start one with `slipstream up`, or set KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    if found.error is not None:
        raise BrokerUnreachableError(f"the broker at {bootstrap} has no topic '{topic}': `slipstream up` creates it")
    return sorted(found.partitions)
