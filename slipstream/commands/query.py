"""``tables``, ``describe`` and ``sql``: the lake's tables without a JVM."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from slipstream.console import Format, print_answer, print_csv, print_summary

app = typer.Typer()

PANEL = "Query"
TABLE_ROWS = 50


@app.command(rich_help_panel=PANEL)
def tables(output: Format = "table") -> None:
    """List the tables: rows, version, size, key, last write; and which command makes those that are not there yet.

    `slipstream tables` · `slipstream tables --format json`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.describe import list_tables
    from serving.lake.reader import LakeReader
    from slipstream.terminal.tables import tables_table

    settings = get_settings()
    infos = list_tables(LakeReader(settings))
    if output == "json":
        print_answer(infos)
        return
    PlainConsole().print_wide(tables_table(infos))
    present = sum(info.exists for info in infos)
    print_summary(f"{present} of {len(infos)} tables exist in {settings.lake_root}")


@app.command(rich_help_panel=PANEL)
def describe(
    table: Annotated[str, typer.Argument(help="As layer.table, such as silver.telemetry.")], output: Format = "table"
) -> None:
    """Describe a table: rows, version, size, key, and its columns with type, unit, meaning and rules.

    `slipstream describe silver.telemetry` · `slipstream describe gold.lap_features --format json`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.describe import describe_table
    from serving.lake.reader import LakeReader
    from slipstream.terminal.tables import describe_group

    described = describe_table(LakeReader(get_settings()), table)
    if output == "json":
        print_answer(described)
        return
    PlainConsole().print_wide(describe_group(described))
    print_summary(f"{len(described.columns)} columns")


@app.command(rich_help_panel=PANEL)
def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="One query; - reads it from stdin. Without one, a shell with history and completion."),
    ] = None,
    shown_as: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print it.")] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it into a .csv, .parquet, .xlsx or .json file."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help=f"Most rows; default {TABLE_ROWS} for a table, all for csv and json.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="Seconds after which a query is ended.")] = None,
) -> None:
    """Run SQL over all Delta tables, by name, without a JVM. Nothing can be changed.

    `slipstream sql "select session_id, count(*) from silver.telemetry group by 1"`

    `slipstream sql "select * from gold.lap_features" --output laps.xlsx`

    `slipstream sql "show tables"` · `slipstream sql` for a shell
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.formats import print_table, write_json
    from serving.lake.reader import LakeReader
    from serving.lake.sql import limit_rows

    settings = get_settings()
    lake, most = LakeReader(settings), TABLE_ROWS if limit is None else limit
    if query is None and sys.stdin.isatty():
        from slipstream.terminal.sql_shell import run_shell

        run_shell(lake, PlainConsole(), most, timeout, settings.home / "run" / "sql_history")
        return
    if output is not None:
        from serving.lake.answer_files import check_answer_file, write_answer

        check_answer_file(output)
    started = time.perf_counter()
    reader = lake.sql(_read_query() if query in (None, "-") else query, timeout)
    if output is None and shown_as == "table":
        print_table(reader, PlainConsole(), most)
        return
    if limit is not None:
        reader = limit_rows(reader, limit)
    if output is not None:
        rows = write_answer(reader, output)
        print_summary(f"{output}: {rows:,} rows in {time.perf_counter() - started:.2f} s")
        return
    rows = print_csv(reader) if shown_as == "csv" else write_json(reader, typer.get_binary_stream("stdout"))
    print_summary(f"{rows:,} rows in {time.perf_counter() - started:.2f} s", err=True)


def _read_query() -> str:
    """The query on stdin, as an editor has saved it; what is no UTF-8 is left for the lake to refuse."""
    return typer.get_binary_stream("stdin").read().decode("utf-8-sig", "surrogateescape")
