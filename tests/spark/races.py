"""Races as bronze has them, simulated or published, and silver filled from them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from conf.families import ENVIRONMENT, RACE, TIMING, MessageFamily
from conf.tables import SILVER_RESULT_LINES, SILVER_SECTOR_TIMES, SILVER_TELEMETRY, SILVER_TIMING_EVENTS
from medallion.changes import TableChanges
from medallion.io import Lake
from medallion.silver.promote_events import EventProcessor
from medallion.silver.promote_telemetry import SilverProcessor
from producers.replay.files import find_files
from producers.replay.plan import make_replay_plan
from producers.simulator.frames import Frame
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import session_messages
from streaming.session_tables import choose_vehicles, refresh_session_tables, session_changes
from tests.spark.messages import FRAME, Stored

CLOSED = (SILVER_TELEMETRY, SILVER_TIMING_EVENTS, SILVER_SECTOR_TIMES, SILVER_RESULT_LINES)
FAMILIES = {f.topic: f for f in (TIMING, RACE, ENVIRONMENT)}


def ingest(lake: Lake, to_bronze, stored: dict[str, list[Stored]], batch_id: int = 0) -> None:
    for topic, rows in stored.items():
        family: MessageFamily | None = FAMILIES.get(topic)
        if family is None:
            SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(rows), batch_id, "silver:a")
        else:
            balance = EventProcessor(lake, family, "run").process(to_bronze(rows), batch_id, f"{family.silver_query}:a")
            assert balance is not None
            assert balance.quarantined == 0


def published(folder: Path) -> dict[str, list[Stored]]:
    """All sheets of a folder as bronze has them."""
    found, _ = find_files([folder])
    stored: defaultdict[str, list[Stored]] = defaultdict(list)
    for placed in make_replay_plan(found).sheets:
        topic, kind = placed.sheet.topic, placed.sheet.event_type
        for _, value, _ in placed.records:
            stored[topic].append(Stored(topic, 0, len(stored[topic]), kind, "replay", value))
    return stored


def simulated(simulator: VehicleSimulator) -> dict[str, list[Stored]]:
    """A race as bronze has it."""
    stored: defaultdict[str, list[Stored]] = defaultdict(list)
    for message in session_messages(simulator, race=True):
        topic, kind, value = (
            ("telemetry.raw", FRAME, message.payload())
            if isinstance(message, Frame)
            else (message.topic, message.event_type, message.payload)
        )
        stored[topic].append(Stored(topic, 0, len(stored[topic]), kind, "simulator", value))
    return stored


def close(lake: Lake) -> None:
    """What the closing step does over all there is."""
    for name in CLOSED:
        lake.ensure(name)
    versions = {name: lake.version(name) or 0 for name in CLOSED}
    vehicles, _ = choose_vehicles(*session_changes(TableChanges(lake, {}, versions)), {}, None)
    refresh_session_tables(lake, vehicles, "run")
