"""``report``: what the lake knows, as a page to read and to print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipstream.commands import karma_report
from slipstream.console import Format, print_answer, print_summary, say

app = typer.Typer()
report = typer.Typer(no_args_is_help=True, help="Reports: pages to read and to print.")
app.add_typer(report, name="report", rich_help_panel="Query")


@report.command()
def driver(
    vehicle: Annotated[str, typer.Option(help="Vehicle id, or the number it raced under.")],
    session: Annotated[str | None, typer.Option(help="Session; may be left out where there is only one.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; $SLIPSTREAM_HOME/reports/drivers if left out.")
    ] = None,
    output: Format = "table",
) -> None:
    """Write a driver's report: result, pace, target lap, where time is lost, smoothness and incidents.

    One HTML file that needs nothing beside it. A table that is not filled yet leaves its part out, and the page says
    which command fills it.

    `slipstream report driver --session barber-R1 --vehicle 13` ·
    `slipstream report driver --vehicle 13 --format json`
    """
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.driver_session import read_driver_session
    from serving.queries.laps import choose_session
    from serving.reports.driver_page import write_driver_report
    from serving.reports.driver_text import driver_console_lines

    settings = get_settings()
    lake = LakeReader(settings).snapshot()
    found = read_driver_session(lake, choose_session(lake, session), vehicle)
    path = write_driver_report(found, out or settings.reports_dir / "drivers")
    if output == "json":
        print_answer(found.answer)
    else:
        for line in driver_console_lines(found):
            say(line)
    print_summary(f"report: {path}", err=output == "json")


report.command("karma")(karma_report.report)
