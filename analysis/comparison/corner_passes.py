"""Rows of ``gold.corner_passes``: how one lap passes each corner of its circuit; pure, without Spark.

The figures are those of :func:`analysis.comparison.corner_metrics.measure_pass`, as in every comparison of laps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from analysis.comparison.corner_metrics import (
    BRAKE_ON_BAR,
    CornerPass,
    CornerStretch,
    acting_m,
    corner_stretches,
    measure_pass,
)
from analysis.comparison.lap_inputs import LapInputs
from analysis.laps.distance import MAX_SILENCE_S, measure_by_position
from analysis.laps.resample import interpolate_samples
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray
from conf.reasons import ReasonCode, Refusal, RefusalError

Row = dict[str, Any]

_ACCELERATIONS: Final = ("accel_long_g", "accel_lat_g")


def corner_pass_rows(trace: LapTrace, circuit: Circuit) -> list[Row]:
    """How a lap passes each corner, in driving order; none where the circuit has no corners.

    The lap is placed by its positions where it has them on the circuit, else as it is, as in a comparison of laps.
    Where nothing but its speed places it, and that is missing for over ``MAX_SILENCE_S``, its corners are not measured.

    Args:
        trace: The lap, with the circuit's scale of distance.
        circuit: Where it was driven.
    """
    if not circuit.corners:
        return []
    placed = _by_position(trace, circuit)
    longest_s = max((gap.end_s - gap.start_s for gap in placed.speed_gaps), default=0.0)
    if placed.distance_source == "integrated" and longest_s > MAX_SILENCE_S:
        gap = {"channel": "speed_kmh", "gap_s": longest_s, "most_s": MAX_SILENCE_S}
        return unmeasured_rows(Refusal.of(ReasonCode.CHANNEL_GAP, **gap), circuit)
    side = LapInputs.read(placed, circuit.length_m, placed.throttle_channel)
    none = np.full(len(placed.t_s), np.nan)
    along_g, across_g = (
        interpolate_samples(placed.t_s, placed.channels.get(name, none), side.time_s) for name in _ACCELERATIONS
    )
    return [
        _corner_columns(stretch.corner, circuit)
        | {"distance_source": placed.distance_source}
        | _pass_columns(side, stretch, along_g, across_g)
        for stretch in corner_stretches(circuit)
    ]


def unmeasured_rows(refusal: Refusal, circuit: Circuit) -> list[Row]:
    """Rows of a lap of which no trace can be built: each corner, and why nothing is known of it."""
    return [_corner_columns(corner, circuit) | {"reason": refusal.text} for corner in circuit.corners]


def _by_position(trace: LapTrace, circuit: Circuit) -> LapTrace:
    if trace.distance_source == "gps":
        return trace
    try:
        return measure_by_position(trace, circuit)
    except RefusalError:
        return trace


def _corner_columns(corner: Corner, circuit: Circuit) -> Row:
    return {"corner": corner.number, "label": corner.label, "track_id": circuit.track_id, "apex_m": corner.apex_m}


def _pass_columns(side: LapInputs, stretch: CornerStretch, along_g: FloatArray, across_g: FloatArray) -> Row:
    passed = measure_pass(side, stretch)
    acts_m = acting_m(stretch, passed.brake_m)
    gear = None if passed.slowest_m is None else side.at(side.gear, passed.slowest_m)
    gap_s = _speed_gap_s(side, stretch)
    return {
        "brake_m": side.in_lap(passed.brake_m),
        "brake_before_apex_m": None if passed.brake_m is None else stretch.apex_m - passed.brake_m,
        "brake_peak_bar": _brake_peak_bar(side, stretch, passed),
        "min_long_g": _extreme(np.min, side.window(along_g, acts_m, stretch.apex_m)[1]),
        "entry_speed_kmh": passed.entry_kmh,
        "min_speed_kmh": passed.min_kmh,
        "min_speed_m": side.in_lap(passed.slowest_m),
        "min_speed_gear": None if gear is None else int(gear),
        "exit_speed_kmh": passed.exit_kmh,
        "throttle_m": side.in_lap(passed.throttle_m),
        "throttle_after_apex_m": None if passed.throttle_m is None else passed.throttle_m - stretch.apex_m,
        "max_abs_lat_g": _extreme(np.max, np.abs(side.window(across_g, stretch.entry_m, stretch.exit_m)[1])),
        "corner_time_s": None if gap_s else _time_s(side, stretch),
        "speed_gap_s": gap_s,
    }


def _brake_peak_bar(side: LapInputs, stretch: CornerStretch, passed: CornerPass) -> float | None:
    """Highest pressure from the braking point to the apex; ``None`` where it is not known when it rose."""
    _, before = side.window(side.brake_bar, stretch.last_apex_m, stretch.apex_m)
    if passed.brake_m is None and bool((before >= BRAKE_ON_BAR).any()):
        return None
    return _extreme(np.max, side.window(side.brake_bar, acting_m(stretch, passed.brake_m), stretch.apex_m)[1])


def _extreme(which: Callable[[FloatArray], Any], values: FloatArray) -> float | None:
    """The least or the greatest of some values; ``None`` where a gap may hold it."""
    return float(which(values)) if values.size and np.isfinite(values).all() else None


def _time_s(side: LapInputs, stretch: CornerStretch) -> float:
    """Time from the beginning of the bend to its end; of a bend that the line cuts, both parts of the lap."""
    return sum(
        float(np.diff(np.interp(part, side.distance_m, side.time_s))[0]) for part in _parts(stretch, side.length_m)
    )


def _speed_gap_s(side: LapInputs, stretch: CornerStretch) -> float:
    """Time of the gaps in the speed that touch the bend."""
    parts = _parts(stretch, side.length_m)
    touching = (
        placed.gap for placed in side.gaps if any(placed.start_m < end and placed.end_m > start for start, end in parts)
    )
    return sum((gap.end_s - gap.start_s for gap in touching), start=0.0)


def _parts(stretch: CornerStretch, length_m: float) -> tuple[tuple[float, float], ...]:
    """Where the bend lies within the lap: one part, or two where the line cuts it."""
    if stretch.exit_m > length_m:
        return (stretch.entry_m, length_m), (0.0, stretch.exit_m - length_m)
    return ((stretch.entry_m, stretch.exit_m),)
