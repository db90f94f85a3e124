"""``backfill`` and ``reset``: what streams have filled, made anew from the layer below."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from slipstream.console import DryRun, print_summary, say, show_step

app = typer.Typer()
Layer = Literal["bronze", "silver", "gold"]


@app.command(rich_help_panel="Lake")
def backfill(
    tables: Annotated[
        list[str], typer.Argument(help="Tables, such as gold.lap_features, or silver, gold, karma for all of theirs.")
    ],
    sessions: Annotated[
        list[str] | None, typer.Option("--session", help="Only this session; repeat it (default: all).")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Compute tables again from the layer below, whatever the streams have seen.

    For rows that an earlier release computed, or that `ops.step_failures` names. A table is computed with those that
    its stream fills along with it; what is equal stays untouched, so it may be repeated. Tables that are made of
    bronze's messages, `silver.telemetry` among them, take `slipstream reset silver` and `slipstream run`.

    Example: `slipstream backfill silver gold --session barber-R1`, `slipstream backfill gold.lap_features --dry-run`
    """
    from streaming.backfill import STEPS, choose_sessions, choose_steps, note_made_anew

    steps = choose_steps(tables)
    if dry_run:
        where = f"session {', '.join(sorted(sessions))}" if sessions else "all sessions"
        print_summary(f"would compute {', '.join(steps)} of {where} again")
        return
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra.local.job_log import log_to_file
    from medallion.provenance import job_run
    from medallion.session import open_lake
    from streaming.claim import claim_layers

    console, settings = PlainConsole(stderr=True), get_settings()
    log_to_file(settings, "backfill")
    with claim_layers(settings, tuple(STEPS)):
        with show_step(console, "Spark"):
            lake = open_lake(settings, "slipstream-backfill")
        chosen = choose_sessions(lake, sessions or ())
        for step in steps:
            with show_step(console, f"{step} of {len(chosen)} sessions"), job_run(lake, "backfill", (), ()) as run:
                done = STEPS[step](lake, chosen, run)
                if not sessions:
                    note_made_anew(lake, step)
            print_summary(f"backfill: {done} (run {run.run_id})")


@app.command(rich_help_panel="Lake")
def reset(
    layer: Annotated[Layer, typer.Argument(help="bronze: all three; silver: silver and gold; gold: gold alone.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Empty silver or gold, so that `slipstream run` fills them anew from the layer below.

    Bronze keeps every message and stays as it is, and so do the tracks that sessions were given, ghosts, models and
    what else batch jobs made. Gold goes with silver. If it is killed, do it again.

    `reset bronze` is for a bronze with a damaged file: the next run reads the topics from their beginning. It is
    refused where Kafka has given up messages since, for then bronze is the only place that has them. So is
    `reset silver` where bronze has given up some (`BRONZE_RETENTION_DAYS`).

    Example: `slipstream reset silver --dry-run`, `slipstream reset silver --yes && slipstream run`
    """
    from conf.settings import get_settings
    from streaming.reset import check_bronze_holds_all, check_topics_hold_all, plan_reset, reset_layers

    settings = get_settings()
    plan = plan_reset(settings, layer)
    if layer == "bronze":
        check_topics_hold_all(settings)
    if layer == "silver":
        check_bronze_holds_all(settings)
    for name in plan.tables:
        say(name)
    if dry_run:
        print_summary(f"would remove {plan.sentence}")
        return
    if not plan.tables and not plan.checkpoints:
        print_summary(f"nothing of {layer} is there")
        return
    if not yes:
        typer.confirm(f"Remove {plan.sentence} of {settings.lake_root}?", abort=True)
    reset_layers(settings, plan)
    print_summary(f"removed {plan.sentence}: `slipstream run` fills them anew")
