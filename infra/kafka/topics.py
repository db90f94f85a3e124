"""The Kafka topics and what a client can learn about a cluster."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic
from rich.console import Console

from conf.errors import SlipstreamError
from conf.settings import AppConfig, get_settings
from conf.topics import TOPICS


def partition_counts(settings: AppConfig) -> dict[str, int]:
    """Every topic in use and how many partitions it gets when it is created."""
    return {topic.name: topic.partition_count(settings) for topic in TOPICS}


def cluster_metadata(
    bootstrap: str, kafka_config: Mapping[str, str] | None = None, timeout_s: float = 5.0
) -> ClusterMetadata | None:
    """Ask a cluster for its brokers and topics; ``None`` if it does not answer in time."""
    admin = _admin(bootstrap, kafka_config)  # in a variable: its futures die with it
    try:
        return admin.list_topics(timeout=timeout_s)
    except KafkaException:
        return None


def fetch_cluster_id(bootstrap: str, kafka_config: Mapping[str, str] | None = None) -> str | None:
    """Id of the cluster that answers there; ``None`` if none does."""
    found = cluster_metadata(bootstrap, kafka_config, timeout_s=2.0)
    return None if found is None else found.cluster_id


def ensure_topics(settings: AppConfig, bootstrap: str, timeout_s: float = 30.0) -> list[str]:
    """Create the topics that are missing; those there are left as they are, whatever their partitions.

    Args:
        settings: For the number of partitions and the client options.
        bootstrap: Where the cluster is.
        timeout_s: For each request.

    Returns:
        The names of those created.

    Raises:
        KafkaException: If the cluster cannot be reached or refuses.
    """
    admin = _admin(bootstrap, settings.kafka_config)
    existing = admin.list_topics(timeout=timeout_s).topics
    wanted = [
        NewTopic(topic.name, num_partitions=topic.partition_count(settings), config=topic.config)
        for topic in TOPICS
        if topic.name not in existing
    ]
    futures = admin.create_topics(wanted, operation_timeout=timeout_s) if wanted else {}
    created = []
    for name, future in futures.items():
        try:
            future.result(timeout=timeout_s)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster
                raise
    return created


def _admin(bootstrap: str, kafka_config: Mapping[str, str] | None) -> AdminClient:
    # Level 0: that nobody answers is this module's result, not something to print while waiting for a broker.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": "0", **(kafka_config or {})})


class BrokerUnreachableError(SlipstreamError):
    """No broker answers, or the topic is not there."""


def topic_partitions(bootstrap: str, topic: str, client_options: Mapping[str, str]) -> list[int]:
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


def main() -> None:
    """Create the topics on the cluster that the settings name, such as a managed one."""
    settings = get_settings()
    created = ensure_topics(settings, settings.bootstrap)
    Console().print(f"{settings.bootstrap}: created {', '.join(created) or 'nothing, all topics are there'}")


if __name__ == "__main__":
    main()
