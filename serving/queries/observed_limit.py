"""The limit lap of cars as they were driven: envelope and line from the laps of a session in the lake."""

from __future__ import annotations

import numpy as np

from analysis.car_limits.fitted_envelope import QUANTILE
from analysis.car_limits.observed_limit import ObservedLimit, observed_limit_lap
from analysis.drivers.formatting import clock
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.settings import AppConfig
from conf.units import KMH_PER_MPS
from serving.queries.circuits import track_of
from serving.queries.comparison import find_circuit
from serving.queries.lap_traces import load_lap
from serving.queries.laps import LapError, LapRow, by_time, of_vehicle, read_laps
from serving.queries.limit_lap import AskedLap, thirds

GHOST = "ghost"


def seen_limit(
    settings: AppConfig, session_id: str, vehicle: str | None = None, quantile: float = QUANTILE
) -> AskedLap:
    """Fit an envelope to the laps of a session that are fit for a ghost, and drive it round the track's line.

    Args:
        settings: Whose lake to read.
        session_id: Session; its track must be known.
        vehicle: Vehicle id or number; all cars of the session if left out, as if they were of one kind.
        quantile: Share of the instants at the edge that shall lie inside the envelope.

    Raises:
        LapError: If the track is not known or no lap is fit.
        EnvelopeError: If the laps do not show enough, or the limit lap came out slower than one of them.
    """
    circuit = find_circuit(settings, session_id, track_of(settings, session_id))
    if isinstance(circuit, str):
        raise LapError(circuit)
    laps = read_laps(settings, session_id)
    laps = of_vehicle(laps, vehicle) if vehicle else laps
    chosen = by_time(lap for lap in laps if GHOST in lap.fit_for)
    if not chosen:
        raise LapError(
            f"no lap of {session_id} is fit for a ghost: `slipstream laps list` says what speaks against each"
        )
    used, traces, left_out = [], [], []
    for row in chosen:
        try:
            traces.append(load_lap(settings, row, circuit).trace)
        except LapError as error:
            left_out.append(str(error))
        else:
            used.append(row)
    if not used:
        raise LapError(f"no lap of {session_id} can be used: {'; '.join(left_out[:3])}")
    seen = observed_limit_lap(traces, circuit, quantile, [row.uid for row in used])
    return _asked(session_id, circuit, seen, used, left_out, traces[0])


def _asked(
    session_id: str,
    circuit: Circuit,
    limit: ObservedLimit,
    used: list[LapRow],
    left_out: list[str],
    seen: LapTrace,
) -> AskedLap:
    line, fitted, lap = limit.line, limit.fitted, limit.lap
    cars, best = sorted({row.vehicle_id for row in used}), used[0]
    gap_s = (best.lap_time_s or 0.0) - lap.lap_time_s
    ends = circuit.sector_ends_m or thirds(line)
    inside = f"{fitted.quantile:.0%} of the hardest of {fitted.instants:,} instants inside"
    notes = [
        f"Envelope of {len(used)} laps of {len(cars)} cars, {inside}.",
        f"Best lap driven: {best.uid}, {clock(best.lap_time_s or 0.0)}; the limit lap is {gap_s:.3f} s faster.",
    ]
    if left_out:
        notes.append(f"Left out, {len(left_out)} laps: {'; '.join(left_out[:3])}")
    known = np.isfinite(seen.channels["speed_kmh"])
    scale = line.length_m / seen.end_m
    return AskedLap(
        circuit.track_id,
        cars[0] if len(cars) == 1 else f"{len(cars)} cars of {session_id}",
        line,
        lap,
        (*ends, line.length_m),
        lap.sector_times_s(ends),
        tuple(notes),
        (seen.distance_m[known] * scale, seen.channels["speed_kmh"][known] / KMH_PER_MPS),
        {
            "best_lap": best.uid,
            "best_lap_time_s": best.lap_time_s,
            "gap_s": round(gap_s, 4),
            "laps": len(used),
            "vehicles": cars,
            "quantile": fitted.quantile,
        },
    )
