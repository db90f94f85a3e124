"""``maintain``: keep the lake's tables quick to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, open_job_lake, print_summary, show_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from serving.lake.table_files import TableFiles

app = typer.Typer()


@app.command(rich_help_panel="Lake")
def maintain(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Tables, such as silver.telemetry; all if left out.")
    ] = None,
    target_mb: Annotated[int, typer.Option(help="Merge files up to this size.", min=1)] = 128,
    retain_hours: Annotated[
        float, typer.Option(help="Keep the files of versions replaced in the last so many hours.", min=168.0)
    ] = 168.0,
    dry_run: DryRun = False,
) -> None:
    """Merge small files and remove those of versions long replaced.

    Streams leave a file or more per table, session and batch, and reading slows down with their number. Run this once a
    day on a busy lake; no row changes, jobs may run meanwhile, and running it again does nothing. A stream that has
    stood still for longer than `--retain-hours` cannot resume from files that are gone.

    Example: `slipstream maintain --dry-run`, `slipstream maintain silver.telemetry`
    """
    from conf.settings import get_settings
    from jobs.maintenance import JOB, read_table_files

    settings = get_settings()
    before = read_table_files(settings, tables or (), target_mb)
    if dry_run:
        print_summary(JOB.dry_run_sentence)
    else:
        _maintain(before, target_mb, retain_hours)
    after = before if dry_run else read_table_files(settings, tables or (), target_mb)
    _print(before, after, dry_run=dry_run)


def _maintain(before: Mapping[str, TableFiles], target_mb: int, retain_hours: float) -> None:
    from jobs.maintenance import JOB, find_mergeable, maintain_tables

    lake = open_job_lake(JOB)
    done: list[str] = []
    with show_progress("tables") as update:

        def count(name: str) -> None:
            done.append(name)
            update("maintained", len(done), len(before))

        maintain_tables(
            lake,
            list(before),
            merge=find_mergeable(before),
            target_mb=target_mb,
            retain_hours=retain_hours,
            on_done=count,
        )


def _print(before: Mapping[str, TableFiles], after: Mapping[str, TableFiles], *, dry_run: bool) -> None:
    from conf.plain_console import PlainConsole
    from jobs.maintenance import describe_maintenance

    touched = {name: files for name, files in before.items() if files.mergeable}
    if touched:
        PlainConsole().print(_table(touched, after, dry_run=dry_run))
    mergeable, files = sum(f.mergeable for f in before.values()), sum(f.files for f in before.values())
    if dry_run:
        print_summary(f"would merge {mergeable:,} of {files:,} files in {len(touched)} of {len(before)} tables")
    else:
        print_summary(describe_maintenance(before, after))


def _table(before: Mapping[str, TableFiles], after: Mapping[str, TableFiles], *, dry_run: bool) -> Table:
    from rich.table import Table

    table = Table("table", box=None, pad_edge=False)
    for title in ("files", "of them to merge" if dry_run else "files now", "MB", *([] if dry_run else ["MB now"])):
        table.add_column(title, justify="right")
    for name, files in sorted(before.items(), key=lambda item: -item[1].mergeable):
        now = after[name]
        second = f"{files.mergeable if dry_run else now.files:,}"
        sizes = [files.size_bytes] if dry_run else [files.size_bytes, now.size_bytes]
        table.add_row(name, f"{files.files:,}", second, *(f"{size / 1e6:,.1f}" for size in sizes))
    return table
