"""``track``: circuits from telemetry, which session was driven where, what is usual there, micro-sectors, and a map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipstream.commands._aliases import rename_flags
from slipstream.console import DryRun, Format, open_job_lake, open_lake_and_tracker, print_answer, print_summary, say

if TYPE_CHECKING:
    from rich.table import Table

    from serving.queries.circuits import KnownTrack, ListedTrack

app = typer.Typer()
track = typer.Typer(
    no_args_is_help=True, help="Circuits built from telemetry: build, calibrate, list, draw, cut into micro-sectors."
)
app.add_typer(track, name="track", rich_help_panel="Jobs")

WithRebuild = rename_flags({"--again": "--rebuild"})
Sessions = Annotated[list[str], typer.Option("--session", help="A session driven there; repeat it for more.")]
Name = Annotated[str, typer.Argument(help="As `slipstream track list` has it.", show_default=False)]


def _lap(text: str | None) -> tuple[str, str, int] | None:
    """Session, vehicle and lap from ``SESSION/VEHICLE/LAP``."""
    if text is None:
        return None
    parts = text.split("/")
    if len(parts) != 3 or not parts[2].isdigit():
        raise typer.BadParameter(f"'{text}' is not SESSION/VEHICLE/LAP, such as sim-1/sim-44/3", param_hint="--events")
    return parts[0], parts[1], int(parts[2])


@track.command()
def build(
    sessions: Sessions,
    name: Annotated[str, typer.Option(help="Name of the track in tables.")],
    title: Annotated[str | None, typer.Option(help="Name for people; the name if left out.")] = None,
    corner_names: Annotated[
        list[str] | None, typer.Option("--corner-name", metavar="NUMBER=NAME", help="Name a corner; repeat it.")
    ] = None,
    corners: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The circuit's own corners: YAML with number, apex_m and name of each."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Build a circuit from the laps of sessions, and all that follows from it.

    Positions give the line; without them speed and lateral acceleration do. Official sector times give the sector ends.

    `slipstream track build --session barber-R1 --name barber --corner-name 5=Hairpin`

    `slipstream track build --session barber-R1 --name barber --corners barber-corners.yaml`
    """
    from analysis.track_build.rows import TrackError, choose_track_laps
    from conf.corners import read_official_corners
    from conf.errors import InputError
    from conf.identifiers import IdentifierError
    from conf.settings import get_settings
    from jobs.build_track import JOB, build_track, describe_build, plan_track
    from serving.lake.reader import LakeReader
    from serving.queries.circuits import read_lap_rows

    official = read_official_corners(corners) if corners else None
    try:
        plan = plan_track(name, sessions, title, corner_names or [], official)
    except (TrackError, IdentifierError):
        raise
    except InputError as error:
        raise typer.BadParameter(str(error), param_hint="--corner-name") from None
    chosen = choose_track_laps(read_lap_rows(LakeReader(get_settings()), sessions))
    if dry_run:
        cars = len({(lap["session_id"], lap["vehicle_id"]) for lap in chosen})
        print_summary(f"would build {name} from {len(chosen)} laps of {cars} cars; nothing written")
        print_summary(JOB.dry_run_sentence)
        return
    lake, say = open_job_lake(JOB), f"building {name} from {len(chosen)} laps …"
    with _status(say):
        done = build_track(lake, plan)
    print_summary(describe_build(name, done))


@track.command()
def assign(name: Name, sessions: Sessions, dry_run: DryRun = False) -> None:
    """Say that sessions were driven on a track that is known already, and bring up to date what follows.

    `slipstream track assign barber --session barber-R2`
    """
    from conf.settings import get_settings
    from jobs.assign_track import JOB, assign_sessions, describe_assignment
    from serving.lake.reader import LakeReader
    from serving.queries.circuits import find_known_track, read_lap_rows

    reader = LakeReader(get_settings()).snapshot()
    find_known_track(reader, name)
    laps = read_lap_rows(reader, sessions)
    if dry_run:
        print_summary(f"would note {', '.join(sessions)} as driven on {name}, {len(laps):,} laps; nothing written")
        print_summary(JOB.dry_run_sentence)
        return
    lake = open_job_lake(JOB)
    with _status(f"bringing laps on {name} up to date …"):
        done = assign_sessions(lake, name, sessions)
    print_summary(describe_assignment(name, sessions, done))


