"""``demo``: the main job, whole, on this machine."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.console import show_step
from slipstream.logs import keep_log

if TYPE_CHECKING:
    from rich.progress import Progress

    from conf.plain_console import PlainConsole
    from conf.settings import AppConfig
    from jobs.score_style import StyleScoringResult
    from jobs.train_style import StyleTrainingResult
    from medallion.io import Lake
    from producers.simulator.config import SimulatorConfig

app = typer.Typer()
TRACKS = ("three-oaks", "alder-ridge")
OTHER_CARS, OTHER_LAPS = 20, 2
FULL_SCALE_SHARE = 0.001  # of the race's samples: sensors that lost their contact, for the gate to refuse


@app.command(rich_help_panel="Jobs")
@keep_log("demo")
def demo(
    cars: Annotated[int, typer.Option(help="Cars in the race.")] = 20,
    laps: Annotated[int, typer.Option(help="Laps of the race.", min=4)] = 4,
    seed: Annotated[int, typer.Option(help="Fixes everything random.")] = 2,
) -> None:
    """Run the main job once: a race into Kafka, through bronze, silver and gold, to a driver's report and a model.

    A second run with the same seed sends the same messages again: bronze grows, silver and gold do not.
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings

    console, settings = PlainConsole(), get_settings()
    began = time.perf_counter()
    with show_step(console, "1/4  Kafka, MLflow and Spark"):
        lake = _start(settings)
    race = f"2/4  {cars} and {OTHER_CARS} cars through Kafka into silver"
    _simulate_while_streaming(lake, console, race, _sessions(cars, laps, seed))
    _drain(lake, console)
    with show_step(console, "4/4  driving-style model: train, register, score"):
        trained, scored = _model(lake)
    _show(console, settings, trained, scored, time.perf_counter() - began)


def _start(settings: AppConfig) -> Lake:
    """Start the servers, and Spark and its tables beside them."""
    from concurrent.futures import ThreadPoolExecutor

    from infra.local.stack import start_stack
    from medallion.session import open_lake
    from streaming import gold, silver

    with ThreadPoolExecutor(1) as pool:
        stack = pool.submit(start_stack, settings, auto_port=True)
        lake = open_lake(settings, "slipstream-demo")
        lake.ensure_all((*silver.JOB.inputs, *silver.OUTPUTS, *gold.OUTPUTS))
        stack.result()
    return lake


def _sessions(cars: int, laps: int, seed: int) -> list[SimulatorConfig]:
    """A race with flags, stops and all else that happens, and a shorter one elsewhere for the model to learn from."""
    from conf.errors import check_input
    from producers.simulator.config import DataFaults, RaceIncidents, SimulatorConfig

    race, other = (f"demo-{track}-{seed}" for track in TRACKS)
    with check_input():
        return [
            SimulatorConfig(
                session_id=race,
                track=TRACKS[0],
                n_cars=cars,
                n_laps=laps,
                seed=seed,
                data_faults=DataFaults(full_scale_share=FULL_SCALE_SHARE),
                race_incidents=RaceIncidents.with_incidents(),
            ),
            SimulatorConfig(session_id=other, track=TRACKS[1], n_cars=OTHER_CARS, n_laps=OTHER_LAPS, seed=seed),
        ]


