"""``quality``: what the gate found, as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipstream.console import DryRun, Format, print_answer, print_summary, say

app = typer.Typer()
quality = typer.Typer(no_args_is_help=True, help="Quality: what the gate found in what came in.")
app.add_typer(quality, name="quality", rich_help_panel="Lake")


@quality.command("report")
def write_report(
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; $SLIPSTREAM_HOME/reports/quality if left out.")
    ] = None,
    output: Format = "table",
) -> None:
    """Show what became of all that came in, what was refused and why, and write it as a page.

    The page is one HTML file that needs nothing beside it, and no network: the balance, each reason for quarantine
    with its first case, the rules and how often they were broken, what contradicts, what could not be computed.

    `slipstream quality report` · `slipstream quality report --format json`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.quality import read_quality
    from serving.reports.quality_page import write_quality_report
    from serving.reports.quality_text import answer_quality, quality_glance, quality_table

    settings = get_settings()
    found = read_quality(LakeReader(settings))
    if output == "json":
        print_answer(answer_quality(found))
    else:
        if found.refused:
            PlainConsole().print_wide(quality_table(found))
        for line in quality_glance(found):
            say(line)
    path = write_quality_report(found, out or settings.reports_dir / "quality")
    print_summary(f"report: {path}", err=output == "json")


@quality.command("docs")
def write_docs(
    runs: Annotated[int, typer.Option(help="Show the newest so many job runs.", min=1)] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder; $SLIPSTREAM_HOME/reports/data-docs if left out.", metavar="FOLDER")
    ] = None,
    output: Format = "table",
    dry_run: DryRun = False,
) -> None:
    """Write Great Expectations' Data Docs: each rule, how many values it looked at, how many broke it.

    Its pages take their style from the network; `slipstream quality report` needs none. The counts are those of the
    gate between bronze and silver, `ops.dq_results`; no data are read again.

    `slipstream quality docs` · `slipstream quality docs --runs 50`
    """
    from conf.settings import get_settings
    from conf.tables import OPS_DQ_RESULTS
    from serving.lake.reader import LakeReader
    from serving.lake.store import command_that_fills
    from serving.reports.quality_docs import write_quality_docs

    settings = get_settings()
    folder = out or settings.reports_dir / "data-docs"
    if dry_run:
        print_summary(f"would read {OPS_DQ_RESULTS} and write the pages of {runs} job runs into {folder}")
        return
    docs = write_quality_docs(LakeReader(settings), folder, runs)
    if docs is None:
        print_summary(f"{OPS_DQ_RESULTS} has no rows yet: `{command_that_fills(OPS_DQ_RESULTS)}` fills it")
        raise typer.Exit(1)
    if output == "json":
        print_answer(docs)
    words = f"{docs.broken} of {docs.rules} rules broken in {docs.runs} job runs"
    print_summary(f"{words}: {docs.page.as_uri()}", err=output == "json")
