"""Standard errors of ghost times: a gain smaller than twice its error is not significant.

* Integration: what the integrator makes of human laps less what the timing measured. Root mean square over laps.
* Limit lap: laps are drawn with replacement, the envelope is fitted to them and driven round the same line.
* Stitched: the same draws, the best passage of each zone. A minimum can only rise when laps are missing, so the spread
  of the draws understates how far a further lap would take it; the mean rise is given beside it.

Bootstrap over whole laps: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.car_limits.fitted_envelope import EnvelopeError, fit_envelope
from analysis.car_limits.motion import compute_motion, highest_plateau_pct, join_motions
from analysis.car_limits.observed_limit import ObservedLimit
from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import GridLap
from analysis.segmentation.zones import Zone
from analysis.statistics.bootstrap import draw_indices, standard_error
from conf.arrays import FloatArray
from physics.limit_lap.lap import solve_limit_lap

N_RESAMPLES: Final = 40
_FEWEST: Final = 8  # resamples from which there is a spread to speak of


@dataclass(frozen=True)
class TimeSpread:
    """Spread of a time over resamples.

    Attributes:
        error_s: Standard error; NaN where too few resamples gave a time.
        bias_s: Mean of the resamples less the time itself.
        resamples: How many gave a time.
    """

    error_s: float
    bias_s: float
    resamples: int


def integration_error_s(laps: Sequence[GridLap]) -> float:
    """Standard error of a lap time by the integrator, from laps that were timed."""
    off = np.array([lap.lap_time_s - lap.official_s for lap in laps])
    return float(np.sqrt(np.mean(off**2)))


def limit_lap_error(
    traces: Sequence[LapTrace], seen: ObservedLimit, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> TimeSpread:
    """Spread of the limit lap over draws of laps; a draw that shows too little to fit an envelope is left out.

    Args:
        traces: The laps that the limit was fitted to.
        seen: That limit; its line is kept, its quantile as well.
        rng: Chance.
        n_resamples: Draws; each takes about half a second.
    """
    plateau_pct = highest_plateau_pct(traces)
    motions = [compute_motion(trace, seen.line, plateau_pct=plateau_pct) for trace in traces]
    times: list[float] = []
    for _ in range(n_resamples):
        drawn = draw_indices(len(motions), 1, rng)[0]
        try:
            fitted = fit_envelope(join_motions([motions[k] for k in drawn]), seen.fitted.quantile)
        except EnvelopeError:
            continue
        times.append(solve_limit_lap(fitted.envelope(), seen.line).lap_time_s)
    return _spread(np.array(times), seen.lap.lap_time_s)


def stitched_lap_error(
    laps: Sequence[GridLap], zones: Sequence[Zone], rng: np.random.Generator, n_resamples: int = 1000
) -> TimeSpread:
    """Spread of the stitched time over draws of laps.

    Args:
        laps: Laps on one grid.
        zones: Zones that are stitched.
        rng: Chance.
        n_resamples: Draws.
    """
    times = np.array([[lap.between_s(zone.start_m, zone.end_m) for zone in zones] for lap in laps])
    drawn = draw_indices(len(laps), n_resamples, rng)
    return _spread(times[drawn].min(axis=1).sum(axis=1), float(times.min(axis=0).sum()))


def _spread(times_s: FloatArray, time_s: float) -> TimeSpread:
    if len(times_s) < _FEWEST:
        return TimeSpread(float("nan"), float("nan"), len(times_s))
    return TimeSpread(standard_error(times_s), float(np.mean(times_s) - time_s), len(times_s))
