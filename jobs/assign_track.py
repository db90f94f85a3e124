"""Job: note which sessions were driven on a track that is known, and bring up to date what follows."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Final

from jobs.job import BatchJob, RunContext
from jobs.tracks import INPUTS, OUTPUTS, TrackJobResult, add_track, find_circuit, refresh_laps, thresholds_version
from medallion.io import Lake
from medallion.silver import tracks


def assign_sessions(lake: Lake, track_id: str, sessions: Sequence[str]) -> TrackJobResult:
    """Note that sessions were driven on a known track, and bring up to date what follows.

    Raises:
        TrackError: If there is no such track or session.
    """
    with JOB.record_run(lake) as run:
        find_circuit(lake, track_id)
        tracks.assign_track(lake, track_id, sessions, run.run_id)
        laps = refresh_laps(lake, track_id, run.run_id)
        run.rows_in, run.rows_out = len(sessions), laps
    return TrackJobResult(run.run_id, laps, thresholds_version(lake, track_id), is_new=True)


def describe_assignment(track_id: str, sessions: Sequence[str], done: TrackJobResult) -> str:
    """The sentence that says what was assigned."""
    return f"{', '.join(sessions)} was driven on {track_id}; {done.followed}"


def _run(context: RunContext, given: Namespace) -> str:
    done = assign_sessions(context.lake, given.name, given.sessions)
    return describe_assignment(given.name, given.sessions, done)


JOB: Final = BatchJob(
    name="assign_track",
    module="jobs.assign_track",
    command="track assign",
    summary="Note which sessions were driven on a track that is known, and bring up to date what follows.",
    inputs=INPUTS,
    outputs=OUTPUTS,
    arguments=add_track,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
