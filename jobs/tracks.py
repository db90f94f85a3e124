"""What the jobs on tracks share: their tables, their outcome, and the refresh of what follows from a track.

What follows from a track is what knows its corners and its distances: DPTAD and the even grid of all laps driven there,
and what sums up their scores.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.track_build.rows import TrackError, load_own_circuit
from analysis.tracks.circuit import Circuit
from conf.tables import SILVER_LAPS, SILVER_SESSIONS, SILVER_TELEMETRY, SILVER_TRACKS
from jobs.arguments import add_sessions
from medallion.gold import dptad_thresholds
from medallion.gold.dptad_thresholds import TrackCalibration
from medallion.gold.refresh import processor
from medallion.gold.refresh.affected import AffectedKeys
from medallion.io import Lake
from medallion.silver import tracks
from medallion.silver.tracks import TrackRow

INPUTS: Final = (SILVER_TELEMETRY, SILVER_LAPS, SILVER_SESSIONS, SILVER_TRACKS)
OUTPUTS: Final = (SILVER_TRACKS, SILVER_SESSIONS, *processor.LAP_TABLES)


@dataclass(frozen=True)
class TrackJobResult:
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

    @property
    def followed(self) -> str:
        """What was brought up to date after the track."""
        thresholds = "no thresholds" if self.thresholds is None else f"thresholds version {self.thresholds}"
        return f"{self.laps:,} laps brought up to date, {thresholds} (run {self.run_id})"


def write_calibration(
    lake: Lake, circuit: Circuit, sessions: Sequence[str], before: TrackCalibration | None, run_id: str
) -> bool:
    """Write a new version of a track's thresholds, unless it holds what the newest one does; whether it was written."""
    newest = 0 if before is None else before.thresholds.version
    made = dptad_thresholds.make_calibration(lake, circuit, sessions, newest + 1)
    if before is not None and _is_same_calibration(made, before):
        return False
    dptad_thresholds.write_calibration(lake, made, run_id)
    return True


def _is_same_calibration(one: TrackCalibration, other: TrackCalibration) -> bool:
    values = sorted(one.thresholds.rows()) == sorted(other.thresholds.rows())
    return (
        values and dict(one.stretch_s) == dict(other.stretch_s) and one.thresholds.sessions == other.thresholds.sessions
    )


def refresh_laps(lake: Lake, track_id: str, run_id: str) -> int:
    """Bring up to date what follows from a track; returns how many laps were driven there."""
    laps = tracks.laps_with_telemetry(lake, tracks.sessions_on_track(lake, track_id))
    processor.GoldProcessor(lake, run_id).refresh(AffectedKeys((), laps, (), ()))
    return len(laps)


def find_circuit(lake: Lake, track_id: str) -> Circuit:
    """A track that comes with Slipstream or was built in this lake.

    Raises:
        TrackError: If there is none of that name.
    """
    circuit = load_own_circuit(track_id) or tracks.circuits_by_track(lake, [track_id]).get(track_id)
    if circuit is None:
        raise TrackError(
            f"no track '{track_id}': see `slipstream track list`, or build it with `slipstream track build`"
        )
    return circuit


def newest_calibration(lake: Lake, track_id: str) -> TrackCalibration | None:
    """The newest thresholds of a track, where it is calibrated."""
    return dptad_thresholds.latest_calibrations(lake, [track_id]).get(track_id)


def thresholds_version(lake: Lake, track_id: str) -> int | None:
    """Version of the newest thresholds of a track, where it is calibrated."""
    found = newest_calibration(lake, track_id)
    return None if found is None else found.thresholds.version


def add_track(parser: ArgumentParser) -> None:
    """Add the track's name, and the sessions driven there."""
    parser.add_argument("name", help="as `slipstream track list` has it")
    add_sessions(parser, "a session driven there; repeat it for more", required=True)
