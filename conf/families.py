"""The families of messages: which topic ends in which bronze table, and which silver tables are made of it."""

from __future__ import annotations

from conf.frozen import FrozenModel
from conf.tables import (
    BRONZE_TELEMETRY_EVENTS,
    BRONZE_TRUTH_EVENTS,
    SILVER_ENVIRONMENT,
    SILVER_FIELD_STATE,
    SILVER_RESULT_LINES,
    SILVER_SECTOR_TIMES,
    SILVER_TELEMETRY,
    SILVER_TIMING_EVENTS,
)


class Family(FrozenModel):
    """One topic and its way into silver.

    Attributes:
        name: ``telemetry``, ``timing``, ``race``, ``environment`` or ``truth``.
        topic: Kafka topic.
        bronze: Table of the messages as they came.
        bronze_query: Streaming query that fills it.
        silver_query: Streaming query that promotes it; empty where nothing does.
        events: Forms of message, by the name of their contract less ``event.``.
        tables: Silver tables made of it, in the order they are written; the last one's transaction ends a batch. None
            where it stays in bronze.
    """

    name: str
    topic: str
    bronze: str
    bronze_query: str
    silver_query: str
    events: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def last_table(self) -> str:
        """The table whose transaction says that a batch is done."""
        return self.tables[-1]


def _family(name: str, events: tuple[str, ...], tables: tuple[str, ...]) -> Family:
    return Family(
        name=name, topic=f"{name}.raw", bronze=f"bronze.{name}_events", bronze_query=f"bronze_{name}",
        silver_query=f"silver_{name}", events=events, tables=tables,
    )  # fmt: skip


TELEMETRY = Family(
    name="telemetry", topic="telemetry.raw", bronze=BRONZE_TELEMETRY_EVENTS, bronze_query="bronze",
    silver_query="silver", events=("frame.v1", "reading.v1"), tables=(SILVER_TELEMETRY,),
)  # fmt: skip
TIMING = _family(
    "timing",
    ("lap_start.v1", "lap_end.v1", "lap_time.v1", "sector_times.v1"),
    (SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES),
)
RACE = _family("race", ("result.v1", "field.v1"), (SILVER_RESULT_LINES, SILVER_FIELD_STATE))
ENVIRONMENT = _family("environment", ("weather.v1",), (SILVER_ENVIRONMENT,))

TRUTH = Family(
    name="truth", topic="truth.raw", bronze=BRONZE_TRUTH_EVENTS, bronze_query="bronze_truth", silver_query="",
    events=("truth.v1",), tables=(),
)  # fmt: skip
"""Labels of simulated wear: kept in bronze for training and tests, promoted nowhere, so no feature can see them."""

PROMOTED = (TELEMETRY, TIMING, RACE, ENVIRONMENT)
"""Those whose messages silver takes in; the balance accounts for every unit of theirs."""
FAMILIES = (*PROMOTED, TRUTH)
EVENT_FAMILIES = (TIMING, RACE, ENVIRONMENT)
"""Those whose messages hold one event each: a unit is a message."""
