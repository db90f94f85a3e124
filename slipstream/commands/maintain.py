"""``maintain``: keep the lake's tables quick to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from conf.settings import AppConfig
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

    settings = get_settings()
    names = _names(settings, tables or ())
    before = _files(settings, names, target_mb)
    if not dry_run:
        _maintain(settings, names, before, target_mb, retain_hours)
    after = before if dry_run else _files(settings, names, target_mb)
    _print(before, after, dry_run=dry_run)


def _names(settings: AppConfig, only: Sequence[str]) -> list[str]:
    from serving.lake.store import existing_tables, missing_table

    there = existing_tables(settings)
    for name in only:
        if name not in there:
            raise missing_table(name, settings)
    return [name for name in there if not only or name in only]


def _files(settings: AppConfig, names: Sequence[str], target_mb: int) -> dict[str, TableFiles]:
    from serving.lake.reader import LakeReader
    from serving.lake.table_files import table_files

    lake = LakeReader(settings)
    return {name: table_files(lake, name, target_mb) for name in names}


def _maintain(
    settings: AppConfig, names: Sequence[str], before: Mapping[str, TableFiles], target_mb: int, retain_hours: float
) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from jobs.maintenance import maintain
    from medallion.session import open_lake

    console = Console(stderr=True)
    with console.status("starting Spark …"):
        lake = open_lake(settings, "slipstream-maintain")
    with Progress(console=console, transient=True) as bars:
        task = bars.add_task("tables", total=len(names))
        maintain(
            lake,
            names,
            merge={name for name, files in before.items() if files.mergeable},
            target_mb=target_mb,
            retain_hours=retain_hours,
            on_done=lambda name: bars.update(task, advance=1, description=name),
        )


def _print(before: Mapping[str, TableFiles], after: Mapping[str, TableFiles], *, dry_run: bool) -> None:
    from rich.console import Console

    touched = {name: files for name, files in before.items() if files.mergeable}
    if touched:
        Console().print(_table(touched, after, dry_run=dry_run))
    mergeable, files = sum(f.mergeable for f in before.values()), sum(f.files for f in before.values())
    if dry_run:
        summary(f"would merge {mergeable:,} of {files:,} files in {len(touched)} of {len(before)} tables")
    else:
        left = sum(f.files for f in after.values())
        summary(f"{files:,} files became {left:,}; {len(touched)} of {len(before)} tables had files to merge")


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
