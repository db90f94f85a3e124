"""Events to silver: every message accounted for, first of a key wins, and a kill anywhere changes nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conf.families import ENVIRONMENT, EVENT_FAMILIES, RACE, TIMING
from medallion.io import Lake
from medallion.silver.promote_events import EventProcessor, event_ce_type, event_table_contract
from medallion.silver.reconciliation import BatchReconciliation
from tests.spark.messages import Stored

AT = 1_757_184_041_775_000


def event(offset: int, kind: str, topic: str = "timing.raw", **fields: Any) -> Stored:
    value = {"session_id": "S-R1", **fields}
    return Stored(topic, 0, offset, event_ce_type(f"{kind}.v1"), "replay", orjson.dumps(value))


def lap_end(offset: int, lap: int = 3, at_us: int = AT, **fields: Any) -> Stored:
    return event(offset, "lap_end", vehicle_id="GR86-002-2", lap=lap, time_us=at_us, **fields)


def sectors(offset: int, lap: int = 1, **fields: Any) -> Stored:
    return event(offset, "sector_times", vehicle_number=2, lap_number=lap, **fields)


def test_every_event_has_a_table_and_every_field_a_column_or_a_reason() -> None:
    found = {e: event_table_contract(f, e).name for f in EVENT_FAMILIES for e in f.events}
    assert found == {
        "lap_start.v1": "silver.timing_events",
        "lap_end.v1": "silver.timing_events",
        "lap_time.v1": "silver.timing_events",
        "sector_times.v1": "silver.sector_times",
        "result.v1": "silver.result_lines",
        "field.v1": "silver.field_state",
        "weather.v1": "silver.environment",
    }


@pytest.mark.parametrize("most", [600_000, 0], ids=["driver", "spark"])
def test_repeats_conflicts_and_refusals_are_counted_and_listed(most: int, lake: Lake, to_bronze, rows) -> None:
    lake = Lake(lake.spark, lake.settings.model_copy(update={"driver_max_samples": most}))
    messages = [
        lap_end(0),
        lap_end(1),  # the same again
        lap_end(2, vehicle_number=7),  # the same crossing with another number
        lap_end(3, lap=32768),
        lap_end(4, at_us=-5),
        sectors(5, lap_time_ms=98_326, sector_1_ms=26_914),
        sectors(6, lap_time_ms=98_327, sector_1_ms=26_914),
        event(7, "weather", time_us=AT),  # of another topic
        Stored("timing.raw", 0, 8, event_ce_type("lap_end.v1"), "replay", b"{"),
        Stored("timing.raw", 0, 9, None, None, b"\xff\xfe"),
        Stored("timing.raw", 0, 10, event_ce_type("lap_time.v1"), "replay", None),
    ]
    balance = EventProcessor(lake, TIMING, "run").process(to_bronze(messages), 0, "silver_timing:a")
    assert balance == BatchReconciliation(messages=11, units=11, written=3, repeats=1, conflicts=2, quarantined=5)
    timing = rows(lake, "silver.timing_events")
    assert timing.select("kind", "lap", "bronze_offset").rows() == [("lap_end", 3, 0), ("lap_end", 32768, 3)]
    assert rows(lake, "silver.sector_times")["lap_time_ms"].to_list() == [98_326]
    refused = rows(lake, "silver.quarantine").sort("bronze_offset")
    assert {r["bronze_offset"]: r["reasons"][0]["rule"] for r in refused.to_dicts()} == {
        4: "time_us_plausible",
        7: "unknown_event_type",
        8: "not_this_event",
        9: "missing_event_type",
        10: "empty_payload",
    }
    listed = rows(lake, "silver.conflicts").sort("bronze_offset")
    assert listed.select("bronze_offset", "channel", "refused_value").rows() == [
        (2, "silver.timing_events.vehicle_number", 7.0),
        (6, "silver.sector_times.lap_time_ms", 98_327.0),
    ]


def test_a_second_sending_adds_nothing(lake: Lake, to_bronze, rows) -> None:
    def batch(start: int) -> list[Stored]:
        weather = [event(start + i, "weather", "environment.raw", time_us=AT + i, air_temp_c=20.0 + i) for i in (0, 1)]
        return [*weather, event(start + 2, "weather", "environment.raw", time_us=AT, air_temp_c=21.0)]

    processor = EventProcessor(lake, ENVIRONMENT, "run")
    assert processor.process(to_bronze(batch(0)), 0, "silver_environment:a") == BatchReconciliation(3, 3, 2, 0, 1, 0)
    before = rows(lake, "silver.environment")
    assert processor.process(to_bronze(batch(3)), 1, "silver_environment:a") == BatchReconciliation(3, 3, 0, 2, 1, 0)
    assert rows(lake, "silver.environment").equals(before)
    assert processor.process(to_bronze(batch(3)), 1, "silver_environment:a") is None  # done before


def test_sheets_of_one_race_stand_beside_each_other(lake: Lake, to_bronze, rows) -> None:
    line = {"vehicle_number": 13, "laps": 27, "fl_time_ms": 97_428}
    messages = [
        event(0, "result", "race.raw", sheet="results", is_official=False, position=1, **line),
        event(1, "result", "race.raw", sheet="results_by_class", is_official=True, position=1, **line),
        event(2, "result", "race.raw", sheet="best_of", is_official=True, **line),
    ]
    balance = EventProcessor(lake, RACE, "run").process(to_bronze(messages), 0, "silver_race:a")
    assert balance == BatchReconciliation(3, 3, 2, 0, 0, 1)
    assert rows(lake, "silver.result_lines")["sheet"].to_list() == ["results", "results_by_class"]


@pytest.mark.parametrize("most", [600_000, 0], ids=["driver", "spark"])
def test_numbers_are_text_and_a_car_is_its_chassis(most: int, lake: Lake, to_bronze, rows) -> None:
    def crossing(offset: int, vehicle_id: str, lap: int, **fields: Any) -> Stored:
        return event(offset, "lap_end", vehicle_id=vehicle_id, lap=lap, time_us=AT + lap, **fields)

    lake = Lake(lake.spark, lake.settings.model_copy(update={"driver_max_samples": most}))
    messages = [
        sectors(0, car_number="02"),
        sectors(1),
        sectors(2, car_number="2"),  # what the message before says without it
        crossing(3, "GR86-004-000", 1),
        crossing(4, "GR86-005-1", 1, original_vehicle_id="GR86-006-1"),
        crossing(5, "left", 1, original_vehicle_id="right"),
        crossing(6, "right\n", 1, original_vehicle_id="right"),
        crossing(7, "GR86-005-1\n", 1, original_vehicle_id="GR86-005-1"),
    ]
    later = [crossing(8, "GR86-004-78", 2), crossing(9, "GR86-004-000", 1), crossing(10, "left", 2)]
    processor = EventProcessor(lake, TIMING, "run")
    assert processor.process(to_bronze(messages), 0, "silver_timing:a") == BatchReconciliation(8, 8, 5, 1, 0, 2)
    assert EventProcessor(lake, TIMING, "run").process(to_bronze(later), 1, "silver_timing:a") == BatchReconciliation(
        3, 3, 2, 1, 0, 0
    )
    assert sorted(rows(lake, "silver.sector_times").select("vehicle_number", "car_number").rows()) == [
        (2, "02"),
        (2, "2"),
    ]
    assert sorted(rows(lake, "silver.timing_events").select("vehicle_id", "lap").rows()) == [
        ("GR86-004-000", 1),
        ("GR86-004-000", 2),
        ("GR86-005-1", 1),
        ("left", 2),
        ("right", 1),
    ]


BATCH = [lap_end(0), lap_end(1), lap_end(2, vehicle_number=7), lap_end(3, at_us=-5), sectors(4)]


@pytest.fixture(scope="module")
def stored(new_lake, to_bronze) -> Lake:
    """A lake with the batch in bronze and nothing in silver."""
    lake = new_lake("stored")
    lake.append(to_bronze(BATCH), TIMING.bronze)
    return lake


@pytest.fixture(scope="module")
def whole(new_lake, to_bronze) -> Lake:
    """What a batch that nobody cuts off becomes."""
    lake = new_lake("whole")
    EventProcessor(lake, TIMING, "run").process(to_bronze(BATCH), 0, "silver_timing:a")
    return lake


@pytest.mark.parametrize("step", ["quarantine", "conflicts", "balance", "timing_events"])
def test_a_batch_cut_off_at_any_step_ends_as_if_it_had_not_been(
    step: str, stored: Lake, whole: Lake, new_lake, to_bronze, rows, monkeypatch
) -> None:
    lake = new_lake("cut", stored)
    append, append_rows = Lake.append, Lake.append_rows

    def die_after(name: str, txn: Any) -> None:
        if (txn and txn.app.endswith(f":{step}")) or name == f"silver.{step}":
            raise KeyboardInterrupt

    def appends(self: Lake, df: Any, name: str, txn: Any = None) -> None:
        append(self, df, name, txn)
        die_after(name, txn)

    def appends_rows(self: Lake, name: str, rows: Any, txn: Any = None) -> None:
        append_rows(self, name, rows, txn)
        die_after(name, txn)

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "append", appends)
        patched.setattr(Lake, "append_rows", appends_rows)
        with pytest.raises(KeyboardInterrupt):
            EventProcessor(lake, TIMING, "run").process(to_bronze(BATCH), 0, "silver_timing:a")
    # The checkpoint is gone as well: another generation of the query reads bronze from its beginning.
    EventProcessor(lake, TIMING, "run").process(lake.read(TIMING.bronze), 0, "silver_timing:b")
    for name in (*TIMING.tables, "silver.quarantine", "silver.conflicts"):
        assert rows(lake, name).equals(rows(whole, name)), name
