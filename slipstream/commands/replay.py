"""``produce replay``: published telemetry, timing, results and weather files, sent as events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.commands._options import Speed
from slipstream.console import DryRun, print_summary

if TYPE_CHECKING:
    from producers.replay.lines import MalformedLine
    from producers.replay.report import FileReport, ReplayReport

SHOWN_LINES = 3


TelemetryTopic = Annotated[
    str | None,
    typer.Option(
        show_default="telemetry.raw",
        help="Topic of the telemetry; the other events go to those of their contracts: timing.raw, race.raw, "
        "environment.raw. All must exist (`slipstream up` creates them).",
    ),
]


def replay(
    *,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(show_default="DATA_ROOT", help="Published files, or folders to search for them."),
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session id, for files that do not say theirs.")] = None,
    speed: Speed = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an unfinished replay stopped.")] = False,
    topic: TelemetryTopic = None,
    dry_run: DryRun = False,
) -> None:
    """Replay published files: telemetry, lap events, sector times, results, weather.

    What a file is, its content says and not its name. Telemetry is sent in order of arrival, at `--speed` if given; the
    rest is sent at once, before it.

    `slipstream produce replay barber/R1_telemetry.csv --session barber-r1`

    `slipstream produce replay downloads/ --speed 10`

    `slipstream produce replay downloads/ --resume`
    """
    files = paths or _default_folder()
    if dry_run:
        _list_files(files, session)
    else:
        from conf.topics import TELEMETRY_RAW

        _send_files(files, session, speed, resume, topic or TELEMETRY_RAW.name)


def _default_folder() -> list[Path]:
    """The folder to search where none is named."""
    from conf.settings import get_settings

    root = get_settings().data_root
    if root is None:
        raise typer.BadParameter("name files or folders, or set DATA_ROOT in the environment or in .env")
    return [root]


def _list_files(paths: list[Path], session: str | None) -> None:
    from producers.replay.files import find_files
    from producers.replay.plan import make_replay_plan
    from producers.replay.sessions import check_session

    check_session(session)
    found, skipped = find_files(paths)
    plan = make_replay_plan(found, session)
    for sheet in plan.sheets:
        where = f"session {', '.join(sheet.sessions)}, {len(sheet.records):,} events for {sheet.sheet.topic}"
        typer.echo(f"{sheet.sheet.path}: {sheet.sheet.form.name}, {sheet.sheet.form.container}, {where}")
        _list_remarks(sheet.malformed, len(sheet.malformed), sheet.notes)
    for path, form in plan.telemetry:
        typer.echo(f"{path}: {form.name}, {form.container}, {path.stat().st_size:,} bytes")
    _list_skipped((*skipped, *plan.copies))
    print_summary(f"would replay {len(plan.sheets) + len(plan.telemetry)} files, nothing sent")


def _send_files(paths: list[Path], session: str | None, speed: float | None, resume: bool, topic: str) -> None:
    from rich.console import Console

    from conf.settings import get_settings
    from infra.local.stack import find_endpoints
    from producers.replay.progress import ReplayBar
    from producers.replay.replay import ReplayTarget, replay_files

    settings = get_settings()
    bootstrap = find_endpoints(settings).bootstrap
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
    topics = ", ".join(dict.fromkeys(file.topic for file in report.files))
    print_summary(
        f"{_counts(report)} sent to {topics} at {bootstrap} in {seconds:.1f} s, {report.acknowledged:,} acknowledged, "
        f"{report.malformed_count:,} malformed lines left out"
    )


def _counts(report: ReplayReport) -> str:
    """``50 readings of 1 files and 579 events of 2 files``."""
    parts = []
    for unit in dict.fromkeys(file.unit for file in report.files):
        files = [file for file in report.files if file.unit == unit]
        parts.append(f"{sum(file.sent for file in files):,} {unit} of {len(files)} files")
    return " and ".join(parts)


def _describe(file: FileReport) -> None:
    resumed = f", resumed at {file.resumed_from:,}" if file.resumed_from else ""
    typer.echo(
        f"{file.path}: {file.form.name}, session {', '.join(file.sessions)}, {file.messages:,} {file.unit}{resumed}"
    )
    _list_remarks(file.malformed, file.malformed_count, file.notes)


def _list_remarks(malformed: Sequence[MalformedLine], count: int, notes: Iterable[str]) -> None:
    for note in notes:
        typer.echo(f"  {note}")
    for bad in malformed[:SHOWN_LINES]:
        typer.echo(f"  line {bad.line} left out: {bad.reason}")
    if count > SHOWN_LINES:
        typer.echo(f"  {count - SHOWN_LINES:,} more malformed lines left out")


def _list_skipped(skipped: Iterable[tuple[Path, str]]) -> None:
    for path, reason in skipped:
        typer.echo(f"skipped {path}: {reason}")
