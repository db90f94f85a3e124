"""Small files of a table become few; rows, change feed and identities of writes stay."""

from __future__ import annotations

from medallion.changes import TableChanges
from medallion.io import Lake
from medallion.small_files import merge_small_files
from medallion.transaction import Txn

LAPS = "silver.laps"


def files(lake: Lake) -> set[str]:
    return set(lake.read(LAPS).inputFiles())


def test_many_become_few_and_nobody_sees_it(lake, rows) -> None:
    for n in range(40):
        lap = {"session_id": "a", "vehicle_id": "x", "lap_number": n, "lap_time_ms": n}
        lake.append_rows(LAPS, [lap], Txn("appends", n))
    before, version = rows(lake, LAPS), lake.version(LAPS)
    assert len(files(lake)) == 40
    assert merge_small_files(lake, LAPS) == 40
    assert len(files(lake)) == 1
    assert rows(lake, LAPS).equals(before)
    assert lake.last_txn(LAPS, "appends") == 39
    changes = TableChanges(lake, {LAPS: version}, {LAPS: lake.version(LAPS)})
    assert changes.changed == [LAPS]
    assert sum(found.num_rows for found in changes.rows(LAPS, ("lap_number",))) == 0
    assert merge_small_files(lake, LAPS) == 0
    assert lake.version(LAPS) == version + 1