@track.command()
def calibrate(name: Name, sessions: Sessions, dry_run: DryRun = False) -> None:
    """Calibrate what DPTAD takes for usual on a track, as a new version, and judge all laps there by it.

    `slipstream track calibrate barber --session barber-R1`
    """
    from conf.settings import get_settings
    from jobs.calibrate_track import JOB, calibrate_track, describe_calibration
    from serving.lake.reader import LakeReader
    from serving.queries.circuits import find_known_track, read_lap_rows

    reader = LakeReader(get_settings()).snapshot()
    find_known_track(reader, name)
    fit = sum("pace" in lap["fit_for"] and bool(lap["sample_count"]) for lap in read_lap_rows(reader, sessions))
    if dry_run:
        print_summary(f"would calibrate {name} on {fit:,} laps of {', '.join(sessions)}; nothing written")
        print_summary(JOB.dry_run_sentence)
        return
    lake = open_job_lake(JOB)
    with _status(f"calibrating {name} …"):
        done = calibrate_track(lake, name, sessions)
    print_summary(describe_calibration(name, done))


@track.command("segment", cls=WithRebuild)
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
            say(f"left out, {laps} laps: {problem}")
        print_summary(one.sentence)


@track.command("list")
def list_tracks(output: Format = "table") -> None:
    """List the tracks: those that come with Slipstream, and those built in this lake.

    `slipstream track list` · `slipstream track list --format json`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.circuits import list_known_tracks, sessions_by_track

    reader = LakeReader(get_settings()).snapshot()
    tracks, sessions = list_known_tracks(reader), sessions_by_track(reader)
    answers = [one.listed(sessions.get(one.circuit.track_id, ())) for one in tracks]
    if output == "json":
        print_answer(answers)
        return
    PlainConsole().print_wide(_tracks_table(answers))
    print_summary(f"{len(tracks)} tracks, {sum(one.row is not None for one in tracks)} of them built in this lake")


@track.command()
def show(
    name: Name,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: png, svg or pdf.")] = None,
    events: Annotated[
        str | None,
        typer.Option(metavar="SESSION/VEHICLE/LAP", help="Put the events of a lap on the map, and where it brakes."),
    ] = None,
    output: Format = "table",
) -> None:
    """Show a track: corners, sector ends, how well it is known; and draw it.

    `slipstream track show barber --plot barber.png`

    `slipstream track show alder-ridge --plot lap.png --events sim-1/sim-44/3`
    """
    from conf.plain_console import PlainConsole
    from conf.settings import get_settings
    from serving.lake.reader import LakeReader
    from serving.queries.circuits import find_known_track
    from serving.queries.lap_events import read_lap_events

    reader, lap = LakeReader(get_settings()).snapshot(), _lap(events)
    found = find_known_track(reader, name)
    on_map = None if lap is None else read_lap_events(reader, lap)
    if output == "json":
        print_answer(found.detail(on_map.events if on_map else None))
    else:
        PlainConsole().print_wide(_corners_table(found))
        if on_map:
            PlainConsole().print_wide(_events_table(on_map.events))
        print_summary(found.origin)
    if plot:
        from serving.charts.style import save_figure
        from serving.charts.track_map import track_figure

        save_figure(track_figure(found.circuit, found.headline, found.origin, on_map), plot)
        say(f"plot: {plot}", err=output == "json")


def _tracks_table(tracks: Sequence[ListedTrack]) -> Table:
    from rich.table import Table

    table = Table("track", "name", "length, m", "corners", "from", "laps", "sector p95, s", "pit loss, s", "sessions")
    for one in tracks:
        table.add_row(
            one.track_id,
            one.name,
            f"{one.length_m:,.0f}",
            str(one.n_corners),
            one.source,
            _number(one.n_laps, 0),
            _number(one.sector_residual_p95_s, 3),
            _number(one.pit_loss_s, 1),
            ", ".join(one.driven),
        )
    return table


def _corners_table(one: KnownTrack) -> Table:
    from rich.table import Table

    ends = ", ".join(f"{end:,.0f} m" for end in one.circuit.sector_ends_m) or "not known"
    table = Table(
        "corner", "entry, m", "apex, m", "exit, m", "direction", "radius, m", caption=f"sectors end at {ends}"
    )
    table.title, table.title_justify = one.headline, "left"
    for corner in one.circuit.corners:
        places = (f"{at:,.0f}" for at in (corner.entry_m, corner.apex_m, corner.exit_m))
        table.add_row(corner.label, *places, corner.direction, f"{corner.radius_m:,.0f}")
    return table


def _events_table(events: Sequence[Any]) -> Table:
    from rich.table import Table

    table = Table("at, m", "time, s", "corner", "phase", "event", "severity", "what")
    for event in events:
        table.add_row(
            f"{event['lap_distance_m']:,.0f}",
            f"{event['t_lap_s']:.2f}",
            event["corner"] or "",
            event["lap_phase"] or "",
            event["event_type"],
            event["severity"],
            event["message"],
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _status(text: str) -> Any:
    from conf.plain_console import PlainConsole

    return PlainConsole(stderr=True).status(text)
