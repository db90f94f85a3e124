"""The observed limit of a car: envelope and line fitted to laps, and the limit lap computed from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.car_limits.fitted_envelope import QUANTILE, EnvelopeError, FittedEnvelope, fit_envelope
from analysis.car_limits.motion import compute_motion, highest_plateau_pct, join_motions, scale_line
from analysis.laps.distance import driven_length_m
from analysis.laps.trace import LapTrace
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit
from physics.centre_line import Line
from physics.limit_lap.lap import LimitLap, solve_limit_lap

QUANTILES = (0.98, 0.985, 0.99, 0.995)


@dataclass(frozen=True)
class ObservedLimit:
    """What cars of one kind can do on one track, as far as their laps show it.

    Attributes:
        line: The line driven, as long as the cars' own speeds make it.
        fitted: The envelope.
        lap: The limit lap of both.
    """

    line: Line
    fitted: FittedEnvelope
    lap: LimitLap


def observed_limit_lap(
    traces: Sequence[LapTrace],
    circuit: Circuit,
    quantile: float = QUANTILE,
    names: Sequence[str] | None = None,
    not_above_s: float | None = None,
) -> ObservedLimit:
    """Fit an envelope to laps and drive it round the line they took.

    Args:
        traces: Laps on the circuit's scale, with speed.
        circuit: The circuit.
        quantile: Share of the instants at the edge that shall lie inside the envelope.
        names: What to call the laps in messages.
        not_above_s: A time that the cars showed to be possible: as long as the limit lap is slower, the next of
            ``QUANTILES`` is taken. Noise-free laps need more than the usual one.

    Raises:
        EnvelopeError: If the laps do not show enough, or the limit lap came out slower than one of them.
    """
    # A track file's centre line is arcs and straights, which nobody drives.
    is_drawn = circuit.source == "geometry"
    line = build_from_positions(traces, circuit.track_id).circuit.line if is_drawn else circuit.line
    line = scale_line(line, float(np.median([driven_length_m(trace) for trace in traces])))
    plateau_pct = highest_plateau_pct(traces)
    motion = join_motions([compute_motion(trace, line, plateau_pct=plateau_pct) for trace in traces])
    wider = [q for q in QUANTILES if q > quantile] if not_above_s is not None else []
    for share in (quantile, *wider):
        fitted = fit_envelope(motion, share)
        lap = solve_limit_lap(fitted.envelope(), line)
        if not_above_s is None or lap.lap_time_s <= not_above_s:
            break
    best = min(range(len(traces)), key=lambda k: traces[k].lap_time_s)
    if lap.lap_time_s > traces[best].lap_time_s:
        raise EnvelopeError(
            f"the limit lap, {lap.lap_time_s:.3f} s, is slower than {names[best] if names else 'the best lap driven'} "
            f"with {traces[best].lap_time_s:.3f} s: the envelope holds less than the cars showed; raise --quantile "
            f"above {fitted.quantile:g} or take fewer slow laps"
        )
    return ObservedLimit(line, fitted, lap)
