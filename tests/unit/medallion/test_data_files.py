"""Rows become files: one a partition, of many rows several, each of its own span of keys."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from conf.contract import load_contract
from medallion.arrow_rows import conform_rows
from medallion.data_files import MOST_ROWS, files_by_partition

TABLE = "silver.telemetry"


def samples(n: int, sessions: int = 1) -> pa.Table:
    """Samples of two cars, in no order."""
    order = np.random.default_rng(1).permutation(n)
    columns = {
        "session_id": pa.array([f"s{i % sessions}" for i in order]),
        "vehicle_id": pa.array([f"v{i % 2}" for i in order]),
        "ecu_ts": pa.array(order.astype("datetime64[us]"), pa.timestamp("us", "UTC")),
        "ecu_seq": pa.array(np.zeros(n, np.int32)),
    }
    return conform_rows(TABLE, pa.table(columns))


def test_many_rows_are_split_by_their_keys() -> None:
    n = 2 * MOST_ROWS + 1
    files = files_by_partition(load_contract(TABLE), samples(n))
    assert [len(file.rows) for file in files] == [n // 3] * 3
    keys = [(row["vehicle_id"], row["ecu_ts"]) for file in files for row in file.rows.to_pylist()]
    assert keys == sorted(keys)
    assert len(set(keys)) == n
    assert {file.partition["session_id"] for file in files} == {"s0"}


def test_few_rows_are_one_file_a_partition() -> None:
    files = files_by_partition(load_contract(TABLE), samples(30, sessions=3))
    assert sorted(file.partition["session_id"] for file in files) == ["s0", "s1", "s2"]
    assert sum(len(file.rows) for file in files) == 30
    assert files_by_partition(load_contract(TABLE), samples(0)) == []
