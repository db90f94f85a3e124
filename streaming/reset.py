"""Empty bronze, silver or gold, so that the next run fills them anew from what they are made of."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from deltalake.exceptions import DeltaError

from conf.errors import InputError
from conf.families import FAMILIES, PROMOTED
from conf.lake import checkpoint_uri, table_uri
from conf.settings import AppConfig
from conf.tables import (
    GOLD_DPTAD_THRESHOLDS,
    OPS_DQ_RESULTS,
    OPS_RECONCILIATION,
    OPS_RETENTION,
    OPS_STEP_FAILURES,
    SILVER_SESSIONS,
    SILVER_VEHICLE_IDS,
)
from infra.kafka.client_options import librdkafka_options
from infra.kafka.topics import topic_span
from infra.local.stack import find_endpoints
from serving.lake.reader import LakeReader
from serving.lake.store import LakeError, is_table, open_table, read_table_stats
from streaming import bronze, gold, karma_beside, session_tables, silver
from streaming.claim import claim_layers

Layer = Literal["bronze", "silver", "gold"]
_LAYERS: Final[tuple[Layer, ...]] = ("bronze", "silver", "gold")
_ACCOUNTS: Final = (OPS_RECONCILIATION, OPS_DQ_RESULTS, OPS_STEP_FAILURES)
_OF_BRONZE: Final = (OPS_RETENTION,)
_KEPT: Final = (SILVER_SESSIONS, GOLD_DPTAD_THRESHOLDS, *_ACCOUNTS)
"""What says which track a session was given, and what is usual on a track, is no one's but the user's to take back."""
_STREAMS: Final[dict[Layer, Sequence[str]]] = {
    "bronze": (bronze.TELEMETRY_QUERY, bronze.EVENTS_QUERY),
    "silver": (*(family.silver_query for family in PROMOTED), session_tables.NAME),
    "gold": (*gold.STREAMS_BEFORE, karma_beside.NAME),
}
_TABLES: Final[dict[Layer, Sequence[str]]] = {
    "bronze": bronze.OUTPUTS,
    "silver": [*(name for name in silver.OUTPUTS if name not in _KEPT), SILVER_VEHICLE_IDS],
    "gold": [name for name in (*gold.OUTPUTS, *karma_beside.OUTPUTS) if name not in _KEPT],
}


@dataclass(frozen=True)
class Reset:
    """What is removed of a lake.

    Attributes:
        layers: Those that are emptied.
        checkpoints: Streams that begin anew.
        tables: Tables that are removed, in this order.
    """

    layers: tuple[Layer, ...]
    checkpoints: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What it does."""
        return f"{' and '.join(self.layers)}: {len(self.tables)} tables and {len(self.checkpoints)} checkpoints"


def plan_reset(settings: AppConfig, layer: Layer) -> Reset:
    """What is to be removed so that a layer is filled anew; those above go with it, for they follow its versions.

    Raises:
        InputError: If the lake is in an object store.
    """
    if "://" in settings.lake_root:
        raise InputError(f"{settings.lake_root} is an object store: only a lake in a folder can be reset")
    layers = _LAYERS[_LAYERS.index(layer) :]
    accounts = (_ACCOUNTS if "silver" in layers else ()) + (_OF_BRONZE if "bronze" in layers else ())
    tables = accounts + tuple(name for each in layers for name in _TABLES[each])
    checkpoints = [name for each in layers for name in _STREAMS[each]]
    return Reset(
        layers,
        tuple(name for name in checkpoints if Path(checkpoint_uri(name, settings)).exists()),
        tuple(name for name in dict.fromkeys(tables) if Path(table_uri(name, settings)).exists()),
    )


def check_bronze_holds_all(settings: AppConfig) -> None:
    """Refuse to empty silver where bronze has given up messages that it was made of.

    Raises:
        InputError: If it has.
    """
    if not is_table(OPS_RETENTION, settings):
        return
    rows = LakeReader(settings).rows(OPS_RETENTION, order_by=("topic", "kafka_partition"))
    if rows:
        gone = ", ".join(f"{row['topic']}-{row['kafka_partition']} before offset {row['kept_from']:,}" for row in rows)
        raise InputError(
            f"bronze has given up messages ({gone}; BRONZE_RETENTION_DAYS): silver is the only place that has what was "
            "made of them, and is not emptied. `slipstream backfill` computes laps, results and gold again from silver"
        )


def check_topics_hold_all(settings: AppConfig) -> None:
    """Refuse to empty bronze where it may be the only place that has some messages.

    A topic that has never given up a message, and was sent as many as bronze has, holds them all.

    Raises:
        InputError: If a topic does not.
        infra.kafka.cluster.BrokerUnavailableError: If no broker answers.
    """
    bootstrap, options = find_endpoints(settings).bootstrap, librdkafka_options(settings)
    for family in FAMILIES:
        if not is_table(family.bronze, settings):
            continue
        span, stored = topic_span(bootstrap, family.topic, options), _rows_by_log(family.bronze, settings)
        if span.gone or span.sent < (1 if stored is None else stored):
            has = "a damaged log" if stored is None else f"{stored:,} rows"
            raise InputError(
                f"{family.topic} at {bootstrap} was sent {span.sent:,} messages and has given up {span.gone:,}, and "
                f"{family.bronze} has {has}: it may be the only place that has some, and is not emptied. Put the "
                f"damaged file back from a copy of {settings.lake_root}, or begin a new home for what the topics have"
            )


def _rows_by_log(name: str, settings: AppConfig) -> int | None:
    """Rows of a table by its log alone; ``None`` where that is what is damaged."""
    try:
        return read_table_stats(open_table(name, settings)).rows
    except (LakeError, DeltaError):
        return None


def reset_layers(settings: AppConfig, plan: Reset) -> None:
    """Remove what a plan names.

    The checkpoints go first, then the accounts, then the rows. Killed in between, a stream that is started begins a new
    generation, takes what is left for repeats, and loses nothing.

    Raises:
        LayerTakenError: If another process fills one of the layers.
    """
    removed = Path(settings.lake_root) / "_removed"  # no layer: what is half gone is nobody's table
    with claim_layers(settings, (*plan.layers, karma_beside.NAME)):
        _empty(removed)
        for name in plan.checkpoints:
            Path(checkpoint_uri(name, settings)).rename(removed / f"checkpoint.{name}")
        for name in plan.tables:
            Path(table_uri(name, settings)).rename(removed / name)
        shutil.rmtree(removed)


def _empty(folder: Path) -> None:
    """An empty folder, whatever one that was killed has left in it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
