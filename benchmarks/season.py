"""A lake of any size: one simulated session through the pipeline, then copies of its silver and gold, a day apart.

One driver drives in all sessions, a hundred laps in each; the others are different ones every day. All cars are still
on track, so that a lap more can be sent to any of the sessions. The copies are written as files that move no data, so
that no stream takes them for news: gold's job would need hours to find that there is nothing to change, which is
checked on one of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cached_property, reduce
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.transaction import AddAction
from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.contract import load_contract
from conf.families import FAMILIES
from conf.lake import table_uri
from conf.settings import AppConfig
from conf.tables import SILVER_CLOCK_OFFSETS, SILVER_ENTRIES, SILVER_LAPS, SILVER_SESSIONS, SILVER_TELEMETRY
from conf.topics import TELEMETRY_RAW
from infra.kafka.producer import KafkaStreamer
from medallion.dataset import open_dataset
from medallion.gold.refresh import processor
from medallion.gold.refresh.changed_rows import group_rows
from medallion.io import Lake
from medallion.part import sessions_part
from medallion.reading import read_table
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.frames import Frame
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import RaceEvent, arrival_us, race_topics, session_messages

LAPS = 100
SPARE_LAPS = 5
CARS = 3
RATE_HZ = 42.0  # three cars over a hundred laps of 80 s: a million samples
SOURCE = "/simulator/capacity"
_START = datetime(2025, 3, 1, 15, 0, tzinfo=UTC)
_SETTLED_US = 2_000_000  # after a car has crossed the line timing has said so
SILVER = (
    *(table for family in FAMILIES for table in family.tables),
    *(SILVER_ENTRIES, SILVER_LAPS, SILVER_CLOCK_OFFSETS, SILVER_SESSIONS),
)
GOLD = tuple(table for table in (*processor.TABLES, *processor.LAP_TABLES) if "session_id" in load_contract(table).key)
COPIED = (*SILVER, *GOLD)
_DRAWN = re.compile(r".*_(low|high)|(strengths|weaknesses)_[12]|analysis_text|highlights|insights_text")
_OF_A_RUN = ("run_id", "updated_ts")
_INDEXED = "delta.dataSkippingNumIndexedCols"
_ZSTD = WriterProperties(compression="ZSTD")
_FRAME = load_contract("event.frame.v1").properties["ce_type"]


class Session:
    """One day's session.

    Args:
        day: 0 for the first.
        laps: What each car has driven until now.
    """

    def __init__(self, day: int, laps: int = LAPS) -> None:
        self.day, self.laps = day, laps
        self.session_id = f"capacity-{day:04d}"

    @cached_property
    def simulator(self) -> VehicleSimulator:
        """What drives it."""
        config = SimulatorConfig(
            session_id=self.session_id,
            n_cars=CARS,
            n_laps=self.laps + SPARE_LAPS,
            rate_hz=RATE_HZ,
            samples_per_frame=round(RATE_HZ),
            start_time=_START + timedelta(days=self.day),
            data_faults=DataFaults.none(),
        )
        return VehicleSimulator(config)

    @property
    def driver(self) -> str:
        """Vehicle of the one who drives every day."""
        return self.simulator.cars[0].vehicle_id

    def until_now(self) -> Iterator[Frame | RaceEvent]:
        """All messages of the laps so far."""
        until = self._end_us(self.laps)
        return (m for m in session_messages(self.simulator, race=True) if arrival_us(m) <= until)

    def laps_more(self) -> list[list[Frame | RaceEvent]]:
        """Messages of the driver's next laps, lap by lap."""
        ends = [self._end_us(self.laps + n) for n in range(SPARE_LAPS)]
        own = [
            m for m in session_messages(self.simulator, race=True) if self._is_drivers(m) and arrival_us(m) > ends[0]
        ]
        return [[m for m in own if begin < arrival_us(m) <= end] for begin, end in pairwise(ends)]

    def _end_us(self, lap: int) -> int:
        laps = self.simulator.laps().filter(vehicle_id=self.driver, lap_number=lap)
        return int(laps["end_us"].item()) + _SETTLED_US

    def _is_drivers(self, message: Frame | RaceEvent) -> bool:
        key = message.key() if isinstance(message, Frame) else message.key
        return key == f"{self.session_id}|{self.driver}".encode()


def send(what: Iterable[Frame | RaceEvent], bootstrap: str) -> None:
    """Send messages of a session to their topics."""
    with ExitStack() as stack:
        topics = {
            topic: stack.enter_context(KafkaStreamer(bootstrap, topic, source=SOURCE))
            for topic in (TELEMETRY_RAW.name, *race_topics())
        }
        for message in what:
            if isinstance(message, Frame):
                number = f"{message.key().decode()}:{message.arrival_us}"
                topics[TELEMETRY_RAW.name].send(message.key(), message.payload(), _FRAME, number)
            else:
                topics[message.topic].send(message.key, message.payload, message.event_type, message.event_id)


