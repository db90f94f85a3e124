"""Stints and pace segments: a session cut at pit stops, cautions and missing laps, with the pace of each part."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from analysis.pace.driver_laps import DriverLaps, Row, null_if_nan
from analysis.pace.lap_pace import BestTime, find_best_time, trend_s_per_lap
from analysis.statistics.bootstrap import Estimate, seed_of
from analysis.statistics.lap_moments import estimate, resample
from conf.arrays import BoolArray, IntArray
from conf.laps import Caution, caution_of_flag

Kind = Literal["racing"] | Caution
End = Literal["pit", "flag", "end", "gap"]


@dataclass(frozen=True, slots=True)
class StintSegment:
    """Consecutive laps of one kind, within one stint.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        stint_number: From 1; a lap that ends in the pits ends its stint.
        segment: From 1 within the stint.
        kind: ``racing``, or the caution under which its laps began or ended: ``fcy``, ``sc``, ``red``.
        first_lap: Number of its first lap.
        last_lap: Number of its last lap.
        n_laps: Laps.
        n_pace_laps: Of these, laps fit for ``pace``: all figures below are theirs.
        pace_s: Mean lap time; NaN without such laps.
        slope_s_per_lap: Trend of lap times, positive when they rise; NaN below two laps.
        best: Best lap.
        ended_by: ``pit``: its last lap ends in the pits; ``gap``: the next lap is missing, so a stop may be too;
            ``flag``: a caution begins or ends; ``end``: no lap follows.
    """

    session_id: str
    vehicle_id: str
    stint_number: int
    segment: int
    kind: Kind
    first_lap: int
    last_lap: int
    n_laps: int
    n_pace_laps: int
    pace_s: Estimate
    slope_s_per_lap: Estimate
    best: BestTime
    ended_by: End

    def row(self) -> Row:
        """Columns of ``gold.stints`` but for ``updated_ts`` and ``run_id``."""
        return {
            "session_id": self.session_id,
            "vehicle_id": self.vehicle_id,
            "stint_number": self.stint_number,
            "segment": self.segment,
            "kind": self.kind,
            "first_lap": self.first_lap,
            "last_lap": self.last_lap,
            "n_laps": self.n_laps,
            "n_pace_laps": self.n_pace_laps,
            **self.pace_s.columns("pace_mean_s"),
            **self.slope_s_per_lap.columns("slope_s_per_lap"),
            "best_lap_s": null_if_nan(self.best.time_s),
            "best_lap_number": self.best.lap_number,
            "best_lap_gap_second_s": null_if_nan(self.best.gap_second_s),
            "ended_by": self.ended_by,
        }


def split_stints(laps: DriverLaps) -> tuple[StintSegment, ...]:
    """Cut a driver's laps into stints and segments, in driving order.

    A new segment starts after a lap that ends in the pits, after missing laps, and where a caution begins or ends.
    """
    n = len(laps)
    if n == 0:
        return ()
    kinds, gaps = classify_laps(laps), _gaps(laps.lap_number)
    changes = np.array([a != b for a, b in pairwise(kinds)], dtype=np.bool_)
    ends = [*np.flatnonzero(laps.pit_in[:-1] | gaps | changes).tolist(), n - 1]
    out: list[StintSegment] = []
    stint, number, first = 1, 1, 0
    for last in ends:
        out.append(
            _build_segment(laps, (stint, number), kinds[first], slice(first, last + 1), _end_reason(laps, gaps, last))
        )
        stint, number = (stint + 1, 1) if laps.pit_in[last] else (stint, number + 1)
        first = last + 1
    return tuple(out)


def classify_laps(laps: DriverLaps) -> tuple[Kind, ...]:
    """What each lap was driven under.

    A timing sheet has the flag at the line only. A lap at whose end, or at whose start (the end of the lap before) a
    caution was out was driven under it in part at least: at VIR, laps that began under yellow and ended under green
    took half as long again.
    """
    at_end = [caution_of_flag(flag) or "racing" for flag in laps.flag]
    kinds = at_end.copy()
    for i in np.flatnonzero(~_gaps(laps.lap_number)).tolist():
        if at_end[i + 1] == "racing":
            kinds[i + 1] = at_end[i]
    return tuple(kinds)


def _gaps(lap_number: IntArray) -> BoolArray:
    """Whether laps are missing between each lap and the next, shape (n - 1,)."""
    return np.asarray(np.diff(lap_number) != 1)


def _end_reason(laps: DriverLaps, gaps: BoolArray, last: int) -> End:
    if laps.pit_in[last]:
        return "pit"
    if last == len(laps) - 1:
        return "end"
    return "gap" if gaps[last] else "flag"


def _build_segment(laps: DriverLaps, number: tuple[int, int], kind: Kind, part: slice, ended_by: End) -> StintSegment:
    inside = np.zeros(len(laps), dtype=np.bool_)
    inside[part] = True
    times = np.where(inside, laps.times_s("pace"), np.nan)
    known = np.isfinite(times)
    name = f"{laps.name}|{number[0]}|{number[1]}"
    return StintSegment(
        laps.session_id,
        laps.vehicle_id,
        *number,
        kind,
        first_lap=int(laps.lap_number[part][0]),
        last_lap=int(laps.lap_number[part][-1]),
        n_laps=int(inside.sum()),
        n_pace_laps=int(known.sum()),
        pace_s=estimate(lambda m: m.mean[..., 0], resample(times[:, None], seed_of(name)), (0,)),
        slope_s_per_lap=trend_s_per_lap(laps.lap_number[known].astype(np.float64), times[known]),
        best=find_best_time(laps, times),
        ended_by=ended_by,
    )
