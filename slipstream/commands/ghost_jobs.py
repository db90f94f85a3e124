"""``ghost segment``: the ghost's Spark jobs, under the same name as its other commands."""

from __future__ import annotations

from typing import Annotated

import typer

from slipstream.commands.ghost import app, ghost
from slipstream.console import DryRun, summary

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
    from conf.settings import get_settings
    from infra.stack import endpoints
    from ml.jobs.segment_ghost import segment_all
    from ml.tracking import Tracker
    from streaming.job import open_lake

    settings = get_settings()
    tracker = Tracker(endpoints(settings).tracking_uri)
    lake = open_lake(settings, "slipstream-ghost-segment")
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
