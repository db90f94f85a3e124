"""The limit lap of cars as they were driven: envelope and line from the laps of a session in the lake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.car_limits.fitted_envelope import QUANTILE
from analysis.car_limits.observed_limit import ObservedLimit, observed_limit_lap
from analysis.drivers.formatting import format_lap_time
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.units import KMH_PER_MPS
from serving.lake.reader import LakeReader
from serving.queries.circuits import find_session_circuit, session_track
from serving.queries.lap_traces import load_lap_trace
from serving.queries.laps import LapError, LapRow, laps_of_vehicle, rank_by_time, read_laps
from serving.queries.limit_lap import LimitLapAnswer, LimitLapResult, split_in_thirds

GHOST = "ghost"


class ObservedLimitAnswer(LimitLapAnswer):
    """The limit lap of cars as they were driven, as programs read it.

    Attributes:
        best_lap: The best lap driven.
        gap_s: Its time less the limit lap's.
        laps: Laps that the envelope was fitted to.
        quantile: Share of the hardest instants inside the envelope.
    """

    best_lap: str
    best_lap_time_s: float | None
    gap_s: float
    laps: int
    vehicles: tuple[str, ...]
    quantile: float


@dataclass(frozen=True)
class ObservedLimitResult(LimitLapResult):
    """A limit lap and the driven laps that it was learned from.

    Attributes:
        used: The laps, the quickest first.
        quantile: Share of the hardest instants inside the envelope.
    """

    used: tuple[LapRow, ...] = ()
    quantile: float = QUANTILE

    @property
    def gap_s(self) -> float:
        """The best driven lap's time less the limit lap's."""
        return (self.used[0].lap_time_s or 0.0) - self.lap.lap_time_s

    @property
    def answer(self) -> ObservedLimitAnswer:
        """The lap's figures, and those of the laps driven."""
        return ObservedLimitAnswer(
            **super().answer.model_dump(),
            best_lap=self.used[0].uid,
            best_lap_time_s=self.used[0].lap_time_s,
            gap_s=round(self.gap_s, 4),
            laps=len(self.used),
            vehicles=tuple(sorted({row.vehicle_id for row in self.used})),
            quantile=self.quantile,
        )


def compute_observed_limit(
    lake: LakeReader, session_id: str, vehicle: str | None = None, quantile: float = QUANTILE
) -> ObservedLimitResult:
    """Fit an envelope to the laps of a session that are fit for a ghost, and drive it round the track's line.

    Args:
        lake: The lake.
        session_id: Session; its track must be known.
        vehicle: Vehicle id or number; all cars of the session if left out, as if they were of one kind.
        quantile: Share of the instants at the edge that shall lie inside the envelope.

    Raises:
        CircuitError: If the track is not known.
        LapError: If no lap is fit.
        EnvelopeError: If the laps do not show enough, or the limit lap came out slower than one of them.
    """
    circuit = find_session_circuit(lake, session_id, session_track(lake, session_id))
    laps = read_laps(lake, session_id)
    laps = laps_of_vehicle(laps, vehicle) if vehicle else laps
    chosen = rank_by_time(lap for lap in laps if GHOST in lap.fit_for)
    if not chosen:
        raise LapError(
            f"no lap of {session_id} is fit for a ghost: `slipstream laps list` says what speaks against each"
        )
    used, traces, left_out = [], [], []
    for row in chosen:
        try:
            traces.append(load_lap_trace(lake, row, circuit).trace)
        except LapError as error:
            left_out.append(str(error))
        else:
            used.append(row)
    if not used:
        raise LapError(f"no lap of {session_id} can be used: {'; '.join(left_out[:3])}")
    seen = observed_limit_lap(traces, circuit, quantile, [row.uid for row in used])
    return _limit_lap_result(session_id, circuit, seen, used, left_out, traces[0])


def _limit_lap_result(
    session_id: str,
    circuit: Circuit,
    limit: ObservedLimit,
    used: list[LapRow],
    left_out: list[str],
    seen: LapTrace,
) -> ObservedLimitResult:
    line, fitted, lap = limit.line, limit.fitted, limit.lap
    cars, best = sorted({row.vehicle_id for row in used}), used[0]
    gap_s = (best.lap_time_s or 0.0) - lap.lap_time_s
    ends = circuit.sector_ends_m or split_in_thirds(line)
    inside = f"{fitted.quantile:.0%} of the hardest of {fitted.instants:,} instants inside"
    notes = [
        f"Envelope of {len(used)} laps of {len(cars)} cars, {inside}.",
        (f"Best lap driven: {best.uid}, {format_lap_time(best.lap_time_s)}; the limit lap is {gap_s:.3f} s faster."),
    ]
    if left_out:
        notes.append(f"Left out, {len(left_out)} laps: {'; '.join(left_out[:3])}")
    known = np.isfinite(seen.channels["speed_kmh"])
    scale = line.length_m / seen.end_m
    return ObservedLimitResult(
        track=circuit.track_id,
        vehicle=cars[0] if len(cars) == 1 else f"{len(cars)} cars of {session_id}",
        line=line,
        lap=lap,
        sector_ends_m=(*ends, line.length_m),
        sector_times_s=lap.sector_times_s(ends),
        notes=tuple(notes),
        driven=(seen.distance_m[known] * scale, seen.channels["speed_kmh"][known] / KMH_PER_MPS),
        used=tuple(used),
        quantile=fitted.quantile,
    )
