"""Select laps to build a track from, fit sector ends and the pit loss, and convert circuits to rows and back.

Pure: rows of ``silver.laps`` and ``silver.tracks`` are mappings here, wherever they were read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar

import numpy as np

from analysis.laps.distance import MAX_SILENCE_S
from analysis.laps.trace import LapTrace
from analysis.track_build.sectors import find_sector_ends, lap_sector_times_s
from analysis.tracks.circuit import Circuit, Corner, circuit_from_track
from conf.arrays import FloatArray
from conf.errors import InputError
from conf.track import is_track, load_track
from physics.centre_line import Line

LapRow = Mapping[str, Any]
T = TypeVar("T")

MOST_LAPS: Final = 60
"""More laps do not move the line; those taken are spread evenly over what there is."""
_ENOUGH: Final = 3
_PURPOSES: Final = ("pace", "wear")  # laps driven in earnest; where they are too few, all from line to line
_SECTORS: Final = ("sector_1_time", "sector_2_time", "sector_3_time")
_NEUTRAL: Final = frozenset({"yellow_flag", "slow_field", "incomplete", "lap_time_lt_30s", "lap_number_gt_1000"})


class TrackError(InputError):
    """A track cannot be built or found; the message says why and what to do."""


@dataclass(frozen=True)
class FittedSectors:
    """Sector ends and how well they give the official times.

    Attributes:
        ends_m: Where each sector but the last ends.
        residual_p95_s: 95th percentile of the differences, each lap against ends found on the others; ``None`` where
            there is but one lap.
        laps: How many laps.
    """

    ends_m: tuple[float, ...]
    residual_p95_s: float | None
    laps: int


@dataclass(frozen=True)
class PitLoss:
    """The time lost by a pit stop, and the number of stops it was measured on."""

    seconds: float
    stops: int


def choose_track_laps(laps: Iterable[LapRow], most: int = MOST_LAPS) -> list[LapRow]:
    """Laps that a track is built from: in the order of their keys, at most ``most``.

    Laps fit for pace; where there are too few, all that were driven from line to line. Telemetry may be missing for
    ``MAX_SILENCE_S`` at a time: the other laps fill that in.

    Args:
        laps: Rows of ``silver.laps``.
        most: How many to take.

    Raises:
        TrackError: If none suits; the message counts the reasons.
    """
    seen = [row for row in laps if row["sample_count"] and row["lap_start_ts"] and row["lap_end_ts"]]
    rows = [row for row in seen if (row["telemetry_gap_s"] or 0.0) <= MAX_SILENCE_S]
    for purpose in _PURPOSES:
        fit = [row for row in rows if purpose in row["fit_for"]]
        if len(fit) >= _ENOUGH or (fit and purpose == _PURPOSES[-1]):
            return spread_evenly(sorted(fit, key=lap_key), most)
    against = Counter(reason for row in rows for reason in row["unfit_for"].get("wear", ()))
    listed = ", ".join(f"{reason} {n}" for reason, n in against.most_common())
    raise TrackError(
        f"no lap fits: of {len(seen)} laps with telemetry {len(rows)} have it throughout, and none of these was driven "
        f"from line to line ({listed or 'none'}); name a session with whole laps, or replay its timing files too"
    )


def spread_evenly(rows: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of the rows, spread evenly."""
    at = np.linspace(0, len(rows) - 1, min(most, len(rows)))
    return [rows[i] for i in np.unique(np.rint(at).astype(int))]


def lap_key(row: LapRow) -> tuple[str, str, int]:
    """Session, vehicle and lap number."""
    return row["session_id"], row["vehicle_id"], row["lap_number"]


def fit_sector_ends(laps: Sequence[tuple[LapTrace, LapRow]]) -> FittedSectors | None:
    """Sector ends from laps with three official sector times, ``None`` where there is no such lap.

    Args:
        laps: Laps on the circuit's scale of distance, with their rows of ``silver.laps``.
    """
    timed = [(trace, [row[name] for name in _SECTORS]) for trace, row in laps if None not in map(row.get, _SECTORS)]
    if not timed:
        return None
    traces, official = [trace for trace, _ in timed], np.array([times for _, times in timed], dtype=np.float64)
    ends = find_sector_ends(traces, official)
    if len(traces) == 1:
        return FittedSectors(ends.ends_m, None, 1)
    misses = [_prediction_error_s(traces, official, k) for k in range(len(traces))]
    return FittedSectors(ends.ends_m, float(np.quantile(np.abs(misses), 0.95)), len(traces))


