"""What `maintain` removes because it is old: messages of bronze, and by the broker's hand those of the topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from conf.families import PROMOTED, MessageFamily
from conf.settings import AppConfig
from conf.tables import OPS_RECONCILIATION, OPS_RETENTION
from infra.kafka.client_options import librdkafka_options
from infra.kafka.topics import apply_retention
from infra.local.stack import find_endpoints
from medallion.bronze.retention import Place, Removal, end_of_run, plan_removal, read_bronze_files
from medallion.exchange import put_rows
from medallion.io import Lake
from serving.lake.balance import family_of_query
from serving.lake.reader import LakeReader

_BATCHES = f"select query, batch_id, offsets from {OPS_RECONCILIATION}"  # noqa: S608 - a table of our own


def enforce_topic_retention(settings: AppConfig) -> str | None:
    """Tell the topics how long to keep messages; returns what was done, ``None`` where the settings say nothing.

    Raises:
        BrokerUnavailableError: If no broker answers, or it refuses this client.
    """
    if settings.kafka_retention_hours is None:
        return None
    told = apply_retention(settings, find_endpoints(settings).bootstrap, librdkafka_options(settings))
    hours = f"{settings.kafka_retention_hours:g} h"
    return f"topics keep messages for {hours}" + (f", new for {', '.join(told)}" if told else "")


def enforce_bronze_retention(lake: Lake, run_id: str) -> str | None:
    """Remove old messages of bronze; returns what was done, ``None`` where the settings say nothing.

    What is removed is noted before: a run that is killed between the two is done again, and the balance goes by what
    bronze holds.

    Args:
        lake: Where the tables are.
        run_id: Job run.
    """
    if lake.settings.bronze_retention_days is None:
        return None
    removed = 0
    for family, removal in plan_removals(lake.settings):
        now = datetime.now(UTC)
        rows = [
            {
                "topic": topic,
                "kafka_partition": partition,
                "table_name": family.bronze,
                "kept_from": kept_from,
                "removed_ts": now,
            }
            for (topic, partition), kept_from in removal.kept_from.items()
        ]
        put_rows(lake, OPS_RETENTION, rows, run_id)
        files = [each.file for each in removal.files if each.file is not None]
        lake.remove_files(family.bronze, files, f"ingest_date < '{first_day(lake.settings)}'")
        removed += removal.messages
    return f"{removed:,} messages of bronze are removed, {describe_old(lake.settings)}"


def describe_old(settings: AppConfig) -> str:
    """Which messages are removed."""
    return f"those of more than {settings.bronze_retention_days} days ago that silver has taken in"


def first_day(settings: AppConfig) -> date:
    """First day, UTC, whose messages are kept whatever has become of them."""
    return (datetime.now(UTC) - timedelta(days=settings.bronze_retention_days or 0)).date()


def plan_removals(settings: AppConfig) -> Iterator[tuple[MessageFamily, Removal]]:
    """What is removed of each bronze table from which something is.

    Args:
        settings: Say where the lake is, and how old is too old: messages go by the day on which they came in.
    """
    reader, days = LakeReader(settings), settings.bronze_retention_days
    if days is None or not reader.exists(OPS_RECONCILIATION):
        return
    before = first_day(settings)
    taken_in = read_taken_in(reader)
    for family in PROMOTED:
        if reader.exists(family.bronze):
            removal = plan_removal(read_bronze_files(settings, family.bronze), before, taken_in)
            if removal.files:
                yield family, removal


def read_taken_in(reader: LakeReader) -> dict[Place, int]:
    """Last offset of each topic's partition that silver has taken in, by batches whose rows are all there."""
    done: dict[str, int] = {}
    found: defaultdict[Place, list[tuple[int, int]]] = defaultdict(list)
    for row in reader.query(_BATCHES).to_pylist():
        query = row["query"]
        if query not in done:
            last = family_of_query(query).last_table
            version = reader.table(last).transaction_version(f"{query}:rows") if reader.exists(last) else None
            done[query] = -1 if version is None else version
        if row["batch_id"] <= done[query]:
            for name, span in row["offsets"] or ():
                topic, _, partition = name.rpartition("-")
                found[topic, int(partition)].append((span["from"], span["to"]))
    return {place: end_of_run(spans) for place, spans in found.items()}
