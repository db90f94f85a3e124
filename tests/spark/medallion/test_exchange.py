"""Rows exchanged on the driver: what stands is what should, nothing else is touched, and other writers are seen."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from delta.exceptions import DeltaConcurrentModificationException

from medallion.exchange import exchange_rows, read_files, set_columns
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.part import Part, laps_part, sessions_part
from medallion.reading import read_rows
from medallion.side_by_side import run_side_by_side
from medallion.transaction import TableTransaction

LAPS = "silver.laps"
AT = datetime(2025, 3, 1, 15, 0, 0, 123457, tzinfo=UTC)


def lap(session: str, vehicle: str, number: int, **values: object) -> dict[str, object]:
    return {
        "session_id": session,
        "vehicle_id": vehicle,
        "lap_number": number,
        "lap_time_ms": 90_000,
        "lap_start_ts": AT,
        "top_speed_kmh": float("nan"),
        "fit_for": ["pace"],
        **values,
    }


def stored(lake: Lake) -> dict[tuple[str, str, int], tuple[int, str]]:
    """Lap time and run of each lap, as Spark reads them."""
    rows = lake.read(LAPS).collect()
    return {(r.session_id, r.vehicle_id, r.lap_number): (r.lap_time_ms, r.run_id) for r in rows}


def files(lake: Lake, session: str) -> set[str]:
    return {Path(f).name for f in lake.read(LAPS).where(f"session_id = '{session}'").inputFiles()}


def test_only_what_differs_is_written(lake) -> None:
    both = sessions_part(["a:b%", "c"])
    first = [lap("a:b%", "x", 1), lap("a:b%", "x", 2), lap("a:b%", "y", 1), lap("c", "x", 1)]
    assert exchange_rows(lake, LAPS, first, both, "one") == 4
    version, other = lake.version(LAPS), files(lake, "c")
    assert exchange_rows(lake, LAPS, reversed(first), both, "two") == 0
    assert lake.version(LAPS) == version, "equal rows make no commit"

    own = sessions_part(["a:b%"])
    now = [lap("a:b%", "x", 1), lap("a:b%", "x", 2, lap_time_ms=91_000), lap("a:b%", "z", 1)]
    assert exchange_rows(lake, LAPS, now, own, "two") == 3  # one changed, one gone, one new
    assert stored(lake) == {
        ("a:b%", "x", 1): (90_000, "one"),
        ("a:b%", "x", 2): (91_000, "two"),
        ("a:b%", "z", 1): (90_000, "two"),
        ("c", "x", 1): (90_000, "one"),
    }
    assert files(lake, "c") == other
    assert read_rows(lake, LAPS, laps_part([LapKey("a:b%", "x", 2)]))[0].lap_start_ts == AT
    told = lake.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", version + 1)
    changes = told.load(lake.uri(LAPS)).select("_change_type", "vehicle_id", "lap_number").collect()
    assert sorted(map(tuple, changes)) == [
        ("delete", "y", 1),
        ("insert", "z", 1),
        ("update_postimage", "x", 2),
        ("update_preimage", "x", 2),
    ]
    assert exchange_rows(lake, LAPS, [], own, "three") == 3
    assert set(stored(lake)) == {("c", "x", 1)}


def test_a_row_beside_the_part_stays(lake) -> None:
    exchange_rows(lake, LAPS, [lap("a", "x", 1), lap("a", "x", 2)], sessions_part(["a"]), "one")
    exchange_rows(lake, LAPS, [lap("a", "x", 1, lap_time_ms=1)], laps_part([LapKey("a", "x", 1)]), "two")
    assert stored(lake) == {("a", "x", 1): (1, "two"), ("a", "x", 2): (90_000, "one")}
    assert exchange_rows(lake, LAPS, [], Part(), "three") == 0


def test_files_are_skipped_by_what_is_written_of_them(lake) -> None:
    exchange_rows(lake, LAPS, [lap("a", "x", 1)], laps_part([LapKey("a", "x", 1)]), "one")
    exchange_rows(lake, LAPS, [lap("a", "x", 2)], laps_part([LapKey("a", "x", 2)]), "one")
    assert len(files(lake, "a")) == 2
    assert len(lake.read(LAPS).where("lap_number = 2 AND session_id = 'a'").inputFiles()) == 1
    assert len(read_files(lake, LAPS, laps_part([LapKey("a", "x", 2)]))) == 1
    just = lake.read(LAPS).where("lap_start_ts = TIMESTAMP '2025-03-01 15:00:00.123457'")
    assert just.count() == 2, "bounds are rounded outwards"


def test_a_commit_in_between_is_seen(lake, monkeypatch) -> None:
    part = sessions_part(["a"])
    exchange_rows(lake, LAPS, [lap("a", "x", 1)], part, "one")
    replace, tries = TableTransaction.replace, []

    def late(self, *args) -> bool:
        tries.append(self.version)
        if len(tries) == 1:  # another writer is quicker
            monkeypatch.setattr(TableTransaction, "replace", replace)
            exchange_rows(lake, LAPS, [lap("a", "x", 1), lap("a", "y", 1)], part, "other")
            monkeypatch.setattr(TableTransaction, "replace", late)
        return replace(self, *args)

    monkeypatch.setattr(TableTransaction, "replace", late)
    assert exchange_rows(lake, LAPS, [lap("a", "x", 1, lap_time_ms=5)], part, "two") == 2
    assert stored(lake) == {("a", "x", 1): (5, "two")}
    assert len(tries) == 2

    def never(self, *args) -> None:
        raise DeltaConcurrentModificationException("another was quicker")

    monkeypatch.setattr(TableTransaction, "replace", never)
    monkeypatch.setattr("medallion.transaction.time.sleep", lambda _: None)
    with pytest.raises(DeltaConcurrentModificationException):
        exchange_rows(lake, LAPS, [], part, "three")


def test_no_job_is_run(lake) -> None:
    part, context = sessions_part(["a"]), lake.spark.sparkContext
    exchange_rows(lake, LAPS, [lap("a", "x", 1)], part, "one")
    context.setJobGroup("exchange", "exchange")
    try:
        exchange_rows(lake, LAPS, [lap("a", "x", 1, lap_time_ms=2)], part, "two")
        assert read_rows(lake, LAPS, part)[0].lap_time_ms == 2
        jobs = [context._jsc.sc().statusStore().job(j) for j in context.statusTracker().getJobIdsForGroup("exchange")]
        assert not [(job.name(), job.description().toString()) for job in jobs]
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)


def test_what_no_table_takes_is_refused(lake) -> None:
    with pytest.raises(ValueError, match=r"silver\.laps: two rows have one key"):
        exchange_rows(lake, LAPS, [lap("a", "x", 1), lap("a", "x", 1)], sessions_part(["a"]), "one")
    with pytest.raises(ValueError, match=r"silver\.laps: vehicle_id must have a value and has none"):
        exchange_rows(lake, LAPS, [lap("a", None, 1)], sessions_part(["a"]), "one")  # type: ignore[arg-type]


def test_threads_of_one_process_never_refuse_each_others_commits(lake, monkeypatch) -> None:
    monkeypatch.setattr("medallion.transaction._ATTEMPTS", 1)
    exchange_rows(lake, LAPS, [lap("a", "x", n) for n in range(8)], sessions_part(["a"]), "one")

    def append(n: int) -> None:
        lake.append_rows(LAPS, [lap("a", "y", n)])

    def alter(n: int) -> None:
        values = pa.table({"session_id": ["a"], "vehicle_id": ["x"], "lap_number": [n], "lap_time_ms": [n]})
        assert set_columns(lake, LAPS, values, sessions_part(["a"])) == 1

    run_side_by_side(partial(step, n) for n in range(8) for step in (append, alter))
    found = {key: lap_time_ms for key, (lap_time_ms, _) in stored(lake).items()}
    assert found == {("a", "x", n): n for n in range(8)} | {("a", "y", n): 90_000 for n in range(8)}


def test_to_set_columns_only_the_files_of_those_rows_are_read(lake, monkeypatch) -> None:
    for n in range(5):
        lake.append_rows(LAPS, [lap("a", "x", 2 * n), lap("a", "x", 2 * n + 1)])
    found = []
    monkeypatch.setattr("medallion.exchange.read_files", lambda *args: found.append(read_files(*args)) or found[-1])
    values = pa.table({"session_id": ["a"] * 2, "vehicle_id": ["x"] * 2, "lap_number": [1, 8], "lap_time_ms": [5, 6]})
    assert set_columns(lake, LAPS, values, sessions_part(["a"])) == 2
    assert [len(files) for files in found] == [2]
    assert {key[2]: time for key, (time, _) in stored(lake).items()} == dict.fromkeys(range(10), 90_000) | {1: 5, 8: 6}
