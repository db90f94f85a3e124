"""Small files of a table, written anew as few by the driver: no query, one commit, and no row is another."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import pyarrow as pa

from conf.contract import load_contract
from medallion.data_files import file_of_partition, files_by_partition
from medallion.dataset import open_dataset
from medallion.io import Lake
from medallion.transaction import TableTransaction, write_in_turn

_SMALL_BYTES: Final = 500_000
_MANY_FILES: Final = 30


def merge_small_files(lake: Lake, name: str) -> int:
    """Write the small files of a table anew as few, once there are many; returns how many there were.

    A stream of small commits leaves a file each, and every reader looks at all of them. The rows stay as they are: the
    change feed and streams over the table see nothing of it.

    Args:
        lake: Where the table is.
        name: Table.
    """
    contract = load_contract(name)
    lake.ensure(name)

    def commit() -> int:
        transaction = TableTransaction(lake.spark, lake.uri(name))
        dataset = open_dataset(name, lake.settings, transaction.version)
        small = [(fragment.to_table(schema=dataset.schema), fragment, size) for fragment, size in _small_files(dataset)]
        removed = [file_of_partition(contract, rows.slice(0, 1), file.path, size) for rows, file, size in small]
        if small:
            rows = pa.concat_tables(rows for rows, _, _ in small)
            transaction.rewrite(removed, files_by_partition(contract, rows))
        return len(small)

    return write_in_turn(lake.uri(name), commit) if _small_files(open_dataset(name, lake.settings)) else 0


def _small_files(dataset: Any) -> list[tuple[Any, int]]:
    """Files, with their sizes, of those partitions that have many small ones."""
    by_folder: defaultdict[str, list[tuple[Any, int]]] = defaultdict(list)
    for fragment in dataset.get_fragments():
        size = fragment.filesystem.get_file_info(fragment.path).size
        if size <= _SMALL_BYTES:
            by_folder[fragment.path.rpartition("/")[0]].append((fragment, size))
    return [each for found in by_folder.values() if len(found) >= _MANY_FILES for each in found]
