"""``report karma``: which component of a car was worked hard, on which laps and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipstream.console import Format, print_answer, print_summary, say
from slipstream.logs import keep_log


@keep_log("report-karma")
def report(
    vehicle: Annotated[str, typer.Option(help="Vehicle id, or the number it raced under.")],
    session: Annotated[
        str | None, typer.Option(help="Session; may be left out where the vehicle has scores in only one.")
    ] = None,
    laps: Annotated[
        str | None,
        typer.Option(metavar="A,B", show_default="the gentlest and the hardest", help="Two laps to compare."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; $SLIPSTREAM_HOME/reports/karma if left out.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw one picture in place of the page: png, svg or pdf.")
    ] = None,
    output: Format = "table",
) -> None:
    """Show which component of a car was worked hard, on which laps and why; write it as a page.

    Karma is 0 (hard) to 100 (gentle) for each lap and component. The page is one HTML file that needs nothing beside
    it: scores with intervals, two laps side by side, damage so far, laps that remain, and how far to trust it all.

    `slipstream report karma --vehicle GR86-002-2`

    `slipstream report karma --vehicle 13 --session barber-R1 --laps 4,9`

    `slipstream report karma --vehicle GR86-002-2 --plot karma.png`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.karma import choose_comparison, read_karma_session
    from serving.reports import karma_text as view
    from serving.reports.karma_answer import answer_karma

    settings, asked = get_settings(), _two_numbers(laps)
    found = read_karma_session(LakeReader(settings), vehicle, session)
    pair = choose_comparison(found, asked)
    if output == "json":
        print_answer(answer_karma(found, pair))
    else:
        say(f"Karma of {found.car}: {', '.join(view.report_facts(found))}")
        PlainConsole().print_wide(view.karma_table(found))
        for line in view.karma_console_lines(found):
            say(line)
    if plot:
        from serving.charts.karma import karma_figure
        from serving.charts.style import save_figure

        print_summary(f"plot: {save_figure(karma_figure(found, pair), plot)}", err=output != "table")
        return
    from serving.reports.karma_page import write_karma_report

    path = write_karma_report(found, pair, out or settings.reports_dir / "karma")
    print_summary(f"report: {path}", err=output != "table")


def _two_numbers(laps: str | None) -> tuple[int, int] | None:
    """The laps of ``A,B``."""
    if laps is None:
        return None
    match [part.strip() for part in laps.split(",")]:
        case [first, second] if first.isdecimal() and second.isdecimal() and first != second:
            return int(first), int(second)
    raise typer.BadParameter(f"'{laps}' is not two laps: write their numbers, such as 4,9", param_hint="--laps")
