"""``ghost segment`` and ``ghost synthesize``: the ghost's Spark jobs, under the same name as its other commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipstream.commands.ghost import app, ghost
from slipstream.console import DryRun, Format, print_json, progress, summary
from slipstream.tracked import open_tracked

if TYPE_CHECKING:
    from jobs.synthesize_ghost import Synthesized

__all__ = ["app"]


@ghost.command("segment")
def segment(
    session: Annotated[
        list[str] | None,
        typer.Option(show_default="all whose track is known", help="Cut the laps of this session; repeat it."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Cut the tracks anew, as their next version; models and ghosts follow it.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Cut tracks into micro-sectors, and laps with them: what ghosts are trained on.

    A track is cut once, on the fastest of the laps it is first cut with, and stays so for every lap after. Fills
    gold.microsectors, gold.microsector_traces and gold.lap_registry; MLflow keeps the scaler.

    `slipstream ghost segment --session barber-R1`
    """
    if dry_run:
        summary("would write gold.microsectors, gold.microsector_traces and gold.lap_registry")
        return
    from jobs.segment_tracks import segment_all

    lake, tracker = open_tracked("ghost-segment")
    done, _ = segment_all(lake, tracker, session, again=again)
    for one in done:
        for problem, laps in one.problems:
            typer.echo(f"left out, {laps} laps: {problem}")
        cut = "new" if one.is_new else "as before"
        pieces = len(one.made.track.pieces)
        summary(
            f"{one.made.track_id}, segmentation {one.made.version} ({cut}): {pieces} micro-sectors, "
            f"{one.eligible} laps to learn from, {one.fast} of them fast"
        )


@ghost.command("synthesize")
def synthesize(
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
    if dry_run:
        summary(f"would chain {rounds} laps for {session} and write the best to gold.ghost_laps and gold.ghost_summary")
        return
    from jobs.synthesize_ghost import synthesize as synthesize_job

    lake, tracker = open_tracked("ghost-synthesize")
    with progress("stretches") as update:
        done = synthesize_job(
            lake, tracker, session, track_id=track, kind=source, model_version=model_version, seed=seed, rounds=rounds,
            on_progress=lambda k, total: update("chaining", k, total),
        )  # fmt: skip
    if output == "json":
        print_json(_facts(done))
    else:
        _say(done)
    if plot:
        _draw(done, plot)
    _sum_up(done, err=output == "json")


def _say(done: Synthesized) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{done.uid} on {done.circuit.track_id}")
    table.add_column("lap")
    for column in ("time, s", "standard error, s", "to the best human, s"):
        table.add_column(column, justify="right")
    for name, one in (
        ("limit lap", done.limit), ("ghost", done.ghost), ("best human zones, stitched", done.stitched),
        (f"best human, {done.best_uid}", done.best),
    ):  # fmt: skip
        table.add_row(name, f"{one.time_s:.3f}", f"{one.error_s:.3f}", f"{one.time_s - done.best.time_s:+.3f}")
    Console().print(table)
    for note in done.verdict.notes:
        typer.echo(note)
    typer.echo(f"file: {done.parquet}")
    typer.echo(f"run: {done.page}")


def _facts(done: Synthesized) -> dict[str, object]:
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


def _draw(done: Synthesized, plot: Path) -> None:
    from conf.settings import get_settings
    from serving.charts.coaching import coaching_figure
    from serving.charts.style import save
    from serving.lake.reader import LakeReader
    from serving.queries.coaching import coach
    from serving.queries.laps import LapName

    found = coach(LakeReader(get_settings()), LapName.parse(done.best_uid), done.uid)
    typer.echo(f"plot: {save(coaching_figure(found), plot)}", err=True)


def _sum_up(done: Synthesized, *, err: bool) -> None:
    gain = done.gain_s
    how = f"{abs(gain.time_s):.3f} s {'faster' if gain.time_s > 0 else 'slower'} than the best human"
    if not done.verdict.feasible:
        said = ", but no car could drive it"
    elif not done.is_faster:
        said = f", which is within twice the error of {gain.error_s:.3f} s"
    else:
        said = f" (error {gain.error_s:.3f} s), and a car could drive it"
    summary(f"{done.uid}: {done.ghost.time_s:.3f} s, {how}{said}", err=err)
