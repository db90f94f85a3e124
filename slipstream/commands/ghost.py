"""``ghost``: the lap at a car's limit, and laps that nobody drove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands import coach as coach_command
from slipstream.commands import track as track_command
from slipstream.commands._aliases import add_alias
from slipstream.console import DryRun, Format, open_lake_and_tracker, print_answer, print_summary, say, show_progress

if TYPE_CHECKING:
    from jobs.synthesize_ghost import GhostSynthesisResult
    from serving.queries.limit_lap import LimitLapResult

app = typer.Typer()
ghost = typer.Typer(no_args_is_help=True, help="Ghost laps: the lap at a car's limit, and laps that nobody drove.")
app.add_typer(ghost, name="ghost", rich_help_panel="Jobs")


@ghost.command("limit-lap")
def limit_lap(
    raceline: Annotated[
        Path | None, typer.Option(show_default=False, help="Points x,y of a closed road, as CSV; goes with --vehicle.")
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


@ghost.command("synthesize")
def synthesize_command(
    session: Annotated[str, typer.Option(show_default=False, help="Its laps say what the cars can do.")],
    track: Annotated[
        str | None, typer.Option(show_default="the session's own", help="Track, to be sure of it.")
    ] = None,
    source: Annotated[
        Literal["gan", "bootstrap"],
        typer.Option(help="Draw stretches from the trained model, or resample those of human laps."),
    ] = "gan",
    model_version: Annotated[
        str | None, typer.Option(show_default="the one in use", help="Version of ghost-gan in the registry.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds of the search: each looks about the best lap of those before it.")
    ] = 4,
    plot: Annotated[Path | None, typer.Option(help="Draw it against the best human lap: png, svg or pdf.")] = None,
    output: Format = "table",
    dry_run: DryRun = False,
) -> None:
    """Make a ghost lap: faster than the best human, and one that a car could drive.

    Draws many ways to drive each stretch, chains the fastest whose speeds meet within what the cars showed, smooths it
    and judges it. Writes gold.ghost_laps, gold.ghost_summary, gold.lap_registry and a Parquet file. A ghost that no car
    could drive is kept with its reasons, and nothing calls it optimal.

    `slipstream ghost synthesize --session sim-1` ·
    `slipstream ghost synthesize --session barber-R1 --track barber --plot ghost.png`
    """
    from jobs.synthesize_ghost import JOB, synthesize_ghost

    if dry_run:
        print_summary(JOB.dry_run_sentence)
        return
    lake, tracker = open_lake_and_tracker(JOB)
    with show_progress("stretches") as update:
        done = synthesize_ghost(
            lake,
            tracker,
            session,
            track_id=track,
            kind=source,
            model_version=model_version,
            seed=seed,
            rounds=rounds,
            on_progress=lambda k, total: update("chaining", k, total),
        )
    if output == "json":
        print_answer(done.answer)
    else:
        _print_ghost(done)
    if plot:
        _draw(done, plot)
    print_summary(done.sentence, err=output == "json")


add_alias(ghost, "ghost compare", coach_command.coach, "coach")
add_alias(ghost, "ghost segment", track_command.segment_command, "track segment", track_command.WithRebuild)


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
    from rich.table import Table

    from conf.plain_console import PlainConsole

    table = Table(title=f"{found.vehicle} on {found.track}")
    for column in ("sector", "ends at, m", "time, s"):
        table.add_column(column, justify="right")
    for number, (end, seconds) in enumerate(zip(found.sector_ends_m, found.sector_times_s, strict=True), start=1):
        table.add_row(str(number), f"{end:,.0f}", f"{seconds:.3f}")
    PlainConsole().print(table)
    for note in found.notes:
        say(note)


def _print_ghost(done: GhostSynthesisResult) -> None:
    from rich.table import Table

    from conf.plain_console import PlainConsole

    table = Table(title=f"{done.uid} on {done.circuit.track_id}")
    table.add_column("lap")
    for column in ("time, s", "standard error, s", "to the best human, s"):
        table.add_column(column, justify="right")
    for name, one in (
        ("limit lap", done.limit),
        ("ghost", done.ghost),
        ("best human zones, stitched", done.stitched),
        (f"best human, {done.best_uid}", done.best),
    ):
        table.add_row(name, f"{one.time_s:.3f}", f"{one.error_s:.3f}", f"{one.time_s - done.best.time_s:+.3f}")
    PlainConsole().print(table)
    for note in done.verdict.notes:
        say(note)
    say(f"file: {done.parquet}")
    say(f"run: {done.page}")


def _draw(done: GhostSynthesisResult, plot: Path) -> None:
    from conf.settings import get_settings
    from serving.charts.coaching import coaching_figure
    from serving.charts.style import save_figure
    from serving.lake.reader import LakeReader
    from serving.queries.coaching import coach_against_target
    from serving.queries.laps import LapName

    found = coach_against_target(LakeReader(get_settings()), LapName.parse(done.best_uid), done.uid)
    say(f"plot: {save_figure(coaching_figure(found), plot)}", err=True)