def _prediction_error_s(traces: Sequence[LapTrace], official: FloatArray, k: int) -> FloatArray:
    """Sector times of lap ``k`` by the ends that the other laps give, less the official ones."""
    others = [i for i in range(len(traces)) if i != k]
    ends = find_sector_ends([traces[i] for i in others], official[others])
    return np.asarray(lap_sector_times_s(traces[k], ends.ends_m) - official[k])


def measure_pit_loss(laps: Iterable[LapRow]) -> PitLoss | None:
    """Median extra time of a lap into the pits and the lap out of them, stops under a neutralisation left out.

    Args:
        laps: Rows of ``silver.laps``, those without telemetry among them.
    """
    cars: defaultdict[tuple[str, str], list[LapRow]] = defaultdict(list)
    for row in laps:
        cars[row["session_id"], row["vehicle_id"]].append(row)
    extra = [one for rows in cars.values() for one in _extra_s(sorted(rows, key=lap_key))]
    return PitLoss(float(np.median(extra)), len(extra)) if extra else None


def _extra_s(rows: Sequence[LapRow]) -> list[float]:
    """Extra time of each stop of one car."""
    pace = [row["lap_time_ms"] / 1000 for row in rows if "pace" in row["fit_for"]]
    if len(pace) < _ENOUGH:
        return []
    usual = float(np.median(pace))
    return [
        (into["lap_time_ms"] + out["lap_time_ms"]) / 1000 - 2.0 * usual
        for into, out in pairwise(rows)
        if out["lap_number"] == into["lap_number"] + 1
        and "pit_lap" in into["invalid_reasons"]
        and "out_lap" in out["invalid_reasons"]
        and not _NEUTRAL & {*into["invalid_reasons"], *out["invalid_reasons"]}
    ]


def circuit_row(circuit: Circuit) -> dict[str, Any]:
    """Columns of ``silver.tracks`` that a circuit fills; :func:`circuit_from_row` reads them back."""
    line, ends = circuit.line, (*circuit.sector_ends_m, None, None)
    origin = circuit.origin_deg or (None, None)
    points = zip(*(axis.tolist() for axis in (line.s_m, line.x_m, line.y_m, line.curvature_per_m)), strict=True)
    return {
        "track_id": circuit.track_id,
        "length_m": line.length_m,
        "s1_end_m": ends[0],
        "s2_end_m": ends[1],
        "source": circuit.source,
        "origin_lat_deg": origin[0],
        "origin_lon_deg": origin[1],
        "geometry": [{"distance_m": s, "x_m": x, "y_m": y, "curvature_1pm": k} for s, x, y, k in points],
        "corners": [
            {
                "number": one.number,
                "name": one.name,
                "entry_m": one.entry_m,
                "apex_m": one.apex_m,
                "exit_m": one.exit_m,
                "direction": one.direction,
                "radius_m": one.radius_m,
            }
            for one in circuit.corners
        ],
    }


def circuit_from_row(row: Mapping[str, Any]) -> Circuit:
    """The circuit of a row of ``silver.tracks``, nested values as mappings."""
    points = row["geometry"]
    s, x, y, bend = (
        np.array([point[name] for point in points], dtype=np.float64)
        for name in ("distance_m", "x_m", "y_m", "curvature_1pm")
    )
    ends = tuple(row[name] for name in ("s1_end_m", "s2_end_m") if row[name] is not None)
    lat, lon = row["origin_lat_deg"], row["origin_lon_deg"]
    return Circuit(
        track_id=row["track_id"],
        line=Line(s, x, y, bend, row["length_m"]),
        corners=tuple(Corner(**corner) for corner in row["corners"]),
        sector_ends_m=ends,
        origin_deg=None if lat is None or lon is None else (lat, lon),
        source=row["source"],
    )


def load_own_circuit(track_id: str) -> Circuit | None:
    """The circuit of a track of our own making (``conf/tracks``), ``None`` for any other."""
    return circuit_from_track(load_track(track_id)) if is_track(track_id) else None


def refuse_own_track(track_id: str) -> None:
    """Refuse to build a track that has a file.

    Raises:
        TrackError: If it has one.
    """
    if is_track(track_id):
        raise TrackError(f"'{track_id}' is a track of our own, conf/tracks/{track_id}.yaml: choose another --name")
