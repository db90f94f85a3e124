"""A small real lake, written with deltalake from the contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from conf.contract import load_contract
from conf.lake import table_uri
from conf.settings import AppConfig
from medallion.arrow_rows import arrow_rows

Rows = Sequence[Mapping[str, Any]]
WriteTable = Callable[..., DeltaTable]


@pytest.fixture
def write_table(home: AppConfig) -> WriteTable:
    """Append rows to a contracted table in the home's lake; columns left out are null."""

    def write(name: str, rows: Rows, version: str | None = "1.0.0") -> DeltaTable:
        contract, uri = load_contract(name), table_uri(name, home)
        write_deltalake(
            uri, arrow_rows(name, rows), mode="append", partition_by=list(contract.partition_columns) or None
        )
        table = DeltaTable(uri)
        if version:
            properties = {"slipstream.contract": name, "slipstream.contract.version": version}
            table.alter.set_table_properties(properties, raise_if_not_exists=False)
        return table

    return write


@pytest.fixture
def write_telemetry(write_table: WriteTable) -> WriteTable:
    """Two cars in two sessions, four rows, written in two commits."""

    def row(session: str, vehicle: str, second: int, speed: float | None, readings: int) -> dict[str, Any]:
        ts = 1_700_000_000_000_000 + second * 1_000_000
        return {
            "session_id": session,
            "vehicle_id": vehicle,
            "ecu_ts": ts,
            "ecu_seq": 0,
            "event_ts": ts,
            "speed_kmh": speed,
            "n_readings": readings,
            "dq_warnings": ["rpm_gr86"],
        }

    def write() -> DeltaTable:
        write_table("silver.telemetry", [row("s1", "a", 0, 100.0, 2), row("s1", "a", 1, float("nan"), 3)])
        return write_table("silver.telemetry", [row("s1", "b", 0, None, 1), row("s2", "b", 0, 50.5, 4)])

    return write
