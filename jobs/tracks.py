"""Jobs on tracks: build one, say which sessions were driven on one, calibrate one; and bring up to date what follows.

What follows from a track is what knows its corners and its distances: DPTAD and the even grid of all laps driven there,
and what sums up their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.track_build.rows import TrackError, own_circuit
from analysis.tracks.circuit import Circuit
from conf.tables import SILVER_LAPS, SILVER_SESSIONS, SILVER_TELEMETRY, SILVER_TRACKS
from medallion.gold import dptad_thresholds
from medallion.gold.dptad_thresholds import Calibration
from medallion.gold.refresh import processor
from medallion.gold.refresh.affected import AffectedKeys
from medallion.io import Lake
from medallion.provenance import job_run
from medallion.silver import tracks
from medallion.silver.tracks import TrackPlan, TrackRow

INPUTS: Final = (SILVER_TELEMETRY, SILVER_LAPS, SILVER_SESSIONS, SILVER_TRACKS)
OUTPUTS: Final = (SILVER_TRACKS, SILVER_SESSIONS, *processor.LAP_TABLES)


@dataclass(frozen=True)
class Done:
    """Outcome of a job.

    Attributes:
        run_id: Job run.
        laps: Laps that were brought up to date.
        thresholds: Version of the track's thresholds, ``None`` where it is not calibrated.
        is_new: Whether what the job makes differs from what was there.
        track: The track, where one was built.
    """

    run_id: str
    laps: int
    thresholds: int | None
    is_new: bool
    track: TrackRow | None = None


def build_track(lake: Lake, plan: TrackPlan) -> Done:
    """Build a track and all that follows from it.

    A track that is built anew may number its corners anew. Its thresholds know corners by number, so they are
    calibrated again and written first: a build that is killed before its track is written is simply repeated.

    Raises:
        TrackError: If it cannot be built.
    """
    with job_run(lake, "build_track", INPUTS, OUTPUTS) as run:
        made = tracks.make_track(lake, plan)
        before = dptad_thresholds.latest_calibrations(lake, [plan.track_id]).get(plan.track_id)
        if made.is_new and before is not None:
            sessions = sorted({*before.thresholds.sessions, *plan.sessions})
            _calibrate(lake, made.circuit, sessions, before, run.run_id)
        tracks.write_track(lake, made, run.run_id)
        laps = _bring_up_to_date(lake, plan.track_id, run.run_id)
        run.rows_in, run.rows_out = made.row["n_laps"], laps
    return Done(run.run_id, laps, _version(lake, plan.track_id), made.is_new, made)


def assign_sessions(lake: Lake, track_id: str, sessions: Sequence[str]) -> Done:
    """Note that sessions were driven on a known track, and bring up to date what follows.

    Raises:
        TrackError: If there is no such track or session.
    """
    with job_run(lake, "assign_track", INPUTS, OUTPUTS) as run:
        _circuit(lake, track_id)
        tracks.assign_track(lake, track_id, sessions, run.run_id)
        laps = _bring_up_to_date(lake, track_id, run.run_id)
        run.rows_in, run.rows_out = len(sessions), laps
    return Done(run.run_id, laps, _version(lake, track_id), is_new=True)


def calibrate_track(lake: Lake, track_id: str, sessions: Sequence[str]) -> Done:
    """Calibrate a track on sessions driven on it, as a new version, and judge all its laps by it.

    Where the same laps give what the newest version holds, that one stays.

    Raises:
        TrackError: If there is no such track, or a session was not driven on it.
        InputError: If there are too few laps.
    """
    with job_run(lake, "calibrate_track", INPUTS, processor.LAP_TABLES) as run:
        circuit = _circuit(lake, track_id)
        here = tracks.sessions_on(lake, track_id)
        if strangers := sorted(set(sessions) - set(here)):
            raise TrackError(
                f"session {', '.join(strangers)} was not driven on {track_id}, as far as the lake knows: "
                f"it has {', '.join(here) or 'no session'} there; see `slipstream track assign`"
            )
        before = dptad_thresholds.latest_calibrations(lake, [track_id]).get(track_id)
        is_new = _calibrate(lake, circuit, sorted(sessions), before, run.run_id)
        laps = _bring_up_to_date(lake, track_id, run.run_id)
        run.rows_in = run.rows_out = laps
    return Done(run.run_id, laps, _version(lake, track_id), is_new)


def _calibrate(lake: Lake, circuit: Circuit, sessions: Sequence[str], before: Calibration | None, run_id: str) -> bool:
    """Write a new version of a track's thresholds, unless it holds what the newest one does; whether it was written."""
    newest = 0 if before is None else before.thresholds.version
    made = dptad_thresholds.make_calibration(lake, circuit, sessions, newest + 1)
    if before is not None and _same(made, before):
        return False
    dptad_thresholds.write_calibration(lake, made, run_id)
    return True


def _same(one: Calibration, other: Calibration) -> bool:
    values = sorted(one.thresholds.rows()) == sorted(other.thresholds.rows())
    return (
        values and dict(one.stretch_s) == dict(other.stretch_s) and one.thresholds.sessions == other.thresholds.sessions
    )


def _bring_up_to_date(lake: Lake, track_id: str, run_id: str) -> int:
    laps = tracks.driven_laps(lake, tracks.sessions_on(lake, track_id))
    processor.GoldProcessor(lake, run_id).refresh(AffectedKeys((), laps, (), ()))
    return len(laps)


def _circuit(lake: Lake, track_id: str) -> Circuit:
    circuit = own_circuit(track_id) or tracks.circuits_by_track(lake, [track_id]).get(track_id)
    if circuit is None:
        raise TrackError(
            f"no track '{track_id}': see `slipstream track list`, or build it with `slipstream track build`"
        )
    return circuit


def _version(lake: Lake, track_id: str) -> int | None:
    found = dptad_thresholds.latest_calibrations(lake, [track_id]).get(track_id)
    return None if found is None else found.thresholds.version
