"""A lake of any size: one simulated session through the pipeline, then copies of its silver and gold, a day apart.

One driver drives in all sessions, a hundred laps in each; the others are different ones every day. All cars are still
on track, so that a lap more can be sent to any of the sessions. The copies are written as files that move no data, so
that no stream takes them for news: gold's job would need hours to find that there is nothing to change, which is
checked on one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cached_property, reduce
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DateType, StringType, TimestampType

from conf.contract import load_contract
from conf.families import FAMILIES
from medallion.gold import processor
from medallion.io import Lake
from medallion.schema import conform
from producers.kafka import KafkaStreamer
from producers.simulator.config import FaultConfig, SimulatorConfig
from producers.simulator.frames import Frame
from producers.simulator.race import Event, due_us, messages, race_topics
from producers.simulator.simulator import VehicleSimulator

LAPS = 100
SPARE_LAPS = 5
CARS = 3
RATE_HZ = 42.0  # three cars over a hundred laps of 80 s: a million samples
SOURCE = "/simulator/capacity"
_START = datetime(2025, 3, 1, 15, 0, tzinfo=UTC)
_SETTLED_US = 2_000_000  # after a car has crossed the line timing has said so
SILVER = (
    *(table for family in FAMILIES for table in family.tables),
    *("silver.entries", "silver.laps", "silver.clock_offsets", "silver.sessions"),
)
GOLD = tuple(table for table in (*processor.TABLES, *processor.LAP_TABLES) if "session_id" in load_contract(table).key)
COPIED = (*SILVER, *GOLD)
_FRAME = load_contract("event.frame.v1").properties["ce_type"]


class Session:
    """One day's session.

    Args:
        day: 0 for the first.
    """

    def __init__(self, day: int) -> None:
        self.day = day
        self.session_id = f"capacity-{day:04d}"

    @cached_property
    def simulator(self) -> VehicleSimulator:
        """What drives it."""
        config = SimulatorConfig(
            session_id=self.session_id,
            n_cars=CARS,
            n_laps=LAPS + SPARE_LAPS,
            rate_hz=RATE_HZ,
            samples_per_frame=round(RATE_HZ),
            start_time=_START + timedelta(days=self.day),
            faults=FaultConfig.none(),
        )
        return VehicleSimulator(config)

    @property
    def driver(self) -> str:
        """Vehicle of the one who drives every day."""
        return self.simulator.cars[0].vehicle_id

    def until_now(self) -> Iterator[Frame | Event]:
        """All messages of the first hundred laps."""
        until = self._end_us(LAPS)
        return (m for m in messages(self.simulator, race=True) if due_us(m) <= until)

    def laps_more(self) -> list[list[Frame | Event]]:
        """Messages of the driver's next laps, lap by lap."""
        ends = [self._end_us(LAPS + n) for n in range(SPARE_LAPS)]
        own = [m for m in messages(self.simulator, race=True) if self._is_drivers(m) and due_us(m) > ends[0]]
        return [[m for m in own if begin < due_us(m) <= end] for begin, end in pairwise(ends)]

    def _end_us(self, lap: int) -> int:
        laps = self.simulator.laps().filter(vehicle_id=self.driver, lap_number=lap)
        return int(laps["end_us"].item()) + _SETTLED_US

    def _is_drivers(self, message: Frame | Event) -> bool:
        key = message.key() if isinstance(message, Frame) else message.key
        return key == f"{self.session_id}|{self.driver}".encode()


def send(what: Iterable[Frame | Event], bootstrap: str) -> None:
    """Send messages of a session to their topics."""
    with ExitStack() as stack:
        topics = {
            topic: stack.enter_context(KafkaStreamer(bootstrap, topic, source=SOURCE))
            for topic in ("telemetry.raw", *race_topics())
        }
        for message in what:
            if isinstance(message, Frame):
                number = f"{message.key().decode()}:{message.arrival_us}"
                topics["telemetry.raw"].send(message.key(), message.payload(), _FRAME, number)
            else:
                topics[message.topic].send(message.key, message.payload, message.event_type, message.event_id)


def copy_session(lake: Lake, versions: Mapping[str, int | None], first: Session, to: Sequence[Session]) -> None:
    """Write a session's silver and gold, as of some versions, as those of later days, by others but for the one."""
    for table in COPIED:
        whole = lake.read(table, versions[table]).where(F.col("session_id") == first.session_id)
        days = (conform(_moved(whole, first, day), load_contract(table)).coalesce(1) for day in to)
        rows = reduce(DataFrame.unionByName, days)
        rows.write.format("delta").mode("append").option("dataChange", "false").save(lake.uri(table))


def rows_that_gold_changes(lake: Lake, session: Session) -> int:
    """How many rows of a session gold's job writes when it computes all its laps anew: none, if they are right."""
    mine = F.col("session_id") == session.session_id
    gold = processor.GoldProcessor(lake, "check")
    gold.aggregate_telemetry(lake.read("silver.telemetry").where(mine))
    gold.aggregate_laps(lake.read("silver.laps").where(mine))
    return sum(lake.read(table).where(mine & (F.col("run_id") == "check")).count() for table in GOLD)


def _moved(rows: DataFrame, first: Session, to: Session) -> DataFrame:
    later = F.expr(f"INTERVAL {to.day - first.day} DAYS")
    return rows.withColumns(
        {
            field.name: (F.col(field.name) + later).cast(field.dataType)
            if isinstance(field.dataType, TimestampType | DateType)
            else _renamed(F.col(field.name), field.dataType, first, to)
            for field in rows.schema.fields
            if isinstance(field.dataType, TimestampType | DateType | StringType)
            or field.dataType == ArrayType(StringType())
        }
    )


def _renamed(column: Column, kind: DataType, first: Session, to: Session) -> Column:
    """Names of the session and of its other drivers, wherever a text has them."""
    if isinstance(kind, ArrayType):
        return F.transform(column, lambda text: _renamed(text, kind.elementType, first, to))
    column = F.replace(column, F.lit(first.session_id), F.lit(to.session_id))
    for car in first.simulator.cars[1:]:
        column = F.replace(column, F.lit(car.vehicle_id), F.lit(f"{car.vehicle_id}-{to.day}"))
    return column
