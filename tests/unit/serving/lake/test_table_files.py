"""Files of a table, and which of them are worth merging."""

from __future__ import annotations

from conf.settings import AppConfig
from serving.lake.reader import LakeReader
from serving.lake.table_files import count_table_files


def test_small_files_count_where_they_share_a_partition(home: AppConfig, write_table) -> None:
    def entry(session: str, number: int) -> dict[str, object]:
        return {"session_id": session, "vehicle_id": f"car-{number}"}

    for rows in ([entry("s1", 1), entry("s2", 1)], [entry("s1", 2)], [entry("s1", 3)]):
        write_table("silver.entries", rows)
    found = count_table_files(LakeReader(home), "silver.entries", 128)
    assert (found.files, found.mergeable) == (4, 3)
    assert found.size_bytes > 0
    assert count_table_files(LakeReader(home), "silver.entries", 0).mergeable == 0  # all are large enough


def test_a_table_without_partitions(home: AppConfig, write_table) -> None:
    write_table("silver.drivers", [{"vehicle_id": "a"}])
    assert count_table_files(LakeReader(home), "silver.drivers", 128).mergeable == 0
    write_table("silver.drivers", [{"vehicle_id": "b"}])
    assert count_table_files(LakeReader(home), "silver.drivers", 128).mergeable == 2
