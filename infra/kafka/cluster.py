"""Whether a cluster answers, and why not: asked before anything is begun that needs one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ClusterMetadata

from conf.errors import InputError, SlipstreamError

Client = TypeVar("Client")
ANSWER_TIMEOUT_S: Final = 5.0
"""How long a cluster has to answer the first question."""
_REFUSED: Final = (KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED)


class BrokerUnavailableError(SlipstreamError, ConnectionError):
    """No broker answers, or it refuses this client; the message says why and names the settings."""


class UnknownTopicError(SlipstreamError, LookupError):
    """The broker has no such topic."""


class ClientErrors:
    """What a client reports beside its answers; given to it as ``error_cb``.

    Attributes:
        last: The latest, as text.
        is_refused: Whether a broker did answer and did not accept who this is, or the other way round.
    """

    def __init__(self) -> None:
        self.last = ""
        self.is_refused = False

    def __call__(self, error: Any) -> None:
        """Note one."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self.last:
            return  # what the brokers themselves said tells more
        self.last = error.str()
        self.is_refused = self.is_refused or error.code() in _REFUSED


def make_client(kind: Callable[[Mapping[str, Any]], Client], options: Mapping[str, Any]) -> Client:
    """A client of librdkafka's.

    Args:
        kind: Its class.
        options: What it is given.

    Raises:
        InputError: If it does not know an option, or not such a value of it.
    """
    try:
        return kind(options)
    except KafkaException as error:
        said = error.args[0].str() if hasattr(error.args[0], "str") else error
        raise InputError(f"KAFKA_CONFIG, or another setting of Kafka's: {said}") from error
    except (TypeError, ValueError) as error:  # a name that stands for a function, or a text that is no UTF-8
        raise InputError(
            f"KAFKA_CONFIG, or another setting of Kafka's, cannot be used: {type(error).__name__}"
        ) from None


def ask_cluster(client: Any, bootstrap: str, errors: ClientErrors, timeout_s: float) -> ClusterMetadata:
    """Brokers and topics of a cluster.

    Args:
        client: A producer or an admin client; it is to outlive the answer.
        bootstrap: Where it looks, for the message.
        errors: What it was given as ``error_cb``.
        timeout_s: How long to ask. One that refuses this client is asked no more.

    Raises:
        BrokerUnavailableError: If none answers in time.
    """
    until = time.monotonic() + timeout_s
    while True:
        try:
            found: ClusterMetadata = client.list_topics(timeout=min(1.0, timeout_s))
        except KafkaException as error:
            client.poll(0)
            if errors.is_refused:
                raise BrokerUnavailableError(
                    f"the Kafka broker at {bootstrap} and this client do not accept each other: {errors.last}; check "
                    "KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, _USERNAME, _PASSWORD and KAFKA_SSL_CA"
                ) from error
            if time.monotonic() >= until:
                said = f"{error.args[0].str()} ({errors.last})" if errors.last else error.args[0].str()
                raise BrokerUnavailableError(
                    f"no Kafka broker answers at {bootstrap} within {timeout_s:g} s: {said}; start the local one with "
                    "`slipstream up`, or set KAFKA_BOOTSTRAP_SERVERS (and KAFKA_SECURITY_PROTOCOL for one that is "
                    "protected)"
                ) from error
        else:
            return found
