"""How many files a table is in, from its transaction log alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from conf.settings import AppConfig
from serving.lake.store import open_table


@dataclass(frozen=True)
class TableFiles:
    """A table's live data files.

    Attributes:
        files: How many.
        size_bytes: Their size.
        mergeable: Of them, those smaller than a target that share their partition with another such file.
    """

    files: int
    size_bytes: int
    mergeable: int


def table_files(name: str, settings: AppConfig, target_mb: int) -> TableFiles:
    """Count a table's live files.

    Args:
        name: ``layer.table``.
        settings: Whose lake.
        target_mb: Files of this size and more are large enough.

    Raises:
        LakeError: If the table cannot be opened.
    """
    adds: Any = pa.table(open_table(name, settings).get_add_actions(flatten=True))
    sizes: list[int] = adds.column("size_bytes").to_pylist()
    keys = [adds.column(column).to_pylist() for column in adds.column_names if column.startswith("partition.")]
    partitions = list(zip(*keys, strict=True)) if keys else [()] * len(sizes)
    small = Counter(where for where, size in zip(partitions, sizes, strict=True) if size < target_mb << 20)
    return TableFiles(len(sizes), sum(sizes), sum(n for n in small.values() if n > 1))
