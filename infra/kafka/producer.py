"""Sending to Kafka: the one module that knows the producer's options."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaException, Producer

from conf.errors import SlipstreamError
from conf.topics import MAX_VALUE_BYTES, TELEMETRY_RAW
from infra.kafka.cluster import ClientErrors, UnknownTopicError, ask_cluster, make_client

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # the client reports each attempt; what comes of them all is one error, or none

POLL_EVERY = 500  # messages between two looks at delivery reports; also how often ce_time is taken anew in a batch
FLUSH_SLICE_S = 0.2  # so that an interrupt is seen while waiting for the broker
KEPT_ERRORS = 10


@dataclass(frozen=True)
class DeliveryReport:
    """What became of the messages sent so far; final after :meth:`KafkaStreamer.flush`.

    Attributes:
        sent: Messages handed over.
        acknowledged: Of these, the ones that all in-sync replicas have.
        failed: Of these, the ones that were given up.
        bytes: Size of the values sent, before compression.
        elapsed_s: Time since the streamer was entered.
        errors: The first few failures.
    """

    sent: int
    acknowledged: int
    failed: int
    bytes: int
    elapsed_s: float
    errors: tuple[str, ...]


class DeliveryError(SlipstreamError):
    """Messages could not be delivered.

    Attributes:
        report: The counts.
    """

    def __init__(self, report: DeliveryReport) -> None:
        first = report.errors[0] if report.errors else "cause unknown"
        lost = report.sent - report.acknowledged
        super().__init__(
            f"{lost} of {report.sent} messages were not delivered ({report.acknowledged} acknowledged): {first}"
        )
        self.report = report


class KafkaStreamer:
    """Sends events to one topic, asynchronously and without loss.

    The producer is idempotent and waits for all in-sync replicas; a full queue makes :meth:`send` wait. While the
    broker is away messages are tried again for ``delivery_timeout_s``. Headers are CloudEvents 1.0 in Kafka's binary
    mode.

    Delivery reports are asked for failures only, since a report for each message costs a third of the rate: what was
    sent, has not failed and is no longer in the producer's queue is acknowledged.

    Args:
        bootstrap: Broker list.
        topic: Topic; must exist.
        source: ``ce_source`` of all events, e.g. ``/simulator/1``.
        client_options: More options of librdkafka's client, such as those for security; they win over the tuning here,
            not over what the guarantees rest on.
        linger_ms: How long a batch may wait to fill.
        delivery_timeout_s: How long a message is tried before it counts as failed.
        connect_timeout_s: How long to look for a broker at the start.

    Example::

        with KafkaStreamer("127.0.0.1:9092", source="/simulator/1") as streamer:
            streamer.send(b"sim-1|car-1", payload, "slipstream.frame.v1", "sim-1:0")
        print(streamer.report.acknowledged)
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str = TELEMETRY_RAW.name,
        *,
        source: str,
        client_options: Mapping[str, str] | None = None,
        linger_ms: float = 20.0,
        delivery_timeout_s: float = 120.0,
        connect_timeout_s: float = 10.0,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._connect_timeout_s = connect_timeout_s
        self._options: dict[str, Any] = {
            "linger.ms": linger_ms,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",  # the JVM clients' choice, so a key lands in one partition from either
            "message.max.bytes": MAX_VALUE_BYTES,
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 256 * 1024,
            "message.timeout.ms": int(delivery_timeout_s * 1000),
            **(client_options or {}),
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "delivery.report.only.error": True,
            "on_delivery": self._on_failure,
            "error_cb": self._on_error,
            "logger": log,
        }
        self._fixed_headers: list[tuple[str, bytes | str]] = [
            ("ce_specversion", b"1.0"),
            ("ce_source", source.encode()),
            ("content-type", b"application/json"),
        ]
        self._headers: dict[str, list[tuple[str, bytes | str]]] = {}
        self._producer: Any = None
        self._produce: Callable[..., None] = self._not_connected
        self._cluster_id = ""
        self._sent = self._failed = self._bytes = 0
        self._errors: list[str] = []
        self._client_errors = ClientErrors()
        self._started = 0.0
        self._time_second = -1
        self._time_prefix = b""

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            InputError: If an option is none of the client's.
            BrokerUnavailableError: If no broker answers in time.
            UnknownTopicError: If it has no such topic.
        """
        self._producer = make_client(Producer, self._options)
        cluster = ask_cluster(self._producer, self._bootstrap, self._client_errors, self._connect_timeout_s)
        self._check_topic(cluster.topics)
        self._cluster_id = str(cluster.cluster_id)
        self._produce = self._producer.produce
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was sent, also when leaving by an exception or Ctrl-C.

        Raises:
            DeliveryError: If any message was not delivered.
        """
        self.flush()
        if self.report.acknowledged == self._sent and not self._failed:
            return
        if error is None or isinstance(error, DeliveryError):
            raise DeliveryError(self.report) from error
        error.add_note(str(DeliveryError(self.report)))

    @property
    def cluster_id(self) -> str:
        """Id of the cluster, which stays the same when its address changes; empty before it is entered."""
        return self._cluster_id

    @property
    def report(self) -> DeliveryReport:
        """The counts up to now."""
        waiting = len(self._producer) if self._producer is not None else 0
        elapsed = time.perf_counter() - self._started
        done = max(self._sent - self._failed - waiting, 0)
        return DeliveryReport(self._sent, done, self._failed, self._bytes, elapsed, tuple(self._errors))

    def send(self, key: bytes, value: bytes, event_type: str, event_id: str, time_us: int | None = None) -> None:
        """Send one event.

        Args:
            key: ``session_id|vehicle_id``.
            value: The payload.
            event_type: ``ce_type``, e.g. ``slipstream.frame.v1``.
            event_id: ``ce_id``: producer and sequence.
            time_us: When it is sent, microseconds since the epoch; now if left out.

        Raises:
            DeliveryError: If this or an earlier message failed for good.
        """
        stamp = self._rfc3339(time.time_ns() // 1000 if time_us is None else time_us)
        headers = [*self._headers_of(event_type), ("ce_time", stamp), ("ce_id", event_id)]
        try:
            self._produce(self._topic, value, key, headers=headers)
        except (BufferError, KafkaException):
            self._put(key, value, headers)
        self._sent += 1
        self._bytes += len(value)
        if self._sent % POLL_EVERY == 0:
            self._poll(0)

    def send_many(self, records: Iterable[tuple[bytes, bytes, bytes]], event_type: str) -> None:
        """Send many events of one type, given as ``(key, value, event id)``; faster than :meth:`send` for each.

        Raises:
            DeliveryError: If one of these or an earlier message failed for good.
        """
        fixed, produce, topic = self._headers_of(event_type), self._produce, self._topic
        count = size = 0
        try:
            for key, value, event_id in records:
                if count % POLL_EVERY == 0:
                    self._poll(0)
                    stamped = [*fixed, ("ce_time", self._rfc3339(time.time_ns() // 1000))]
                headers = [*stamped, ("ce_id", event_id)]
                try:
                    produce(topic, value, key, headers=headers)
                except (BufferError, KafkaException):
                    self._put(key, value, headers)
                count += 1
                size += len(value)
        finally:
            self._sent += count
            self._bytes += size

    def flush(self) -> DeliveryReport:
        """Wait until every message is acknowledged or has failed, at most for the delivery timeout.

        Returns:
            The counts. A message that failed is counted there, and raised when the streamer is left.
        """
        while self._producer is not None and self._producer.flush(FLUSH_SLICE_S):
            pass
        return self.report

    def poll(self) -> None:
        """Serve delivery reports; call it now and then while nothing is sent.

        Raises:
            DeliveryError: If a message failed for good.
        """
        self._poll(0)

    def _put(self, key: bytes, value: bytes, headers: list[tuple[str, bytes | str]]) -> None:
        while True:
            try:
                self._produce(self._topic, value, key, headers=headers)
                return
            except BufferError:
                self._poll(0.05)
            except KafkaException as error:  # too large, or the producer is beyond repair
                self._sent += 1
                self._failed += 1
                self._keep_error(f"{len(value)} bytes for key {key!r}: {error.args[0].str()}")
                raise DeliveryError(self.report) from error

    def _headers_of(self, event_type: str) -> list[tuple[str, bytes | str]]:
        """The headers that all events of one type share."""
        if event_type not in self._headers:
            self._headers[event_type] = [*self._fixed_headers, ("ce_type", event_type.encode())]
        return self._headers[event_type]

    def _not_connected(self, *_: object, **__: object) -> None:
        raise RuntimeError("a KafkaStreamer sends inside its with block only")

    def _poll(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)
        if self._failed:
            raise DeliveryError(self.report)

    def _on_failure(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed += 1
            cause = f" ({self._client_errors.last})" if self._client_errors.last else ""
            self._keep_error(f"{message.topic()}[{message.partition()}]: {error.str()}{cause}")

    def _on_error(self, error: Any) -> None:
        self._client_errors(error)
        log.warning("kafka: %s", error.str())

    def _keep_error(self, text: str) -> None:
        if len(self._errors) < KEPT_ERRORS:
            self._errors.append(text)

    def _rfc3339(self, time_us: int) -> bytes:
        second, micros = divmod(time_us, 1_000_000)
        if second != self._time_second:
            self._time_second = second
            self._time_prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
        return b"%b.%06dZ" % (self._time_prefix, micros)

    def _check_topic(self, topics: Mapping[str, Any]) -> None:
        topic = topics.get(self._topic)
        if topic is None:
            known = ", ".join(sorted(name for name in topics if not name.startswith("__"))) or "none"
            raise UnknownTopicError(
                f"topic '{self._topic}' does not exist at {self._bootstrap} (topics there: {known}); "
                "`slipstream up` creates Slipstream's topics"
            )
        if topic.error is not None:
            raise UnknownTopicError(f"topic '{self._topic}' at {self._bootstrap}: {topic.error.str()}")
