"""The Kafka topics: one frozen declaration each, which creation, checks, documents and commands all read."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import PositiveInt

from conf.frozen import FrozenModel
from conf.settings import AppConfig

MAX_VALUE_BYTES: Final = 16 * 1024 * 1024
MAX_MESSAGE_BYTES: Final = 17 * 1024 * 1024
"""Room for the largest value, its key, its headers and the batch around them."""


class Topic(FrozenModel):
    """One topic.

    Attributes:
        name: Its name.
        contracts: Contracts of its messages.
        partitions: How many it is created with; ``None`` for as many as ``KAFKA_PARTITIONS`` says.
        cleanup_policy: What becomes of old messages; ``None`` for the broker's own rule.
        retention_ms: How long messages are kept; ``None`` for the broker's own rule.
    """

    name: str
    contracts: tuple[str, ...] = ()
    partitions: PositiveInt | None = None
    cleanup_policy: Literal["delete", "compact"] | None = None
    retention_ms: PositiveInt | None = None

    @property
    def events(self) -> tuple[str, ...]:
        """Names of its forms of message, e.g. ``frame.v1``."""
        return tuple(contract.removeprefix("event.") for contract in self.contracts)

    def kept_ms(self, settings: AppConfig) -> int | None:
        """How long messages are kept under these settings; ``None`` for the broker's own rule."""
        hours = settings.kafka_retention_hours
        return self.retention_ms if self.retention_ms or hours is None else round(hours * 3_600_000)

    def config(self, settings: AppConfig) -> dict[str, str]:
        """What the broker is told when the topic is created."""
        chosen = {"cleanup.policy": self.cleanup_policy, "retention.ms": self.kept_ms(settings)}
        return {
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            # A replay carries timestamps of long ago, which by the producer's time would be past retention on arrival.
            "message.timestamp.type": "LogAppendTime",
            **{key: str(value) for key, value in chosen.items() if value is not None},
        }

    def partition_count(self, settings: AppConfig) -> int:
        """How many partitions it is created with under these settings."""
        return settings.kafka_partitions if self.partitions is None else self.partitions


# Of all but the telemetry there are few messages, and their order across vehicles is worth keeping: one partition.
TELEMETRY_RAW: Final = Topic(name="telemetry.raw", contracts=("event.frame.v1", "event.reading.v1"))
TIMING_RAW: Final = Topic(
    name="timing.raw",
    contracts=("event.lap_start.v1", "event.lap_end.v1", "event.lap_time.v1", "event.sector_times.v1"),
    partitions=1,
)
RACE_RAW: Final = Topic(name="race.raw", contracts=("event.result.v1", "event.field.v1"), partitions=1)
ENVIRONMENT_RAW: Final = Topic(name="environment.raw", contracts=("event.weather.v1",), partitions=1)
TRUTH_RAW: Final = Topic(name="truth.raw", contracts=("event.truth.v1",), partitions=1)
TELEMETRY_DLQ: Final = Topic(name="telemetry.dlq", partitions=1)

TOPICS: Final = (TELEMETRY_RAW, TIMING_RAW, RACE_RAW, ENVIRONMENT_RAW, TRUTH_RAW, TELEMETRY_DLQ)
"""All of them, in the order in which they are created."""
