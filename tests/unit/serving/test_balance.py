"""The lake's balance: it closes when nothing is lost, and names what is when it does not."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import orjson
import pytest
from rich.console import Console

from conf.settings import AppConfig
from serving.balance import Balance, lake_balance
from serving.render import balance_group, print_wide


def bronze(offsets: list[int], partition: int = 0) -> list[dict[str, object]]:
    day = date(2024, 1, 1)
    return [
        {"topic": "telemetry.raw", "kafka_partition": partition, "kafka_offset": o, "ingest_date": day} for o in offsets
    ]


def batch(query: str, batch_id: int, messages: int, *parts: int, units: int | None = None) -> dict[str, object]:
    written, repeats, conflicts, quarantined = parts
    return {
        "query": query,
        "batch_id": batch_id,
        "messages": messages,
        "units": sum(parts) if units is None else units,
        "written": written,
        "repeats": repeats,
        "conflicts": conflicts,
        "quarantined": quarantined,
        "offsets": [("telemetry.raw-0", {"from": 0, "to": messages})],
        "written_ts": datetime(2024, 1, 1, batch_id, tzinfo=UTC),
    }


@pytest.fixture
def lake(home, write_table, write_telemetry) -> AppConfig:
    """Eight messages, 17 units: 10 written (the telemetry of ``write_telemetry``), 4 repeats, 1 conflict, 2 refused."""
    write_table("bronze.telemetry_events", bronze([5, 6, 7, 8, 9]) + bronze([0, 1, 2], partition=1))
    write_telemetry()
    write_table("silver.conflicts", [{"bronze_offset": 7, "unit_index": 0}])
    write_table("silver.quarantine", [{"bronze_offset": 8, "unit_index": i} for i in (0, 1)])
    write_table("ops.reconciliation", [batch("q", 0, 5, 6, 0, 1, 1), batch("q", 1, 3, 4, 4, 0, 1)])
    return home


def failed(balance: Balance) -> dict[str, int]:
    return {check.name: check.difference for check in balance.checks if check.state == "failed"}


def test_it_closes_when_every_unit_is_accounted_for(lake):
    balance = lake_balance(lake)
    assert balance.closes
    assert not balance.broken
    assert (balance.bronze_rows, balance.total.units, balance.total.difference) == (8, 17, 0)
    assert balance.summary() == ("the balance closes: 17 units = 10 written + 4 repeats + 1 conflicts + 2 quarantined")
    assert orjson.loads(orjson.dumps(balance.as_dict()))["queries"][0]["units"] == 17


def test_nothing_ingested_is_said(home):
    balance = lake_balance(home)
    assert balance.empty
    assert balance.closes
    assert "nothing ingested yet" in balance.summary()


def test_bronze_before_silver_waits(home, write_table):
    write_table("bronze.telemetry_events", bronze([0, 1]))
    balance = lake_balance(home)
    assert not balance.closes
    assert not balance.broken
    assert "2 bronze messages wait for `slipstream stream silver`" in balance.summary()


def test_rows_lost_from_silver_are_found(lake):
    from serving.store import open_table

    open_table("silver.telemetry", lake).delete("session_id = 's2'")
    assert failed(lake_balance(lake)) == {"silver.telemetry: units written": -4}


@pytest.mark.parametrize("table", ["silver.conflicts", "silver.quarantine"])
def test_rows_counted_twice_are_found(lake, write_table, table):
    write_table(table, [{"bronze_offset": 8, "unit_index": 1}])
    assert list(failed(lake_balance(lake)).values()) == [1]


def test_an_offset_missing_and_one_twice_are_two_findings(lake, write_table):
    write_table("bronze.telemetry_events", bronze([11, 5]))
    assert failed(lake_balance(lake)) == {
        "telemetry.raw-0: no offset missing": -1,
        "telemetry.raw-0: no offset twice": 1,
    }


def test_errors_of_two_batches_do_not_cancel(lake, write_table):
    write_table("ops.reconciliation", [batch("r", 2, 4, 0, 0, 0, 0, units=1), batch("r", 3, 4, 0, 0, 0, 0, units=-1)])
    balance = lake_balance(lake)
    assert failed(balance) == {"r: every unit accounted for": 0}
    assert "r: every unit accounted for" in balance.summary()


def test_a_new_generation_that_reads_all_again_closes(lake, write_table):
    write_table("ops.reconciliation", [batch("q#2", 5, 8, 0, 16, 0, 0)])
    balance = lake_balance(lake)
    assert balance.closes
    assert [account.query for account in balance.accounts] == ["q", "q#2"]
    assert balance.total.messages == 16


def test_messages_read_twice_by_one_query_are_found(lake, write_table):
    write_table("ops.reconciliation", [batch("q", 2, 8, 0, 17, 0, 0)])
    assert failed(lake_balance(lake)) == {"q: every bronze message read once": 8}


def test_it_prints(lake, home):
    out = io.StringIO()
    print_wide(Console(file=out), balance_group(lake_balance(lake)))
    text = out.getvalue()
    assert "bronze rows: 8" in text
    assert "telemetry.raw-1: no offset missing" in text
    assert "the balance closes" in text
