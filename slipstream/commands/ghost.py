"""``ghost``: what a car could do on a track, beside what was driven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import Format, print_json, summary

if TYPE_CHECKING:
    from serving.limit_lap import AskedLap

app = typer.Typer()
ghost = typer.Typer(no_args_is_help=True, help="Ghost laps: the lap at a car's limit.")
app.add_typer(ghost, name="ghost", rich_help_panel="Jobs")


@ghost.command("limit-lap")
def limit_lap(
    raceline: Annotated[Path, typer.Option(show_default=False, help="Points x,y in metres, as CSV.")],
    vehicle: Annotated[
        str,
        typer.Option(metavar="FILE|ID", show_default=False, help="A race car's parameter file, or a car of ours."),
    ],
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
            show_default="0.55, as the published reference laps",
            help="How far below the limit speed bends are taken; 0 is the bare limit.",
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw speed over distance and on the map.")] = None,
    output: Format = "table",
) -> None:
    """Compute the fastest lap that a car's tyres, brakes and engine allow on a line.

    The quasi-steady-state lap: bends cap the speed, the car brakes into them at the limit and drives out of them.

    `slipstream ghost limit-lap --raceline Monza.csv --vehicle F1_Shanghai.ini` ·
    `slipstream ghost limit-lap --raceline Spa.csv --vehicle gr86-cup --plot spa.png`
    """
    from physics.limit_lap.lap import REFERENCE_MARGIN_MPS
    from serving.limit_lap import ask

    margin = REFERENCE_MARGIN_MPS if corner_margin_mps is None else corner_margin_mps
    found = ask(raceline, vehicle, track_parameters, track, margin)
    if plot:
        from slipstream.limit_lap_plot import limit_lap_figure
        from slipstream.plot_style import save

        save(limit_lap_figure(found), plot)
    if output == "json":
        print_json(found.figures())
        return
    _print(found)
    summary(found.headline() + (f"; drawn in {plot}" if plot else ""))


def _print(found: AskedLap) -> None:
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
