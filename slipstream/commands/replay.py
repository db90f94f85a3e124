"""``produce replay``: published telemetry files, sent as readings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.commands._options import Speed, Topic
from slipstream.console import DryRun, summary

if TYPE_CHECKING:
    from producers.replay.report import FileReport

SHOWN_LINES = 3


def replay(
    *,
    paths: Annotated[list[Path], typer.Argument(help="Telemetry files, or folders to search for them.")],
    session: Annotated[str | None, typer.Option(help="Session id, for files that do not say theirs.")] = None,
    speed: Speed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an unfinished replay stopped.")] = False,
    topic: Topic = "telemetry.raw",
    dry_run: DryRun = False,
) -> None:
    """Replay published telemetry files in order of arrival; what a file is, its content says and not its name.

    `slipstream produce replay barber/R1_telemetry.csv --session barber-r1`

    `slipstream produce replay downloads/ --speed 10`

    `slipstream produce replay downloads/ --resume`
    """
    if dry_run:
        _list_files(paths)
    else:
        _send_files(paths, session, speed, resume, topic)


def _list_files(paths: list[Path]) -> None:
    from producers.replay.files import find_files

    files, skipped = find_files(paths)
    for path, form in files:
        typer.echo(f"{path}: {form.name}, {form.container}, {path.stat().st_size:,} bytes")
    _list_skipped(skipped)
    summary(f"would replay {len(files)} files, nothing sent")


def _send_files(paths: list[Path], session: str | None, speed: float | None, resume: bool, topic: str) -> None:
    from rich.console import Console

    from conf.settings import get_settings
    from infra.stack import endpoints
    from producers.replay.progress import ReplayBar
    from producers.replay.replay import ReplayTarget
    from producers.replay.replay import replay as replay_files

    settings = get_settings()
    bootstrap = endpoints(settings).bootstrap
    target = ReplayTarget(bootstrap, topic, settings.kafka_config)
    state_dir = settings.home / "replay"
    with ReplayBar(Console(stderr=True)) as bar:
        report = replay_files(
            paths, target, state_dir=state_dir, session=session, speed=speed, resume=resume, on_progress=bar
        )
    for file in report.files:
        _describe(file)
    _list_skipped(report.skipped)
    seconds = sum(file.send_s for file in report.files)
    summary(
        f"{report.sent:,} readings of {len(report.files)} files sent to {topic} at {bootstrap} in {seconds:.1f} s, "
        f"{report.acknowledged:,} acknowledged, {report.malformed_count:,} malformed lines left out"
    )


def _describe(file: FileReport) -> None:
    resumed = f", resumed at {file.resumed_from:,}" if file.resumed_from else ""
    typer.echo(
        f"{file.path}: {file.form.name}, session {', '.join(file.sessions)}, {file.readings:,} readings{resumed}"
    )
    for bad in file.malformed[:SHOWN_LINES]:
        typer.echo(f"  line {bad.line} left out: {bad.reason}")
    if file.malformed_count > SHOWN_LINES:
        typer.echo(f"  {file.malformed_count - SHOWN_LINES:,} more malformed lines left out")


def _list_skipped(skipped: Iterable[tuple[Path, str]]) -> None:
    for path, reason in skipped:
        typer.echo(f"skipped {path}: {reason}")
