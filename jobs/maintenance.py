"""Job: keep the lake's tables quick to read: merge small files, and remove what no reader can still need.

Streams write a file or more per table, partition and batch. Reading gets slower with their number, not with the rows in
them, so they are merged now and then. No row changes, and streams that follow a table do not see it happen.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from conf.errors import InputError
from conf.settings import AppConfig
from conf.tables import OPS_RETENTION
from jobs.arguments import whole_number
from jobs.job import BatchJob, RunContext
from jobs.retention import enforce_bronze_retention, enforce_topic_retention
from medallion.io import Lake
from medallion.provenance import job_run
from serving.lake.reader import LakeReader
from serving.lake.store import existing_tables, missing_table_error
from serving.lake.table_files import TableFiles, count_table_files

TARGET_MB: Final = 128
RETAIN_HOURS: Final = 168.0
"""Delta's own bound: readers and streams may be a week behind."""


def maintain_tables(
    lake: Lake,
    tables: Sequence[str],
    *,
    merge: Collection[str],
    target_mb: int,
    retain_hours: float,
    retention: bool = False,
    on_done: Callable[[str], None] = lambda _name: None,
) -> str | None:
    """Merge the small files of tables, then remove the files of versions that are no longer kept.

    Args:
        lake: Where the tables are.
        tables: Their names.
        merge: Those of them whose files are worth merging.
        target_mb: Files are merged up to this size; larger ones are left alone.
        retain_hours: How long versions stay readable.
        retention: Whether messages of bronze are removed that the settings call old.
        on_done: Called with each table's name when it is done.

    Returns:
        What was removed of bronze, ``None`` where nothing was to be.
    """
    with job_run(lake, JOB.name, (), tuple(tables)) as run:  # its tables are those asked for
        removed = enforce_bronze_retention(lake, run.run_id) if retention else None
        for name in tables:
            if name in merge:
                lake.compact(name, target_mb)
                run.rows_out += 1
            lake.vacuum(name, retain_hours)
            run.rows_in += 1
            on_done(name)
    return removed


def read_table_files(settings: AppConfig, only: Collection[str], target_mb: int) -> dict[str, TableFiles]:
    """The files of the lake's tables, by name.

    Args:
        settings: Say where the lake is.
        only: Tables; all that exist if empty.
        target_mb: Files below this size count as worth merging.

    Raises:
        MissingTableError: If one of them does not exist.
    """
    there = existing_tables(settings)
    for name in only:
        if name not in there:
            raise missing_table_error(name, settings)
    lake = LakeReader(settings)
    return {name: count_table_files(lake, name, target_mb) for name in there if not only or name in only}


def find_mergeable(files: Mapping[str, TableFiles]) -> set[str]:
    """Tables that have files worth merging."""
    return {name for name, found in files.items() if found.mergeable}


def describe_maintenance(before: Mapping[str, TableFiles], after: Mapping[str, TableFiles]) -> str:
    """The sentence that says how many files were merged."""
    files, left = (sum(found.files for found in some.values()) for some in (before, after))
    return f"{files:,} files became {left:,}; {len(find_mergeable(before))} of {len(before)} tables had files to merge"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("tables", nargs="*", help="tables, such as silver.telemetry (default: all)")
    parser.add_argument(
        "--target-mb",
        type=whole_number(1),
        default=TARGET_MB,
        help=f"merge files up to this size (default {TARGET_MB})",
    )
    parser.add_argument(
        "--retain-hours",
        type=float,
        default=RETAIN_HOURS,
        help=f"keep the files of versions replaced in the last so many hours (default and least {RETAIN_HOURS:g})",
    )


def _run(context: RunContext, given: Namespace) -> str:
    if given.retain_hours < RETAIN_HOURS:
        raise InputError(f"--retain-hours: {given.retain_hours:g} is less than {RETAIN_HOURS:g}")
    topics = None if given.tables else enforce_topic_retention(context.settings)
    before = read_table_files(context.settings, given.tables, given.target_mb)
    removed = maintain_tables(
        context.lake,
        list(before),
        merge=find_mergeable(before),
        target_mb=given.target_mb,
        retain_hours=given.retain_hours,
        retention=not given.tables,
    )
    merged = describe_maintenance(before, read_table_files(context.settings, given.tables, given.target_mb))
    return "; ".join(filter(None, (topics, removed, merged)))


JOB: Final = BatchJob(
    name="maintain",
    module="jobs.maintenance",
    command="maintain",
    summary="Merge the small files of tables, remove those of versions long replaced, and what retention calls old.",
    other_inputs=("the tables that are named, or all",),
    outputs=(OPS_RETENTION,),
    other_outputs=("the same rows in fewer files", "the topics' retention"),
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
