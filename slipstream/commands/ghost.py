"""``ghost limit-lap`` and ``coach``: what a car could do on a track, and where a lap falls short of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.commands._aliases import add_alias
from slipstream.console import DryRun, Format, open_job_lake, print_answer, print_summary

if TYPE_CHECKING:
    from serving.queries.coaching import CoachedLap
    from serving.queries.laps import LapName
    from serving.queries.limit_lap import LimitLapResult

app = typer.Typer()
ghost = typer.Typer(no_args_is_help=True, help="Ghost laps: the lap at a car's limit, and laps that nobody drove.")
app.add_typer(ghost, name="ghost", rich_help_panel="Jobs")


@ghost.command("limit-lap")
def limit_lap(
    raceline: Annotated[
        Path | None, typer.Option(show_default=False, help="Points x,y in metres, as CSV; goes with --vehicle.")
    ] = None,
    vehicle: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|ID",
            show_default=False,
            help="A race car's parameter file, or a car of ours; with --session a car of it.",
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(show_default=False, help="Learn car and line from the laps of a session instead."),
    ] = None,
    quantile: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=0.999,
            show_default="0.98",
            help="With --session: share of the hardest instants that the envelope shall hold.",
        ),
    ] = None,
    track_parameters: Annotated[
        Path | None,
        typer.Option(
            help="Sector ends, DRS zones and friction; track_pars.ini beside or above the line if left out.",
        ),
    ] = None,
    track: Annotated[str | None, typer.Option(help="Name in that file; the line's file name if left out.")] = None,
    corner_margin_mps: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            show_default="0.47, as the published reference laps",
            help="With --raceline: how far below the limit speed bends are taken; 0 is the bare limit.",
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw speed over distance and on the map.")] = None,
    output: Format = "table",
) -> None:
    """Compute the fastest lap that a car's tyres, brakes and engine allow on a line.

    The quasi-steady-state lap: bends cap the speed, the car brakes into them at the limit and drives out of them. Car
    and line come from files, or from what the cars of a session showed.

    `slipstream ghost limit-lap --raceline Monza.csv --vehicle F1_Shanghai.ini` ·
    `slipstream ghost limit-lap --raceline Spa.csv --vehicle gr86-cup --plot spa.png` ·
    `slipstream ghost limit-lap --session barber-R1`
    """
    if session:
        _refuse(
            "--session",
            {
                "--raceline": raceline,
                "--track-parameters": track_parameters,
                "--track": track,
                "--corner-margin-mps": corner_margin_mps,
            },
        )
        found = _seen(session, vehicle, quantile)
    else:
        if raceline is None or vehicle is None:
            raise typer.BadParameter("give --raceline and --vehicle, or --session")
        _refuse("--raceline", {"--quantile": quantile})
        found = _asked(raceline, vehicle, track_parameters, track, corner_margin_mps)
    if plot:
        from serving.charts.limit_lap import limit_lap_figure
        from serving.charts.style import save_figure

        save_figure(limit_lap_figure(found), plot)
    if output == "json":
        print_answer(found.answer)
        return
    _print(found)
    print_summary(found.headline + (f"; drawn in {plot}" if plot else ""))


@app.command(rich_help_panel="Jobs")
def coach(
    lap: Annotated[str, typer.Option(metavar="SESSION/VEHICLE/LAP", show_default=False, help="The lap to coach.")],
    target: Annotated[
        str,
        typer.Option(
            metavar="best|ghost|SESSION/VEHICLE/LAP",
            help="best: of the lap's session, fit for pace; ghost: the newest of it that a car could drive.",
        ),
    ] = "best",
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: png, svg or pdf.")] = None,
    output: Format = "table",
    save: Annotated[bool, typer.Option("--save", help="Write it to gold.insights (starts Spark).")] = False,
    dry_run: DryRun = False,
) -> None:
    """Coach a lap: where it loses time to a target, what was done wrong there, and what it cost with all that followed.

    VEHICLE is an id or a race number; LAP is a number, or `best` for the vehicle's best lap that is fit for pace.

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
        from rich.console import Console

        from slipstream.terminal.tables import print_wide

        print_wide(Console(), coaching_table(found))
        for note in found.notes:
            typer.echo(note)
    if plot:
        from serving.charts.coaching import coaching_figure
        from serving.charts.style import save_figure

        typer.echo(f"plot: {save_figure(coaching_figure(found), plot)}", err=output == "json")
    print_summary(found.headline, err=output == "json")


add_alias(ghost, "ghost compare", coach, "coach")


def _coach(lap: LapName, target: str) -> CoachedLap:
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.coaching import coach_against_target as coach_lap

    return coach_lap(LakeReader(get_settings()).snapshot(), lap, target)


def _coach_and_save(lap: LapName, target: str) -> CoachedLap:
    from jobs.coach_lap import JOB, coach_lap

    done = coach_lap(open_job_lake(JOB), lap, target)
    typer.echo(done.sentence, err=True)
    return done.coached


def _refuse(one: str, others: dict[str, object]) -> None:
    for name, value in others.items():
        if value is not None:
            raise typer.BadParameter(f"does not go with {one}", param_hint=name)


def _seen(session: str, vehicle: str | None, quantile: float | None) -> LimitLapResult:
    from analysis.car_limits.fitted_envelope import QUANTILE
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.observed_limit import compute_observed_limit

    return compute_observed_limit(
        LakeReader(get_settings()).snapshot(), session, vehicle, QUANTILE if quantile is None else quantile
    )


def _asked(
    raceline: Path, vehicle: str, parameters: Path | None, track: str | None, margin_mps: float | None
) -> LimitLapResult:
    from physics.limit_lap.lap import REFERENCE_MARGIN_MPS
    from serving.queries.limit_lap import compute_limit_lap

    return compute_limit_lap(
        raceline, vehicle, parameters, track, REFERENCE_MARGIN_MPS if margin_mps is None else margin_mps
    )


def _print(found: LimitLapResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{found.vehicle} on {found.track}")
    for column in ("sector", "ends at, m", "time, s"):
        table.add_column(column, justify="right")
    for number, (end, seconds) in enumerate(zip(found.sector_ends_m, found.sector_times_s, strict=True), start=1):
        table.add_row(str(number), f"{end:,.0f}", f"{seconds:.3f}")
    Console().print(table)
    for note in found.notes:
        typer.echo(note)
