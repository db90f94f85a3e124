"""Job: calibrate what DPTAD takes for usual on a track, and judge all laps there by it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Final

from analysis.track_build.rows import TrackError
from jobs.job import BatchJob, RunContext
from jobs.tracks import (
    INPUTS,
    TrackJobResult,
    add_track,
    find_circuit,
    newest_calibration,
    refresh_laps,
    thresholds_version,
    write_calibration,
)
from medallion.gold.refresh import processor
from medallion.io import Lake
from medallion.silver import tracks


def calibrate_track(lake: Lake, track_id: str, sessions: Sequence[str]) -> TrackJobResult:
    """Calibrate a track on sessions driven on it, as a new version, and judge all its laps by it.

    Where the same laps give what the newest version holds, that one stays.

    Raises:
        TrackError: If there is no such track, or a session was not driven on it.
        InputError: If there are too few laps.
    """
    with JOB.record_run(lake) as run:
        circuit = find_circuit(lake, track_id)
        here = tracks.sessions_on_track(lake, track_id)
        if elsewhere := sorted(set(sessions) - set(here)):
            raise TrackError(
                f"session {', '.join(elsewhere)} was not driven on {track_id}, as far as the lake knows: "
                f"it has {', '.join(here) or 'no session'} there; see `slipstream track assign`"
            )
        is_new = write_calibration(lake, circuit, sorted(sessions), newest_calibration(lake, track_id), run.run_id)
        laps = refresh_laps(lake, track_id, run.run_id)
        run.rows_in = run.rows_out = laps
    return TrackJobResult(run.run_id, laps, thresholds_version(lake, track_id), is_new)


def describe_calibration(track_id: str, done: TrackJobResult) -> str:
    """The sentence that says what was calibrated."""
    state = "" if done.is_new else " (unchanged)"
    return f"{track_id}: thresholds version {done.thresholds}{state}, {done.laps:,} laps judged (run {done.run_id})"


def _run(context: RunContext, given: Namespace) -> str:
    return describe_calibration(given.name, calibrate_track(context.lake, given.name, given.sessions))


JOB: Final = BatchJob(
    name="calibrate_track",
    module="jobs.calibrate_track",
    command="track calibrate",
    summary="Calibrate what DPTAD takes for usual on a track, and judge all laps there by it.",
    inputs=INPUTS,
    outputs=processor.LAP_TABLES,
    arguments=add_track,
    body=_run,
)

main = JOB.main

if __name__ == "__main__":
    raise SystemExit(main())
