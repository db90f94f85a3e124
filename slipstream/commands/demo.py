"""``demo``: the main job, whole, on this machine."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress

    from conf.settings import AppConfig
    from medallion.io import Lake
    from ml.jobs.score_style import Scored
    from ml.jobs.train_style import Trained
    from producers.simulator.config import SimulatorConfig

app = typer.Typer()
TRACKS = ("three-oaks", "alder-ridge")


@app.command(rich_help_panel="Jobs")
def demo(
    cars: Annotated[int, typer.Option(help="Cars in each of the two simulated sessions.")] = 20,
    laps: Annotated[int, typer.Option(help="Laps each car drives.")] = 2,
    seed: Annotated[int, typer.Option(help="Fixes everything random.")] = 1,
) -> None:
    """Run the main job once: cars into Kafka, through bronze, silver and gold, to a registered model and its scores.

    A second run with the same seed sends the same messages again: bronze grows, silver and gold do not.
    """
    from rich.console import Console

    from conf.settings import get_settings

    console, settings = Console(), get_settings()
    began = time.perf_counter()
    with _step(console, "1/5  Kafka and MLflow"):
        _start_stack(settings)
    with _step(console, "2/5  Spark"):
        lake = _open(settings)
    console.print(f"3/5  {cars} cars on each of {' and '.join(TRACKS)}, through Kafka into bronze and silver")
    _simulate_while_streaming(lake, console, [_session(track, cars, laps, seed) for track in TRACKS])
    with _step(console, "4/5  clocks, quality report, gold features"):
        _drain(lake)
    with _step(console, "5/5  driving-style model: train, register, score"):
        trained, scored = _model(lake)
    _show(console, settings, trained, scored, time.perf_counter() - began)


@contextmanager
def _step(console: Console, name: str) -> Iterator[None]:
    began = time.perf_counter()
    with console.status(f"{name} …"):
        yield
    console.print(f"{name}: done in {time.perf_counter() - began:.0f} s")


def _start_stack(settings: AppConfig) -> None:
    from infra.stack import up

    up(settings, auto_port=True)


def _open(settings: AppConfig) -> Lake:
    from streaming.job import open_lake

    return open_lake(settings, "slipstream-demo")


def _session(track: str, cars: int, laps: int, seed: int) -> SimulatorConfig:
    from producers.simulator.config import SimulatorConfig

    return SimulatorConfig(session_id=f"demo-{track}-{seed}", track=track, n_cars=cars, n_laps=laps, seed=seed)


def _simulate_while_streaming(lake: Lake, console: Console, sessions: list[SimulatorConfig]) -> None:
    """Send all sessions while bronze and silver stream; return when both have caught up."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from infra.stack import endpoints
    from medallion.provenance import job_run
    from streaming import bronze, silver
    from streaming.query import Trigger

    bootstrap = endpoints(lake.settings).bootstrap
    trigger = Trigger(once=False, every_s=1.0)
    columns = (TextColumn("     {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with job_run(lake, "demo_stream", (), silver.OUTPUTS) as run, Progress(*columns, console=console) as bars:
        first = bronze.start(lake, bootstrap, trigger)
        second = silver.start(lake, run, trigger)
        try:
            sent, units = _send_all(bootstrap, sessions, bars)
            stored = bars.add_task("silver: samples accounted for", total=units)
            first.processAllAvailable()
            while run.rows_in < units and second.isActive and sent:
                bars.update(stored, completed=run.rows_in)
                time.sleep(0.5)
            second.processAllAvailable()
            bars.update(stored, completed=run.rows_in)
        finally:
            first.stop()
            second.stop()


def _send_all(bootstrap: str, sessions: list[SimulatorConfig], bars: Progress) -> tuple[int, int]:
    """Send every session's frames; returns frames acknowledged and samples sent."""
    from conf.contract import load_contract
    from producers.kafka import KafkaStreamer
    from producers.simulator.simulator import VehicleSimulator

    event_type = load_contract("event.frame.v1").properties["ce_type"]
    acknowledged = samples = 0
    for config in sessions:
        frames = list(VehicleSimulator(config).frames())
        task = bars.add_task(f"{config.session_id}: frames sent", total=len(frames))
        with KafkaStreamer(bootstrap, source=f"/simulator/{config.session_id}") as streamer:
            for number, frame in enumerate(frames):
                streamer.send(frame.key(), frame.payload(), event_type, f"{config.session_id}:{number}")
                samples += len(frame.columns["t_us"])
                if number % 50 == 0:
                    bars.update(task, completed=number)
            report = streamer.flush()
        bars.update(task, completed=len(frames))
        acknowledged += report.acknowledged
    return acknowledged, samples


def _drain(lake: Lake) -> None:
    from streaming import gold, silver
    from streaming.job import drain

    drain(lake, silver.JOB)
    drain(lake, gold.JOB)


def _model(lake: Lake) -> tuple[Trained, Scored]:
    from infra.stack import endpoints
    from ml.jobs.score_style import score_style
    from ml.jobs.train_style import MODEL, train_style
    from ml.tracking import Tracker

    tracker = Tracker(endpoints(lake.settings).tracking_uri)
    trained = train_style(lake, tracker)
    return trained, score_style(lake, tracker, MODEL, lake.settings.style_threshold)


def _show(console: Console, settings: AppConfig, trained: Trained, scored: Scored, wall_s: float) -> None:
    from infra.stack import endpoints
    from serving.balance import lake_balance
    from slipstream.report import draw_session, summary_table

    picture = draw_session(settings, f"demo-{TRACKS[0]}-", settings.reports_dir / "demo.png")
    console.print()
    console.print(summary_table(settings, trained, scored))
    balance = lake_balance(settings)
    console.print(balance.summary())
    docs = next((settings.reports_dir / "quality").rglob("data_docs/**/index.html"), None)
    console.print()
    for what, where in (
        ("laps and styles", picture),
        ("confusion, importance", settings.reports_dir / "style"),
        ("MLflow", trained.page),
        ("quality report", docs.as_uri() if docs else "none"),
    ):
        console.print(f"  {what:<22} {where}", soft_wrap=True, highlight=False)
    console.print("\nTry next:")
    for line in (
        'slipstream sql "select label, count(*) from gold.style_predictions group by label"',
        "slipstream describe silver.telemetry",
        "slipstream doctor",
        "slipstream produce replay <GR Cup files> && slipstream run",
        "slipstream down",
    ):
        console.print(f"  .venv/bin/{line}", soft_wrap=True, highlight=False)
    kafka = endpoints(settings).bootstrap
    console.print(f"\ndone in {wall_s:.0f} s; Kafka is up at {kafka}, everything is in {settings.home}", soft_wrap=True)
    if not balance.closes:
        raise typer.Exit(1)
