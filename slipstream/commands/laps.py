"""``laps``: list them, check them against the official results, compare two of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from slipstream.console import DryRun, open_job_lake, print_answer, print_csv, print_summary, say

if TYPE_CHECKING:
    from pydantic import BaseModel

    from serving.queries.comparison import ComparedLaps
    from serving.queries.laps import LapName

app = typer.Typer()
laps = typer.Typer(no_args_is_help=True, help="Laps: list, check against the results, compare two.")
app.add_typer(laps, name="laps", rich_help_panel="Query")

Format = Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print it.")]
Session = Annotated[str | None, typer.Option(help="Session; may be left out where there is only one.")]
Lap = Annotated[str, typer.Argument(metavar="SESSION/VEHICLE/LAP", show_default=False)]


@laps.command("list")
def list_laps(
    session: Session = None,
    vehicle: Annotated[str | None, typer.Option(help="Vehicle id, or the number it raced under.")] = None,
    output: Format = "table",
) -> None:
    """List the laps of a session: times, sectors, where they are from, what speaks against them, what they are fit for.

    `slipstream laps list --session barber-R1 --vehicle 13` · `slipstream laps list --session sim-1 --format csv`
    """
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.laps import ListedLap, choose_session, laps_of_vehicle, read_laps, summarize_laps
    from slipstream.terminal.laps import laps_table

    lake = LakeReader(get_settings()).snapshot()
    found = read_laps(lake, choose_session(lake, session))
    found = laps_of_vehicle(found, vehicle) if vehicle else found
    if output == "table":
        _print(laps_table(found))
    else:
        _write([ListedLap.of(lap) for lap in found], output)
    print_summary(summarize_laps(found), err=output != "table")


@laps.command()
def check(
    session: Annotated[str | None, typer.Option(help="Session; all of them if left out.")] = None,
    output: Format = "table",
) -> None:
    """Check the laps and the best lap of every entry against the official results, and say why where they differ.

    Official sheets leave lap 1 out of the fastest lap, and so does this.

    `slipstream laps check --session barber-R1`
    """
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.result_check import CheckedEntry, check_results, summarize_checks
    from slipstream.terminal.laps import check_table

    found = check_results(LakeReader(get_settings()).snapshot(), session)
    if output == "table":
        _print(check_table(found))
    else:
        _write([CheckedEntry.of(entry) for entry in found], output)
    print_summary(summarize_checks(found), err=output != "table")


@laps.command()
def compare(
    lap: Lap,
    reference: Lap,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: png, svg or pdf.")] = None,
    output: Format = "table",
    save: Annotated[
        bool, typer.Option("--save", help="Write it to gold.lap_comparison and gold.corner_reports (starts Spark).")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Compare a lap with a reference: time lost in each corner and on each straight, and why.

    VEHICLE is an id or a race number; LAP is a number, or `best` for the vehicle's fastest lap that will do: fit for
    pace, with the samples it needs, and not the lap it is compared with.

    `slipstream laps compare barber-R1/46/best barber-R1/13/best --plot laps.png`

    `slipstream laps compare sim-1/sim-44/3 sim-1/sim-44/best --format json`
    """
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.comparison import compare_named_laps
    from serving.queries.laps import LapName

    names = (LapName.parse(lap), LapName.parse(reference))
    if dry_run:
        from jobs.compare_laps import JOB

        print_summary(JOB.dry_run_sentence)
        return
    found = _compare_and_save(*names) if save else compare_named_laps(LakeReader(get_settings()).snapshot(), *names)
    _show(found, output)
    if plot:
        from serving.charts.laps import comparison_figure
        from serving.charts.style import save_figure

        say(f"plot: {save_figure(comparison_figure(found), plot)}", err=output != "table")
    print_summary(found.headline, err=output != "table")


def _show(found: ComparedLaps, output: str) -> None:
    from serving.queries.comparison import sectors_sentence
    from slipstream.terminal.laps import report_table

    if output == "json":
        print_answer(found.answer)
        return
    if output == "csv":
        _write_csv(found.piece_rows())
        return
    if (table := report_table(found)) is not None:
        _print(table)
    for line in (sectors_sentence(found), *found.notes):
        if line:
            say(line)


def _compare_and_save(lap: LapName, reference: LapName) -> ComparedLaps:
    from jobs.compare_laps import JOB, compare_laps

    done = compare_laps(open_job_lake(JOB), lap, reference)
    say(done.sentence, err=True)
    return done.compared


def _print(table: Any) -> None:
    from conf.plain_console import PlainConsole

    PlainConsole().print_wide(table)


def _write(answers: Sequence[BaseModel], output: str) -> None:
    if output == "json":
        print_answer(answers)
    else:
        _write_csv([answer.model_dump() for answer in answers])


def _write_csv(rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    print_csv(pa.Table.from_pylist(rows).to_reader())
