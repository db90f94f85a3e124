"""``gold.dptad_thresholds``: usual values of a track, calibrated on its laps and fixed under a version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyspark.sql import Row

from analysis.dptad import Thresholds, calibrate_thresholds, threshold_unit
from analysis.dptad.calibrate import FEWEST_LAPS
from analysis.dptad.reference import reference_times_s
from analysis.track_build.rows import spread_evenly
from analysis.tracks.circuit import Circuit
from conf.errors import InputError
from conf.tables import GOLD_DPTAD_THRESHOLDS, SILVER_LAPS
from medallion.exchange import put_rows
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.part import Part, sessions_part
from medallion.reading import read_rows
from medallion.silver.lap_traces import read_traces

MOST_LAPS: Final = 120
"""Laps calibrated on: more do not move a 95th percentile, and they all have to be in one place."""
_PURPOSE: Final = "pace"
_COLUMNS: Final = ("track_id", "version", "name", "value", "unit", "n_laps", "sessions")


@dataclass(frozen=True)
class TrackCalibration:
    """What laps of a track are scored by.

    Attributes:
        thresholds: Limits and scales.
        stretch_s: What a good lap takes on each corner's stretch of road, by corner number.
    """

    thresholds: Thresholds
    stretch_s: Mapping[int, float] = field(default_factory=dict)

    def rows(self) -> list[tuple[object, ...]]:
        """Rows of the table."""
        of = self.thresholds
        stretches = [(f"stretch.{number}.time_s", seconds, "s") for number, seconds in self.stretch_s.items()]
        values = [(name, value, threshold_unit(name)) for name, value in of.rows()] + stretches
        return [(of.track_id, of.version, *one, of.n_laps, list(of.sessions)) for one in values]


UNCALIBRATED: Final = TrackCalibration(Thresholds())


def latest_calibrations(lake: Lake, tracks: Iterable[str]) -> dict[str, TrackCalibration]:
    """Newest calibration of each track that has one."""
    part = Part(({"track_id": sorted(tracks)},))
    found: defaultdict[str, defaultdict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in read_rows(lake, GOLD_DPTAD_THRESHOLDS, part):
        found[row.track_id][row.version].append(row)
    return {track: _calibration(track, max(versions), versions[max(versions)]) for track, versions in found.items()}


def _calibration(track: str, version: int, rows: Sequence[Row]) -> TrackCalibration:
    values = {row["name"]: row.value for row in rows}
    stretches = {int(name.split(".")[1]): values.pop(name) for name in [*values] if name.startswith("stretch.")}
    thresholds = Thresholds.from_rows(track, version, values.items(), rows[0].n_laps, rows[0].sessions)
    return TrackCalibration(thresholds, dict(sorted(stretches.items())))


def choose_calibration_laps(lake: Lake, sessions: Sequence[str]) -> list[LapKey]:
    """Laps of sessions that are fit for pace and have telemetry, at most ``MOST_LAPS``, spread evenly."""
    columns = ("session_id", "vehicle_id", "lap_number", "sample_count", "lap_start_ts", "lap_end_ts", "fit_for")
    rows = read_rows(lake, SILVER_LAPS, sessions_part(sessions), columns)
    timed = (r for r in rows if r.sample_count and r.lap_start_ts and r.lap_end_ts and r.lap_start_ts < r.lap_end_ts)
    fit = (LapKey(*row[:3]) for row in timed if _PURPOSE in (row.fit_for or ()))
    return spread_evenly(sorted(fit), MOST_LAPS)


def make_calibration(lake: Lake, circuit: Circuit, sessions: Sequence[str], version: int) -> TrackCalibration:
    """Calibrate on the laps of sessions that were driven on a circuit; nothing is written.

    Raises:
        InputError: If there are too few usable laps.
    """
    laps = choose_calibration_laps(lake, sessions)
    found = read_traces(lake, laps, dict.fromkeys(sessions, circuit))
    usable = [trace for _, trace in found]
    used = sorted({lap.session_id for lap, _ in found})
    thresholds = calibrate_thresholds(usable, circuit.track_id, version, circuit, used)
    return TrackCalibration(thresholds, reference_times_s(usable, circuit))


def make_first_calibration(
    lake: Lake, circuit: Circuit, sessions: Sequence[str], run_id: str
) -> TrackCalibration | None:
    """Version 1 of a track's thresholds, from the first of the sessions that has laps enough; ``None`` if none has."""
    for session in sorted(sessions):
        if len(choose_calibration_laps(lake, [session])) < FEWEST_LAPS:
            continue
        try:
            made = make_calibration(lake, circuit, [session], 1)
        except InputError:  # laps enough, but too few of them with speed throughout and times of their own
            continue
        write_calibration(lake, made, run_id)
        return made
    return None


def write_calibration(lake: Lake, calibration: TrackCalibration, run_id: str) -> None:
    """Add a version to the table."""
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in calibration.rows()]
    put_rows(lake, GOLD_DPTAD_THRESHOLDS, rows, run_id)
