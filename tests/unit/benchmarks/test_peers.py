"""The peer must do what it is said to do, or beating it says nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from deltalake import DeltaTable

from benchmarks import peers
from benchmarks.inputs import IMPOSSIBLE_RPM, feed
from producers.simulator.frames import CHANNELS


@dataclass(frozen=True)
class Record:
    payload: bytes
    number: int

    def value(self) -> bytes:
        return self.payload

    def partition(self) -> int:
        return 1

    def offset(self) -> int:
        return self.number


def test_the_peer_writes_every_sample_and_refuses_the_impossible(tmp_path, monkeypatch) -> None:
    data = feed(30, faults=True, cars=2)
    records = [Record(frame.payload(), number) for number, frame in enumerate(data.frames)]
    monkeypatch.setattr(peers, "batches", lambda *_: iter([records[:10], records[10:]]))
    outcome = peers.frames_to_silver("broker", "topic", tmp_path)
    assert data.impossible == 1
    assert (outcome.written, outcome.quarantined) == (data.samples - 1, 1)
    assert pl.read_delta(str(tmp_path / "silver")).height == data.samples - 1
    refused = pl.read_delta(str(tmp_path / "quarantine"))
    assert refused["rpm"].to_list() == [IMPOSSIBLE_RPM]
    assert refused["reasons"].to_list() == [["rpm_possible"]]
    assert DeltaTable(str(tmp_path / "silver")).version() == 1


def test_parsed_values_are_those_that_were_sent() -> None:
    frame = feed(30, faults=True, cars=2).frames[3]
    samples = peers.parse_frames([Record(frame.payload(), 7)])
    for channel in CHANNELS:
        sent = np.asarray(frame.columns[channel], dtype=np.float64)
        np.testing.assert_allclose(samples[channel].cast(pl.Float64).fill_null(np.nan).to_numpy(), sent)
    assert samples["ecu_ts"].dt.epoch("us").to_list() == list(frame.columns["t_us"])
    assert set(samples["bronze_offset"]) == {7}


def test_the_peers_gate_has_a_rule_for_every_channel_with_a_range() -> None:
    assert {"speed_possible", "rpm_possible", "gear_possible"} <= set(peers.broken_rules())
    assert len(peers.broken_rules()) >= len(CHANNELS) - 2  # lap number and throttle go by other names in the table
