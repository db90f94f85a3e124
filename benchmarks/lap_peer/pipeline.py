"""The peer as a whole: what came since the last time, all the way to gold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from confluent_kafka import Message

from benchmarks.lap_peer import gold, silver
from benchmarks.lap_peer.store import DeltaStore, no_rows
from benchmarks.lap_peer.topics import TopicReader, event_rows
from benchmarks.peers import broken_rules, parse_frames
from conf.families import EVENT_FAMILIES, TELEMETRY
from conf.tables import SILVER_TELEMETRY

REFUSED = "silver.refused"


class LapPeer:
    """One process that keeps its own lake.

    Args:
        bootstrap: Address of the broker.
        folder: Its tables.
        from_end: Begin with what is sent from now on.
    """

    def __init__(self, bootstrap: str, folder: Path, *, from_end: bool) -> None:
        self.store = DeltaStore(folder)
        self.topics = TopicReader(bootstrap, from_end=from_end)

    def drain(self) -> int:
        """Take everything new from Kafka to gold; returns how many samples were written."""
        messages = self.topics.read()
        new = self._new_samples(messages.get(TELEMETRY.topic, []))
        sessions = set(new["session_id"].unique())
        for name, rows in event_rows([m for f in EVENT_FAMILIES for m in messages.get(f.topic, [])]).items():
            self.store.append(name, rows)
            sessions |= set(rows["session_id"].unique())
        for session in sorted(sessions):
            own = new.filter(pl.col("session_id") == session)
            gold.update_gold(self.store, silver.update_session(self.store, session, own))
        return new.height

    def close(self) -> None:
        """Leave the broker."""
        self.topics.close()

    def _new_samples(self, messages: Sequence[Message]) -> pl.DataFrame:
        if not messages:
            return no_rows(SILVER_TELEMETRY)
        samples = parse_frames(messages)
        broken = pl.any_horizontal(list(broken_rules().values()))
        refused = samples.filter(broken)
        if refused.height:
            (self.store.path(REFUSED)).mkdir(parents=True, exist_ok=True)
            refused.write_delta(str(self.store.path(REFUSED)), mode="append")
        return silver.sample_rows(samples.filter(~broken))
