"""``coach``: where a lap loses time to a target, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import DryRun, Format, open_job_lake, print_answer, print_summary, say

if TYPE_CHECKING:
    from serving.queries.coaching import CoachedLap
    from serving.queries.laps import LapName

app = typer.Typer()


@app.command(rich_help_panel="Jobs")
def coach(
    lap: Annotated[str, typer.Option(metavar="SESSION/VEHICLE/LAP", show_default=False, help="The lap to coach.")],
    target: Annotated[
        str,
        typer.Option(
            metavar="best|ghost|SESSION/VEHICLE/LAP",
            help="best: the fastest of the lap's session that will do; ghost: the newest of it that a car could drive.",
        ),
    ] = "best",
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: png, svg or pdf.")] = None,
    output: Format = "table",
    save: Annotated[bool, typer.Option("--save", help="Write it to gold.insights (starts Spark).")] = False,
    dry_run: DryRun = False,
) -> None:
    """Coach a lap: where it loses time to a target, what was done wrong there, and what it cost with all that followed.

    VEHICLE is an id or a race number; LAP is a number, or `best` for the vehicle's fastest lap that will do: fit for
    pace, with the samples it needs, and not the lap it is compared with.

    `slipstream coach --lap barber-R1/46/best --plot coach.png`

    `slipstream coach --lap sim-1/55/3 --target ghost` ·
    `slipstream coach --lap sim-1/55/3 --target sim-1/57/best --format json`
    """
    from serving.queries.laps import LapName
    from slipstream.terminal.coaching import coaching_table

    name = LapName.parse(lap)
    if dry_run:
        from jobs.coach_lap import JOB

        print_summary(JOB.dry_run_sentence)
        return
    found = _coach_and_save(name, target) if save else _coach(name, target)
    if output == "json":
        print_answer(found.answer)
    else:
        from conf.plain_console import PlainConsole

        PlainConsole().print_wide(coaching_table(found))
        for note in found.notes:
            say(note)
    if plot:
        from serving.charts.coaching import coaching_figure
        from serving.charts.style import save_figure

        say(f"plot: {save_figure(coaching_figure(found), plot)}", err=output == "json")
    print_summary(found.headline, err=output == "json")


def _coach(lap: LapName, target: str) -> CoachedLap:
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.coaching import coach_against_target

    return coach_against_target(LakeReader(get_settings()).snapshot(), lap, target)


def _coach_and_save(lap: LapName, target: str) -> CoachedLap:
    from jobs.coach_lap import JOB, coach_lap

    done = coach_lap(open_job_lake(JOB), lap, target)
    say(done.sentence, err=True)
    return done.coached
