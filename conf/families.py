"""The families of messages: which topic ends in which bronze table, and which silver tables are made of it."""

from __future__ import annotations

from conf.frozen import FrozenModel
from conf.tables import (
    BRONZE_ENVIRONMENT_EVENTS,
    BRONZE_RACE_EVENTS,
    BRONZE_TELEMETRY_EVENTS,
    BRONZE_TIMING_EVENTS,
    BRONZE_TRUTH_EVENTS,
    SILVER_ENVIRONMENT,
    SILVER_FIELD_STATE,
    SILVER_RESULT_LINES,
    SILVER_SECTOR_TIMES,
    SILVER_TELEMETRY,
    SILVER_TIMING_EVENTS,
)
from conf.topics import ENVIRONMENT_RAW, RACE_RAW, TELEMETRY_RAW, TIMING_RAW, TRUTH_RAW, Topic


class MessageFamily(FrozenModel):
    """One topic and its way into silver.

    Attributes:
        name: ``telemetry``, ``timing``, ``race``, ``environment`` or ``truth``.
        topic: Kafka topic.
        bronze: Table of the messages as they came.
        silver_query: Streaming query that promotes it; empty where nothing does.
        events: Forms of message, by the name of their contract less ``event.``.
        tables: Silver tables made of it, in the order they are written; the last one's transaction ends a batch. None
            where it stays in bronze.
    """

    name: str
    topic: str
    bronze: str
    silver_query: str
    events: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def last_table(self) -> str:
        """The table whose transaction says that a batch is done."""
        return self.tables[-1]


def _family(name: str, topic: Topic, bronze: str, tables: tuple[str, ...]) -> MessageFamily:
    return MessageFamily(
        name=name,
        topic=topic.name,
        bronze=bronze,
        silver_query=f"silver_{name}" if tables else "",
        events=topic.events,
        tables=tables,
    )


TELEMETRY = MessageFamily(
    name="telemetry",
    topic=TELEMETRY_RAW.name,
    bronze=BRONZE_TELEMETRY_EVENTS,
    silver_query="silver",
    events=TELEMETRY_RAW.events,
    tables=(SILVER_TELEMETRY,),
)
TIMING = _family("timing", TIMING_RAW, BRONZE_TIMING_EVENTS, (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES))
RACE = _family("race", RACE_RAW, BRONZE_RACE_EVENTS, (SILVER_RESULT_LINES, SILVER_FIELD_STATE))
ENVIRONMENT = _family("environment", ENVIRONMENT_RAW, BRONZE_ENVIRONMENT_EVENTS, (SILVER_ENVIRONMENT,))

TRUTH = _family("truth", TRUTH_RAW, BRONZE_TRUTH_EVENTS, ())
"""Labels of simulated wear: kept in bronze for training and tests, promoted nowhere, so no feature can see them."""

PROMOTED = (TELEMETRY, TIMING, RACE, ENVIRONMENT)
"""Those whose messages silver takes in; the balance accounts for every unit of theirs."""
FAMILIES = (*PROMOTED, TRUTH)
EVENT_FAMILIES = (TIMING, RACE, ENVIRONMENT)
"""Those whose messages hold one event each: a unit is a message."""
