"""Where the partitions of a topic end."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition


def last_offset(consumer: Consumer, part: TopicPartition) -> int:
    """End of a partition; a broker that has just started may not know yet that it leads it."""
    for _ in range(20):
        try:
            return consumer.get_watermark_offsets(part, timeout=10)[1]
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            time.sleep(0.5)
    raise AssertionError(f"nobody leads {part}")
