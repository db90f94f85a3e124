"""Job: build a track from the laps of sessions, and bring up to date what follows from it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.track_build.rows import refuse_own_track
from analysis.tracks.official_corners import find_unnumbered_bends
from conf.corners import OfficialCorners, read_official_corners
from conf.errors import InputError
from conf.identifiers import check_identifier
from jobs.arguments import add_sessions
from jobs.job import BatchJob, RunContext
from jobs.tracks import (
    INPUTS,
    OUTPUTS,
    TrackJobResult,
    newest_calibration,
    refresh_laps,
    thresholds_version,
    write_calibration,
)
from medallion.io import Lake
from medallion.silver import tracks
from medallion.silver.tracks import TrackPlan


def build_track(lake: Lake, plan: TrackPlan) -> TrackJobResult:
    """Build a track and all that follows from it.

    A track that is built anew may number its corners anew. Its thresholds know corners by number, so they are
    calibrated again and written first: a build that is killed before its track is written is simply repeated.

    Raises:
        TrackError: If it cannot be built.
    """
    with JOB.record_run(lake) as run:
        made = tracks.make_track(lake, plan)
        before = newest_calibration(lake, plan.track_id)
        if made.is_new and before is not None:
            sessions = sorted({*before.thresholds.sessions, *plan.sessions})
            write_calibration(lake, made.circuit, sessions, before, run.run_id)
        tracks.write_track(lake, made, run.run_id)
        laps = refresh_laps(lake, plan.track_id, run.run_id)
        run.rows_in, run.rows_out = made.row["n_laps"], laps
    return TrackJobResult(run.run_id, laps, thresholds_version(lake, plan.track_id), made.is_new, made)


def describe_build(name: str, done: TrackJobResult) -> str:
    """The sentence that says what was built and how well it fits official sector times."""
    if done.track is None:
        return f"{name}: {done.followed}"
    row, circuit = done.track.row, done.track.circuit
    parts = [
        f"{circuit.length_m:,.0f} m from {row['n_laps']} laps ({row['source']})",
        f"{len(circuit.corners)} corners",
    ]
    if row["sector_residual_p95_s"] is not None:
        parts.append(f"sector times within {row['sector_residual_p95_s']:.3f} s (p95, {row['n_sector_laps']} laps)")
    if bends := find_unnumbered_bends(circuit):
        parts.append(f"bends without a number: {', '.join(f'{at:,.0f} m' for at in bends)}")
    state = "" if done.is_new else ", unchanged"
    return f"{name} version {row['version']}{state}: {', '.join(parts)}; {done.followed}"


def parse_corner_names(given: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Names of corners from texts such as ``5=Hairpin``, by number.

    Raises:
        InputError: If a text is not of that form.
    """
    found = []
    for text in given:
        number, equals, name = text.partition("=")
        if not (equals and number.isdigit() and name.strip()):
            raise InputError(f"'{text}' is not NUMBER=NAME, such as 5=Hairpin")
        found.append((int(number), name.strip()))
    return tuple(sorted(found))


def plan_track(
    name: str,
    sessions: Sequence[str],
    title: str | None,
    corner_names: Sequence[str],
    official: OfficialCorners | None = None,
) -> TrackPlan:
    """What to build, from a job's arguments.

    Raises:
        TrackError: If the name is that of a track that comes with Slipstream.
        IdentifierError: If the contracts refuse it.
        InputError: If a corner's name is not ``NUMBER=NAME``.
    """
    refuse_own_track(name)
    check_identifier(name, "track")
    return TrackPlan(name, tuple(dict.fromkeys(sessions)), title, parse_corner_names(corner_names), official)


def _add_arguments(parser: ArgumentParser) -> None:
    add_sessions(parser, "a session driven there; repeat it for more", required=True)
    parser.add_argument("--name", required=True, help="name of the track in tables")
    parser.add_argument("--title", help="name for people (default: the name)")
    parser.add_argument(
        "--corner-name", dest="corner_names", action="append", default=[], metavar="NUMBER=NAME", help="name a corner"
    )
    parser.add_argument(
        "--corners",
        type=Path,
        metavar="FILE",
        help="the circuit's own corners: YAML with number, apex_m and name of each",
    )


def _run(context: RunContext, given: Namespace) -> str:
    official = read_official_corners(given.corners) if given.corners else None
    plan = plan_track(given.name, given.sessions, given.title, given.corner_names, official)
    return describe_build(given.name, build_track(context.lake, plan))


JOB: Final = BatchJob(
    name="build_track",
    module="jobs.build_track",
    command="track build",
    summary="Build a track from the laps of sessions, and bring up to date what follows from it.",
    inputs=INPUTS,
    outputs=OUTPUTS,
    arguments=_add_arguments,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
