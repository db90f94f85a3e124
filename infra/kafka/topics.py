"""The Kafka topics and what a client can learn about a cluster."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from conf.failures import user_message
from conf.plain_console import PlainConsole
from conf.plain_text import show_controls
from conf.settings import AppConfig, get_settings
from conf.topics import TOPICS
from infra.kafka.client_options import librdkafka_options
from infra.kafka.cluster import (
    ANSWER_TIMEOUT_S,
    BrokerUnavailableError,
    ClientErrors,
    UnknownTopicError,
    ask_cluster,
    make_client,
)

_RETENTION: Final = "retention.ms"


def partition_counts(settings: AppConfig) -> dict[str, int]:
    """Every topic in use and how many partitions it gets when it is created."""
    return {topic.name: topic.partition_count(settings) for topic in TOPICS}


def cluster_metadata(
    bootstrap: str, client_options: Mapping[str, str] | None = None, timeout_s: float = ANSWER_TIMEOUT_S
) -> ClusterMetadata:
    """Brokers and topics of a cluster.

    Args:
        bootstrap: Where the cluster is.
        client_options: Options of librdkafka's client.
        timeout_s: How long to ask.

    Raises:
        BrokerUnavailableError: If no broker answers in time, or it refuses this client.
    """
    admin, errors = _admin(bootstrap, client_options)
    return ask_cluster(admin, bootstrap, errors, timeout_s)


def fetch_cluster_id(bootstrap: str) -> str | None:
    """Id of the cluster that answers there without security, as the local one does; ``None`` if none does."""
    try:
        return str(cluster_metadata(bootstrap, timeout_s=2.0).cluster_id)
    except BrokerUnavailableError:
        return None


def ensure_topics(
    settings: AppConfig, bootstrap: str, client_options: Mapping[str, str] | None = None, timeout_s: float = 30.0
) -> list[str]:
    """Create the topics that are missing; those there are left as they are, whatever their partitions.

    Args:
        settings: For the number of partitions.
        bootstrap: Where the cluster is.
        client_options: Options of librdkafka's client.
        timeout_s: For each request.

    Returns:
        The names of those created.

    Raises:
        BrokerUnavailableError: If the cluster cannot be reached.
        KafkaException: If it refuses.
    """
    admin, errors = _admin(bootstrap, client_options)
    existing = ask_cluster(admin, bootstrap, errors, timeout_s).topics
    wanted = [
        NewTopic(topic.name, num_partitions=topic.partition_count(settings), config=topic.config(settings))
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


def apply_retention(settings: AppConfig, bootstrap: str, client_options: Mapping[str, str]) -> list[str]:
    """Tell the topics how long to keep messages, as far as the settings say so.

    Args:
        settings: Say how long.
        bootstrap: Where the cluster is.
        client_options: Options of librdkafka's client.

    Returns:
        Names of the topics that kept them for another time before.

    Raises:
        BrokerUnavailableError: If no broker answers, or it refuses this client.
        KafkaException: If it refuses to be told.
    """
    admin, errors = _admin(bootstrap, client_options)
    existing = ask_cluster(admin, bootstrap, errors, ANSWER_TIMEOUT_S).topics
    wanted = {
        topic.name: str(kept_ms)
        for topic in TOPICS
        if topic.name in existing and (kept_ms := topic.kept_ms(settings)) is not None
    }
    if not wanted:
        return []
    told = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted])
    found = {resource.name: future.result(timeout=ANSWER_TIMEOUT_S) for resource, future in told.items()}
    others = [name for name, kept_ms in wanted.items() if found[name][_RETENTION].value != kept_ms]
    changes = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in others]
    for change in changes:
        entry = ConfigEntry(_RETENTION, wanted[change.name], incremental_operation=AlterConfigOpType.SET)
        change.add_incremental_config(entry)
    for future in (admin.incremental_alter_configs(changes) if changes else {}).values():
        future.result(timeout=ANSWER_TIMEOUT_S)
    return others


def topic_partitions(bootstrap: str, topic: str, client_options: Mapping[str, str]) -> list[int]:
    """Partitions of a topic.

    Args:
        bootstrap: Where the cluster is.
        topic: Its name.
        client_options: Options of librdkafka's client.

    Raises:
        BrokerUnavailableError: If no broker answers, or it refuses this client.
        UnknownTopicError: If the topic does not exist.
    """
    found = cluster_metadata(bootstrap, client_options).topics.get(topic)
    if found is None:
        raise UnknownTopicError(f"the broker at {bootstrap} has no topic '{topic}': `slipstream up` creates it")
    return sorted(found.partitions)


@dataclass(frozen=True)
class TopicSpan:
    """Messages of a topic, added up over its partitions.

    Attributes:
        gone: Those that it has given up.
        sent: Those that were ever sent to it.
    """

    gone: int
    sent: int


def topic_span(bootstrap: str, topic: str, client_options: Mapping[str, str]) -> TopicSpan:
    """How many messages a topic has, and has had.

    Raises:
        BrokerUnavailableError: If no broker answers, or it refuses this client.
        KafkaException: If it does not say.
    """
    offsets = (_offsets(bootstrap, topic, client_options, at) for at in (OffsetSpec.earliest(), OffsetSpec.latest()))
    return TopicSpan(*(sum(found.values()) for found in offsets))


def first_offsets(bootstrap: str, topic: str, client_options: Mapping[str, str]) -> dict[int, int]:
    """Offset of the first message that a topic still has, by partition.

    Raises:
        BrokerUnavailableError: If no broker answers, or it refuses this client.
        KafkaException: If it does not say.
    """
    return _offsets(bootstrap, topic, client_options, OffsetSpec.earliest())


def _offsets(bootstrap: str, topic: str, client_options: Mapping[str, str], at: OffsetSpec) -> dict[int, int]:
    numbers = topic_partitions(bootstrap, topic, client_options)
    admin, _ = _admin(bootstrap, client_options)
    asked = admin.list_offsets({TopicPartition(topic, number): at for number in numbers})
    return {place.partition: future.result(timeout=ANSWER_TIMEOUT_S).offset for place, future in asked.items()}


def _admin(bootstrap: str, client_options: Mapping[str, str] | None) -> tuple[AdminClient, ClientErrors]:
    """A client, to be kept in a variable: its futures die with it; and what it will report."""
    # Level 0: that nobody answers is this module's result, not something to print while waiting for a broker.
    errors = ClientErrors()
    options = {"log_level": 0, **(client_options or {}), "bootstrap.servers": bootstrap, "error_cb": errors}
    return make_client(AdminClient, options), errors


def main() -> int:
    """Create the topics on the cluster that the settings name, such as a managed one.

    Returns:
        The exit code: 1 after an error that the user can mend, which is one line on stderr.
    """
    try:
        settings = get_settings()
        created = ensure_topics(settings, settings.bootstrap, librdkafka_options(settings), ANSWER_TIMEOUT_S)
    except Exception as error:
        if (message := user_message(error)) is None:
            raise
        sys.stderr.write(f"{show_controls(message)}\n")
        return 1
    PlainConsole().print(f"{settings.bootstrap}: created {', '.join(created) or 'nothing, all topics are there'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