def _simulate_while_streaming(lake: Lake, console: PlainConsole, title: str, sessions: list[SimulatorConfig]) -> None:
    """Send all sessions while bronze and silver start and stream; return when both have caught up."""
    from concurrent.futures import ThreadPoolExecutor

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from infra.local.stack import find_endpoints
    from medallion.provenance import job_run
    from streaming import bronze, silver
    from streaming.query import Trigger

    bootstrap = find_endpoints(lake.settings).bootstrap
    trigger = Trigger(once=False, every_s=1.0)
    columns = (
        TextColumn("     {task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with (
        job_run(lake, "demo_stream", (), silver.OUTPUTS) as run,
        ExitStack() as shown,
        ThreadPoolExecutor(1) as pool,
    ):
        bars = Progress(*columns, console=console, disable=not console.is_terminal)
        if console.is_terminal:
            console.print(title)
            shown.enter_context(bars)
        else:  # bars would be drawn at the end only
            shown.enter_context(show_step(console, title, lambda: f"{run.rows_in:,} samples, events"))
        sent = pool.submit(lambda: sum(_send(bootstrap, config, bars) for config in sessions))
        stored, promoted = bronze.start_bronze(lake, bootstrap, trigger), silver.start_silver(lake, run, trigger)
        try:
            units = sent.result()
            accounted = bars.add_task("silver: samples and events accounted for", total=units)
            for query in stored:
                query.processAllAvailable()
            while run.rows_in < units and all(query.isActive for query in promoted):
                bars.update(accounted, completed=run.rows_in)
                time.sleep(0.5)
            for query in promoted:
                query.processAllAvailable()
            bars.update(accounted, completed=run.rows_in)
        finally:
            for query in (*stored, *promoted):
                query.stop()


def _send(bootstrap: str, config: SimulatorConfig, bars: Progress) -> int:
    """Send a session's frames and events; returns how many samples and events they were."""
    from producers.simulator.sending import send_session
    from producers.simulator.simulator import VehicleSimulator

    task = bars.add_task(f"{config.session_id}: seconds sent", total=None)
    return send_session(
        VehicleSimulator(config),
        bootstrap,
        on_progress=lambda done_s, total_s: bars.update(task, completed=done_s, total=total_s),
    ).units


def _drain(lake: Lake, console: PlainConsole) -> None:
    from streaming import gold, silver
    from streaming.job import drain_job

    for name, job in (("clocks, laps and results", silver.JOB), ("gold", gold.JOB)):
        with show_step(console, f"3/4  {name}"):
            drain_job(lake, job)


def _model(lake: Lake) -> tuple[StyleTrainingResult, StyleScoringResult]:
    from infra.local.stack import find_endpoints
    from jobs.score_style import score_style
    from jobs.train_style import MODEL, train_style
    from ml.tracking import Tracker

    tracker = Tracker(find_endpoints(lake.settings).tracking_uri)
    trained = train_style(lake, tracker)
    return trained, score_style(lake, tracker, MODEL, lake.settings.style_threshold)


def _driver_report(settings: AppConfig) -> list[str]:
    """Write the report of the driver who came second, with most to learn from the winner; returns its summary."""
    from conf.tables import SILVER_RESULTS
    from serving.lake.reader import LakeReader
    from serving.queries.driver_session import read_driver_session
    from serving.reports.driver_page import write_driver_report
    from serving.reports.driver_text import driver_console_lines

    lake = LakeReader(settings).snapshot()
    own = [row for row in lake.rows(SILVER_RESULTS, order_by=("position",)) if row["vehicle_id"] is not None]
    own = [row for row in own if row["session_id"].startswith(f"demo-{TRACKS[0]}-")]
    second = min(own, key=lambda row: row["position"] != 2)
    found = read_driver_session(lake, second["session_id"], second["vehicle_id"])
    write_driver_report(found, settings.reports_dir / "drivers")
    return driver_console_lines(found)


def _show(
    console: PlainConsole,
    settings: AppConfig,
    trained: StyleTrainingResult,
    scored: StyleScoringResult,
    wall_s: float,
) -> None:
    from infra.local.stack import find_endpoints
    from serving.lake.reader import LakeReader
    from serving.queries.quality import read_quality
    from serving.reports.quality_page import write_quality_report
    from serving.reports.quality_text import headline, quality_table
    from slipstream.terminal.demo import demo_summary_table, draw_session

    picture = draw_session(settings, f"demo-{TRACKS[0]}-", settings.reports_dir / "demo.png")
    console.print()
    console.print(demo_summary_table(settings, trained, scored))
    quality = read_quality(LakeReader(settings))
    quality_page = write_quality_report(quality, settings.reports_dir / "quality")
    console.print(headline(quality), soft_wrap=True, highlight=False)
    if quality.refused:
        console.print_wide(quality_table(quality))
    console.print()
    console.print("\n".join(_driver_report(settings)), soft_wrap=True, highlight=False)
    console.print()
    for what, where in (
        ("driver's reports", settings.reports_dir / "drivers"),
        ("laps and styles", picture),
        ("confusion, importance", settings.reports_dir / "style"),
        ("MLflow", trained.page),
        ("quality report", quality_page),
    ):
        console.print(f"  {what:<22} {where}", soft_wrap=True, highlight=False)
    console.print("\nTry next:")
    for line in (
        'slipstream sql "select label, count(*) from gold.style_predictions group by label"',
        "slipstream laps check",
        f"slipstream track show {TRACKS[0]}",
        "slipstream doctor",
        "slipstream produce replay <GR Cup files> && slipstream run",
        "slipstream down",
    ):
        console.print(f"  .venv/bin/{line}", soft_wrap=True, highlight=False)
    kafka = find_endpoints(settings).bootstrap
    console.print(f"\ndone in {wall_s:.0f} s; Kafka is up at {kafka}, everything is in {settings.home}", soft_wrap=True)
    if not quality.balance.closes:
        raise typer.Exit(1)