class Copies:
    """The first session's silver and gold, to be written as those of later days.

    Args:
        settings: Whose lake to read.
        first: The session, as it is now.
    """

    def __init__(self, settings: AppConfig, first: Session) -> None:
        self.first = first
        mine = pc.field("session_id") == first.session_id
        self.rows = {name: open_dataset(name, settings).to_table(filter=mine).combine_chunks() for name in COPIED}

    def write(self, settings: AppConfig, to: Session) -> None:
        """Write all tables of a later day, by other drivers but for the one."""
        names = {self.first.session_id: to.session_id}
        names |= {car.vehicle_id: f"{car.vehicle_id}-{to.day}" for car in self.first.simulator.cars[1:]}
        for name, rows in self.rows.items():
            if rows.num_rows:
                days = to.day - self.first.day
                columns = [_moved(column.combine_chunks(), names, days) for column in rows.columns]
                _append_unseen(name, settings, pa.table(columns, schema=rows.schema))


def rows_that_gold_changes(lake: Lake, session: Session) -> int:
    """How many rows of a copied session differ from what gold's job computes of its silver: none, if they are right.

    Intervals, and sentences that name some, are left out: they are drawn, and the draws go by the drivers' names.
    """
    mine = F.col("session_id") == session.session_id
    before = {table: lake.version(table) for table in GOLD}
    part, keys = sessions_part([session.session_id]), ("session_id", "vehicle_id", "lap_number")
    changed = (
        group_rows(source, [read_table(lake, source, part, columns)])
        for source, columns in ((SILVER_TELEMETRY, (*keys, "event_ts")), (SILVER_LAPS, keys))
    )
    processor.GoldProcessor(lake, "check").process([rows for found in changed for rows in found])
    return sum(_differing(lake, table, version, mine) for table, version in before.items())


def _differing(lake: Lake, table: str, version: int | None, mine: Column) -> int:
    written = lake.read(table).where(mine & (F.col("run_id") == "check"))
    if not written.count():
        return 0
    names = [c.name for c in load_contract(table).columns if c.name not in _OF_A_RUN]
    columns = [name for name in names if not _DRAWN.fullmatch(name)]
    return written.select(columns).exceptAll(lake.read(table, version).where(mine).select(columns)).count()


def _append_unseen(name: str, settings: AppConfig, rows: pa.Table) -> None:
    """Append rows as files that move no data: written to a table of their own, and taken over from there."""
    uri, partitions = table_uri(name, settings), list(load_contract(name).partition_columns)
    indexed = {"delta.dataSkippingNumIndexedCols": load_contract(name).table_properties.get(_INDEXED, "32")}
    table = DeltaTable(uri)
    with TemporaryDirectory(dir=settings.home) as folder:
        write_deltalake(folder, rows, partition_by=partitions or None, writer_properties=_ZSTD, configuration=indexed)
        log = (Path(folder) / "_delta_log" / f"{0:020}.json").read_text(encoding="utf-8").splitlines()
        added = [json.loads(line)["add"] for line in log if '"add"' in line]
        for file in added:
            to = Path(unquote(urlsplit(uri).path)) / unquote(file["path"])
            to.parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / unquote(file["path"])).rename(to)
    actions = [
        AddAction(
            f["path"], f["size"], f["partitionValues"], f["modificationTime"], data_change=False, stats=f["stats"]
        )
        for f in added
    ]
    table.create_write_transaction(actions, "append", table.schema(), partition_by=partitions)


def _moved(values: pa.Array, names: Mapping[str, str], days: int) -> pa.Array:
    """Values a number of days later, with other names wherever a text has them."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        return pc.add(values, pa.scalar(timedelta(days=days), pa.duration(kind.unit)))
    if pa.types.is_date32(kind):
        return pc.add(values.cast(pa.int32()), pa.scalar(days, pa.int32())).cast(kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        coded = values.dictionary_encode()
        texts = [reduce(lambda t, name: t.replace(*name), names.items(), text) for text in coded.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(coded.indices, pa.array(texts, kind)).cast(kind)
    if pa.types.is_list(kind):
        inner = _moved(values.values, names, days)
        return pa.ListArray.from_arrays(values.offsets, inner, kind, mask=values.is_null())
    if pa.types.is_struct(kind):
        inner = [_moved(values.field(k), names, days) for k in range(kind.num_fields)]
        return pa.StructArray.from_arrays(inner, fields=list(kind), mask=values.is_null())
    return values
