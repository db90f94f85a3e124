"""``quality``: what the gate found, as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipstream.console import DryRun, Format, print_answer, print_summary

app = typer.Typer()
quality = typer.Typer(no_args_is_help=True, help="Quality: what the gate found in what came in.")
app.add_typer(quality, name="quality", rich_help_panel="Lake")


@quality.command("docs")
def write_docs(
    runs: Annotated[int, typer.Option(help="Show the newest so many job runs.", min=1)] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder; $SLIPSTREAM_HOME/reports/quality if left out.", metavar="FOLDER")
    ] = None,
    output: Format = "table",
    dry_run: DryRun = False,
) -> None:
    """Write Great Expectations' Data Docs: each rule, how many values it looked at, how many broke it.

    The counts are those of the gate between bronze and silver, `ops.dq_results`; no data are read again.

    `slipstream quality docs` · `slipstream quality docs --runs 50`
    """
    from conf.settings import get_settings
    from conf.tables import OPS_DQ_RESULTS
    from serving.lake.reader import LakeReader
    from serving.lake.store import command_that_fills
    from serving.reports.quality_docs import write_quality_docs

    settings = get_settings()
    folder = out or settings.reports_dir / "quality"
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
