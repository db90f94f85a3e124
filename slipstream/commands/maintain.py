"""``maintain``: keep the lake's tables quick to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, open_job_lake, print_summary, say, show_progress

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Merge small files, remove those of versions long replaced, and what the settings call old.

    Streams leave a file or more per table, session and batch, and reading slows down with their number. Run this once a
    day on a busy lake; no row changes, jobs may run meanwhile, and running it again does nothing. A stream that has
    stood still for longer than `--retain-hours` cannot resume from files that are gone.

    Without tables named, it also enforces retention: `BRONZE_RETENTION_DAYS` removes messages of bronze that silver has
    taken in, `KAFKA_RETENTION_HOURS` is told to the topics.

    Example: `slipstream maintain --dry-run`, `slipstream maintain silver.telemetry`
    """
    from conf.settings import get_settings
    from jobs.maintenance import JOB, read_table_files

    settings = get_settings()
    if not tables:
        _enforce_retention_of_topics(settings, dry_run=dry_run)
    before = read_table_files(settings, tables or (), target_mb)
    if dry_run:
        print_summary(JOB.dry_run_sentence)
        if not tables and settings.bronze_retention_days is not None:
            _print_old(settings)
    else:
        _maintain(before, target_mb, retain_hours, retention=not tables)
    after = before if dry_run else read_table_files(settings, tables or (), target_mb)
    _print(before, after, dry_run=dry_run)


def _enforce_retention_of_topics(settings: AppConfig, *, dry_run: bool) -> None:
    if settings.kafka_retention_hours is None:
        return
    if dry_run:
        say(f"would have topics keep messages for {settings.kafka_retention_hours:g} h")
        return
    from jobs.retention import enforce_topic_retention

    say(enforce_topic_retention(settings) or "")


def _print_old(settings: AppConfig) -> None:
    from jobs.retention import describe_old, plan_removals

    messages = sum(removal.messages for _, removal in plan_removals(settings))
    say(f"would remove {messages:,} messages of bronze, {describe_old(settings)}")


def _maintain(before: Mapping[str, TableFiles], target_mb: int, retain_hours: float, *, retention: bool) -> None:
    from jobs.maintenance import JOB, find_mergeable, maintain_tables

    lake = open_job_lake(JOB)
    done: list[str] = []
    with show_progress("tables") as update:

        def count(name: str) -> None:
            done.append(name)
            update("maintained", len(done), len(before))

        removed = maintain_tables(
            lake,
            list(before),
            merge=find_mergeable(before),
            target_mb=target_mb,
            retain_hours=retain_hours,
            retention=retention,
            on_done=count,
        )
    if removed:
        say(removed)


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
