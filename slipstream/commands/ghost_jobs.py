"""``track segment`` and ``ghost synthesize``: from laps to a ghost, on Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands._aliases import add_alias, rename_flags
from slipstream.commands.ghost import app, ghost
from slipstream.commands.track import track as track_group
from slipstream.console import DryRun, Format, open_lake_and_tracker, print_json, print_summary, show_progress

if TYPE_CHECKING:
    from jobs.synthesize_ghost import GhostSynthesisResult

__all__ = ["app"]

WithRebuild = rename_flags({"--again": "--rebuild"})


@track_group.command("segment", cls=WithRebuild)
def segment_command(
    session: Annotated[
        list[str] | None,
        typer.Option(show_default="all whose track is known", help="Cut the laps of this session; repeat it."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Cut the tracks anew, as their next version; models and ghosts follow it.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Cut tracks into micro-sectors, and laps with them: what ghosts are trained on.

    A track is cut once, on the fastest of the laps it is first cut with, and stays so for every lap after. Fills
    gold.microsectors, gold.microsector_traces and gold.lap_registry; MLflow keeps the scaler.

    `slipstream track segment --session barber-R1`
    """
    from jobs.segment_tracks import JOB, segment_all

    if dry_run:
        print_summary(JOB.dry_run_sentence)
        return
    lake, tracker = open_lake_and_tracker(JOB)
    done, _ = segment_all(lake, tracker, session, rebuild=rebuild)
    for one in done:
        for problem, laps in one.problems:
            typer.echo(f"left out, {laps} laps: {problem}")
        print_summary(one.sentence)


add_alias(ghost, "ghost segment", segment_command, "track segment", WithRebuild)


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
        print_json(_facts(done))
    else:
        _say(done)
    if plot:
        _draw(done, plot)
    print_summary(done.sentence, err=output == "json")


def _say(done: GhostSynthesisResult) -> None:
    from rich.console import Console
    from rich.table import Table

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
    Console().print(table)
    for note in done.verdict.notes:
        typer.echo(note)
    typer.echo(f"file: {done.parquet}")
    typer.echo(f"run: {done.page}")


def _facts(done: GhostSynthesisResult) -> dict[str, object]:
    """What a program wants to read."""
    from dataclasses import asdict

    return {
        "lap_uid": done.uid,
        "track_id": done.circuit.track_id,
        **{name: asdict(getattr(done, name)) for name in ("limit", "ghost", "stitched", "best", "gain_s")},
        "best_human_lap_uid": done.best_uid,
        "feasible": done.verdict.feasible,
        "notes": done.verdict.notes,
        "figures": done.verdict.figures,
        "rounds": done.rounds,
        "parquet": done.parquet,
        "run": done.page,
    }


def _draw(done: GhostSynthesisResult, plot: Path) -> None:
    from conf.settings import get_settings
    from serving.charts.coaching import coaching_figure
    from serving.charts.style import save_figure
    from serving.lake.reader import LakeReader
    from serving.queries.coaching import coach_against_target
    from serving.queries.laps import LapName

    found = coach_against_target(LakeReader(get_settings()), LapName.parse(done.best_uid), done.uid)
    typer.echo(f"plot: {save_figure(coaching_figure(found), plot)}", err=True)
