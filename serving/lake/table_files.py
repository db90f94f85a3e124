"""How many files a table is in, from its transaction log alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from conf.frozen import FrozenModel
from serving.lake.reader import LakeReader


class TableFiles(FrozenModel):
    """A table's live data files.

    Attributes:
        files: How many.
        size_bytes: Their size.
        mergeable: Of them, those smaller than a target that share their partition with another such file.
    """

    files: int
    size_bytes: int
    mergeable: int


def count_table_files(lake: LakeReader, name: str, target_mb: int) -> TableFiles:
    """Count a table's live files.

    Args:
        lake: The lake.
        name: ``layer.table``.
        target_mb: Files of this size and more are large enough.

    Raises:
        LakeError: If the table cannot be opened.
    """
    adds: Any = pa.table(lake.table(name).get_add_actions(flatten=True))
    sizes: list[int] = adds.column("size_bytes").to_pylist()
    keys = [adds.column(column).to_pylist() for column in adds.column_names if column.startswith("partition.")]
    partitions = list(zip(*keys, strict=True)) if keys else [()] * len(sizes)
    small = Counter(where for where, size in zip(partitions, sizes, strict=True) if size < target_mb << 20)
    mergeable = sum(n for n in small.values() if n > 1)
    return TableFiles(files=len(sizes), size_bytes=sum(sizes), mergeable=mergeable)
