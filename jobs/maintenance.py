"""Keep the lake's tables quick to read: merge small files, and remove what no reader can still need.

Streams write a file or more per table, partition and batch. Reading gets slower with their number, not with the rows in
them, so they are merged now and then. No row changes, and streams that follow a table do not see it happen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from medallion.io import Lake
from medallion.provenance import job_run

JOB: Final = "maintain"


def maintain(
    lake: Lake,
    tables: Sequence[str],
    *,
    merge: Collection[str],
    target_mb: int,
    retain_hours: float,
    on_done: Callable[[str], None] = lambda _name: None,
) -> None:
    """Merge the small files of tables, then remove the files of versions that are no longer kept.

    Args:
        lake: Where the tables are.
        tables: Their names.
        merge: Those of them whose files are worth merging.
        target_mb: Files are merged up to this size; larger ones are left alone.
        retain_hours: How long versions stay readable.
        on_done: Called with each table's name when it is done.
    """
    with job_run(lake, JOB, (), tuple(tables)) as run:
        for name in tables:
            if name in merge:
                lake.compact(name, target_mb)
                run.rows_out += 1
            lake.vacuum(name, retain_hours)
            run.rows_in += 1
            on_done(name)
