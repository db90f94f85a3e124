"""``produce replay``: published telemetry, timing, results and weather files, sent as events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipstream.commands._options import Speed
from slipstream.console import DryRun, print_summary, say

if TYPE_CHECKING:
    from conf.text_table import MalformedLine
    from producers.replay.files import Skipped
    from producers.replay.naming import Naming
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
    session: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|OLD=NEW",
            show_default=False,
            help="Session of the files that do not say theirs, or a new id for the one that they say; of several, for "
            "OLD or the one whose race it names. Repeat it for more.",
        ),
    ] = None,
    rename_ids: Annotated[
        bool,
        typer.Option("--rename-ids", help="Send ids that the contracts refuse under those offered: Race 1 as Race-1."),
    ] = False,
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
    from conf.topics import TELEMETRY_RAW
    from producers.replay.naming import Naming

    files, naming = paths or _default_folder(), Naming.parse(session or (), accept_offers=rename_ids)
    if dry_run:
        _list_files(files, naming, topic or TELEMETRY_RAW.name)
    else:
        _send_files(files, naming, speed, resume, topic or TELEMETRY_RAW.name)


def _default_folder() -> list[Path]:
    """The folder to search where none is named."""
    from conf.settings import get_settings

    root = get_settings().data_root
    if root is None:
        raise typer.BadParameter("name files or folders, or set DATA_ROOT in the environment or in .env")
    return [root]


def _list_files(paths: list[Path], naming: Naming, topic: str) -> None:
    """Say what would be sent; ends as the replay would where something keeps it from that."""
    from producers.replay.replay import plan_replay

    plan, skipped = plan_replay(paths, naming)
    for sheet in plan.sheets:
        where = f"session {', '.join(sheet.sessions)}, {len(sheet.records):,} events for {sheet.sheet.topic}"
        say(f"{sheet.sheet.path}: {sheet.sheet.form.name}, {sheet.sheet.form.container}, {where}")
        _list_remarks(sheet.malformed, len(sheet.malformed), sheet.notes)
    for file in plan.telemetry:
        where = f"session {', '.join(file.sessions)}, {file.readings:,} readings for {topic}"
        say(f"{file.path}: {file.survey.form.name}, {file.survey.form.container}, {where}")
        _list_remarks(file.survey.malformed, file.survey.malformed_count, file.notes)
        if file.silent:
            say(f"  {file.silent:,} lines without session left out, since the others are of several")
    _list_skipped((*skipped, *plan.copies))
    for note in plan.notes:
        say(note)
    plan.check()
    print_summary(
        f"would replay {len(plan.sheets) + len(plan.telemetry)} files, {plan.readings:,} readings and {plan.events:,} "
        f"events, {plan.left_out:,} malformed lines left out, nothing sent"
    )


def _send_files(paths: list[Path], naming: Naming, speed: float | None, resume: bool, topic: str) -> None:
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from infra.kafka.client_options import librdkafka_options
    from infra.local.stack import find_endpoints
    from producers.replay.progress import ReplayBar
    from producers.replay.replay import ReplayTarget, replay_files

    settings = get_settings()
    bootstrap = find_endpoints(settings).bootstrap
    target = ReplayTarget(bootstrap, topic, librdkafka_options(settings))
    state_dir = settings.home / "replay"
    with ReplayBar(PlainConsole(stderr=True)) as bar:
        report = replay_files(
            paths, target, state_dir=state_dir, naming=naming, speed=speed, resume=resume, on_progress=bar
        )
    for file in report.files:
        _describe(file)
    _list_skipped(report.skipped)
    for note in report.notes:
        say(note)
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
    say(f"{file.path}: {file.form.name}, session {', '.join(file.sessions)}, {file.messages:,} {file.unit}{resumed}")
    _list_remarks(file.malformed, file.malformed_count, file.notes)


def _list_remarks(malformed: Sequence[MalformedLine], count: int, notes: Iterable[str]) -> None:
    for note in notes:
        say(f"  {note}")
    for bad in malformed[:SHOWN_LINES]:
        say(f"  line {bad.line} left out: {bad.reason}")
    if count > SHOWN_LINES:
        say(f"  {count - SHOWN_LINES:,} more malformed lines left out")


def _list_skipped(skipped: Iterable[Skipped]) -> None:
    for path, reason in skipped:
        say(f"skipped {path}: {reason}")
