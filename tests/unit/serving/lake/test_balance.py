"""The lake's balance: it closes when nothing is lost, and names what is when it does not."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import orjson
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction

from conf.lake import table_uri
from conf.plain_console import PlainConsole
from conf.settings import AppConfig
from serving.lake.balance import reconcile_lake
from serving.lake.reader import LakeReader
from serving.lake.reconciliation import LakeBalance
from slipstream.terminal.tables import balance_group


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
def lake(home, write_table, write_telemetry) -> LakeReader:
    """Eight messages, 17 units: 10 written (the telemetry of ``write_telemetry``), 4 repeats, 1 conflict, 2 refused."""
    write_table("bronze.telemetry_events", bronze([5, 6, 7, 8, 9]) + bronze([0, 1, 2], partition=1))
    write_telemetry()
    write_table("silver.conflicts", [{"bronze_offset": 7, "unit_index": 0}])
    write_table("silver.quarantine", [{"bronze_offset": 8, "unit_index": i} for i in (0, 1)])
    write_table("ops.reconciliation", [batch("q", 0, 5, 6, 0, 1, 1), batch("q", 1, 3, 4, 4, 0, 1)])
    complete("q", 1, home)
    return LakeReader(home)


def complete(query: str, batch_id: int, settings: AppConfig) -> None:
    """Commit the transaction that ends a batch."""
    table = DeltaTable(table_uri("silver.telemetry", settings))
    properties = CommitProperties(app_transactions=[Transaction(f"{query}:rows", batch_id)])
    table.create_write_transaction([], "append", table.schema(), ["session_id"], commit_properties=properties)


def failed(balance: LakeBalance) -> dict[str, int]:
    return {check.name: check.difference for check in balance.checks if check.state == "failed"}


def test_it_closes_when_every_unit_is_accounted_for(lake):
    balance = reconcile_lake(lake)
    assert balance.closes
    assert not balance.broken
    assert (balance.bronze_rows, balance.total.units, balance.total.difference) == (8, 17, 0)
    assert balance.summary == ("the balance closes: 17 units = 10 written + 4 repeats + 1 conflicts + 2 quarantined")
    assert orjson.loads(balance.model_dump_json())["queries"][0]["units"] == 17


def test_nothing_ingested_is_said(home):
    balance = reconcile_lake(LakeReader(home))
    assert balance.empty
    assert balance.closes
    assert "nothing ingested yet" in balance.summary


def test_bronze_before_silver_waits(home, write_table):
    write_table("bronze.telemetry_events", bronze([0, 1]))
    balance = reconcile_lake(LakeReader(home))
    assert not balance.closes
    assert not balance.broken
    assert "2 bronze messages wait for `slipstream stream silver`" in balance.summary


def test_rows_lost_from_silver_are_found(lake):
    lake.table("silver.telemetry").delete("session_id = 's2'")
    assert failed(reconcile_lake(lake)) == {"silver.telemetry: units written": -4}


@pytest.mark.parametrize("table", ["silver.conflicts", "silver.quarantine"])
def test_rows_counted_twice_are_found(lake, write_table, table):
    write_table(table, [{"bronze_offset": 8, "unit_index": 1}])
    assert list(failed(reconcile_lake(lake)).values()) == [1]


def test_an_offset_missing_and_one_twice_are_two_findings(lake, write_table):
    write_table("bronze.telemetry_events", bronze([11, 5]))
    assert failed(reconcile_lake(lake)) == {
        "telemetry.raw-0: no offset missing": -1,
        "telemetry.raw-0: no offset twice": 1,
    }


def test_errors_of_two_batches_do_not_cancel(lake, write_table):
    write_table("ops.reconciliation", [batch("r", 2, 0, 0, 0, 0, 0, units=1), batch("r", 3, 0, 0, 0, 0, 0, units=-1)])
    balance = reconcile_lake(lake)
    assert failed(balance) == {"r: every unit accounted for": 0}
    assert "r: every unit accounted for" in balance.summary


def test_generations_share_the_messages(lake, write_table):
    write_table("bronze.telemetry_events", bronze([10, 11]))
    assert "2 bronze messages wait" in reconcile_lake(lake).summary
    write_table("ops.reconciliation", [batch("q#2", 5, 2, 0, 2, 0, 0)])
    balance = reconcile_lake(lake)
    assert balance.closes
    assert [account.query for account in balance.queries] == ["q", "q#2"]
    assert balance.total.messages == 10


def test_messages_read_twice_are_found(lake, write_table):
    write_table("ops.reconciliation", [batch("q#2", 5, 8, 0, 17, 0, 0)])
    assert failed(reconcile_lake(lake)) == {"every bronze message read once": 8}


def retained(partition: int, kept_from: int) -> dict[str, object]:
    return {"topic": "telemetry.raw", "kafka_partition": partition, "kept_from": kept_from}


def without(table: DeltaTable, condition: str) -> None:
    """Remove rows as retention does, or an accident."""
    table.delete(condition)


def test_what_retention_removed_is_accounted_for_and_no_more(home, write_table, write_telemetry):
    write_table("bronze.telemetry_events", bronze([0, 1, 2, 3, 4, 5, 6, 7]))
    write_telemetry()
    write_table("silver.conflicts", [{"bronze_offset": 7, "unit_index": 0}])
    write_table("silver.quarantine", [{"bronze_offset": 7, "unit_index": i} for i in (0, 1)])
    write_table("ops.reconciliation", [batch("q", 0, 8, 10, 4, 1, 2)])
    complete("q", 0, home)
    write_table("ops.retention", [retained(0, 3)])
    lake = LakeReader(home)
    assert reconcile_lake(lake).closes, "it was noted, and not done yet"
    without(lake.table("bronze.telemetry_events"), "kafka_offset < 3")
    assert reconcile_lake(lake).closes
    without(lake.table("bronze.telemetry_events"), "kafka_offset < 5")
    assert failed(reconcile_lake(lake)) == {"every bronze message read once": 2}, "two more than was allowed"


def test_a_batch_whose_rows_are_still_to_come_waits(lake, write_table):
    """The account is written before the rows, whose transaction is the last of the batch."""
    write_table("bronze.telemetry_events", bronze([10]))
    write_table("ops.reconciliation", [batch("q", 2, 1, 7, 0, 0, 0)])
    balance = reconcile_lake(lake)
    assert balance.total.pending_written == 7
    assert not balance.broken
    assert not balance.closes
    assert "under way or was cut off" in balance.summary


def test_rows_missing_from_a_completed_batch_are_lost(lake, write_table):
    write_table("bronze.telemetry_events", bronze([10]))
    write_table("ops.reconciliation", [batch("q", 2, 1, 7, 0, 0, 0)])
    complete("q", 2, lake.settings)
    assert failed(reconcile_lake(lake)) == {"silver.telemetry: units written": -7}


@pytest.mark.parametrize(
    ("table", "column"), [("silver.conflicts", "noted_ts"), ("silver.quarantine", "quarantined_ts")]
)
def test_rows_newer_than_the_last_account_wait_for_theirs(lake, write_table, table, column):
    write_table("bronze.telemetry_events", bronze([10]))
    write_table(table, [{"bronze_offset": 10, "unit_index": 0, column: datetime(2024, 1, 2, tzinfo=UTC)}])
    balance = reconcile_lake(lake)
    assert not balance.broken
    assert {c.name.partition(":")[0] for c in balance.checks if c.state == "waiting"} == {
        table,
        "every bronze message read once",
    }


def test_the_first_batch_may_be_under_way_before_any_account(home, write_table):
    write_table("bronze.telemetry_events", bronze([0]))
    write_table("silver.quarantine", [{"bronze_offset": 0, "unit_index": 0, "quarantined_ts": datetime.now(UTC)}])
    assert not reconcile_lake(LakeReader(home)).broken


def test_tables_that_change_while_they_are_read_are_read_again(lake, write_table, monkeypatch):
    """A batch that completes between two reads is no loss."""
    from serving.lake import balance as module

    counted = module._query_totals

    def batch_completes_after(now, existing):
        accounts = counted(now, existing)
        monkeypatch.setattr(module, "_query_totals", counted)
        write_table("silver.quarantine", [{"bronze_offset": 10, "unit_index": 0}])
        write_table("bronze.telemetry_events", bronze([10]))
        write_table("ops.reconciliation", [batch("q", 2, 1, 0, 0, 0, 1)])
        return accounts

    monkeypatch.setattr(module, "_query_totals", batch_completes_after)
    assert reconcile_lake(lake).closes


def test_it_prints(lake, home):
    out = io.StringIO()
    PlainConsole(file=out).print_wide(balance_group(reconcile_lake(lake)))
    text = out.getvalue()
    assert "bronze rows: 8" in text
    assert "telemetry.raw-1: no offset missing" in text
    assert "the balance closes" in text


def test_simulated_truth_is_looked_at_and_is_no_unit(lake, write_table):
    before = reconcile_lake(lake)
    rows = [row | {"topic": "truth.raw"} for row in bronze([0, 1, 2])]
    write_table("bronze.truth_events", rows)
    balance = reconcile_lake(lake)
    assert balance.closes
    assert (balance.bronze_rows, balance.total) == (before.bronze_rows, before.total)
    assert "truth.raw-0: no offset missing" in {check.name for check in balance.checks}
    write_table("bronze.truth_events", [rows[0] | {"kafka_offset": 4}])
    assert failed(reconcile_lake(lake)) == {"truth.raw-0: no offset missing": -1}
