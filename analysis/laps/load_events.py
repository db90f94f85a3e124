"""Load events and cycles of a lap: shifts, impacts and load cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from analysis.signals.held import US_PER_S, HeldSignal, align_signals, combine_signals, find_shifts, values_at
from conf.arrays import FloatArray, IntArray
from conf.units import KMH_PER_MPS
from physics.rainflow import RainflowCounter

SN_EXPONENT: Final = 5.0  # of the cycles' range: as welds, springs and shafts have it
N_PER_NM: Final = 2.0 * np.pi / 60.0 * KMH_PER_MPS  # engine turns a minute per km/h to turns (radians) per metre
LEAST_KMH: Final = 20.0  # below, a clutch may slip
IMPACT_G: Final = 0.3  # a reading so far off the middle of what is beside it is no manoeuvre
KNOCK_S: Final = 0.1  # how long a knock lasts
IMPACT_LAG_US: Final = 50_000  # half of that
IMPACT_GAP_S: Final = 0.1  # readings further apart than this show no impact
IMPACT_APART_S: Final = 0.5  # readings closer than this are of one impact

LoadEvents = dict[str, float | int | None]


def load_event_features(
    lap: Mapping[str, HeldSignal], whole: Mapping[str, HeldSignal], start_us: int, end_us: int, distance_km: float
) -> LoadEvents:
    """Events and cycles of one lap.

    Args:
        lap: Channels, held and cut to the lap.
        whole: The same, beyond it where they are known.
        start_us: Start of the lap.
        end_us: Its end.
        distance_km: Length of the lap, as far as it is known.

    Returns:
        Column name to value: NaN, or None for a count, where a channel it needs has no value, or comes too seldom to
        show what is counted.
    """
    return {
        **_shift_events(lap, whole, start_us, end_us),
        **_find_impacts(lap["accel_lat_g"], distance_km),
        "lateral_fatigue_g": fatigue_range(lap["accel_lat_g"], distance_km),
        "long_fatigue_g": fatigue_range(lap["accel_long_g"], distance_km),
        "torque_fatigue_nm": fatigue_range(lap["torque_nm"], distance_km),
        "drive_force_fatigue_n": fatigue_range(_drive_force(lap), distance_km),
    }


def fatigue_range(held: HeldSignal, distance_km: float) -> float:
    """Compute the range of the single cycle per km equivalent to all cycles of the signal (rainflow, Miner's rule).

    Args:
        held: A load, or what stands for one.
        distance_km: Over which way.
    """
    if held.value.size < 2 or not distance_km > 0.0:
        return np.nan
    count = RainflowCounter()
    cycles = np.concatenate([count.add(held.value), count.open_ranges])
    turns = np.concatenate([np.ones(len(cycles) - len(count.open_ranges)), np.full(len(count.open_ranges), 0.5)])
    return _equivalent_range(cycles, turns, distance_km)


def _equivalent_range(sizes: FloatArray, turns: FloatArray | float, distance_km: float) -> float:
    """Size of the one a kilometre that does as much as all, by the S-N exponent."""
    top = float(sizes.max(initial=0.0))
    if top == 0.0 or not distance_km > 0.0:
        return 0.0 if distance_km > 0.0 else np.nan
    per_km = float(np.sum(turns * (sizes / top) ** SN_EXPONENT)) / distance_km
    return top * float(per_km ** (1.0 / SN_EXPONENT))


def _drive_force(lap: Mapping[str, HeldSignal]) -> HeldSignal:
    """Force of the engine at the tyres, N: its power over the road speed, by the gear, losses left out."""
    per_kmh = _rpm_per_kmh(lap["gear"], lap["rpm"], lap["speed_kmh"])
    per_m = lap["gear"].map(lambda gears: np.array([per_kmh.get(g, np.nan) for g in gears]) * N_PER_NM)
    force = combine_signals(np.multiply, lap["torque_nm"], per_m)
    known = np.isfinite(force.value)
    return HeldSignal(force.start_us[known], force.end_us[known], force.value[known])


def _shift_events(
    lap: Mapping[str, HeldSignal], whole: Mapping[str, HeldSignal], start_us: int, end_us: int
) -> LoadEvents:
    """Shifts down, those over more than one gear, and how far they and all shifts change the engine's speed.

    The change is that of the gears at the road speed of the shift, from what each gear makes of a road speed elsewhere
    in the lap: readings of the engine's speed often come too seldom to show it. Cars whose gear channel tells the lever
    engage a little later, when they are slower, and so less hard than this says.
    """
    gear = whole["gear"]
    if lap["gear"].value.size == 0:
        counts = dict.fromkeys(("downshift_count", "skipped_gear_count"))
        return {**counts, **dict.fromkeys(("shift_rpm_sum", "downshift_rpm_max"), np.nan)}
    changes = find_shifts(gear)
    inside = (changes.at_us > start_us) & (changes.at_us <= end_us)
    down = changes.after < changes.before
    per_kmh = _rpm_per_kmh(lap["gear"], lap["rpm"], lap["speed_kmh"])
    speed = values_at(whole["speed_kmh"], changes.at_us)
    before, after = (
        speed * np.array([per_kmh.get(g, np.nan) for g in gears]) for gears in (changes.before, changes.after)
    )
    step = after - before
    known = bool(per_kmh)
    return {
        "downshift_count": int((inside & down).sum()),
        "skipped_gear_count": int((inside & down & (changes.before - changes.after > 1)).sum()),
        "shift_rpm_sum": float(np.nansum(np.abs(step[inside]))) if known else np.nan,
        "downshift_rpm_max": _maximum_known(step[inside & down]) if known else np.nan,
    }


def _rpm_per_kmh(gear: HeldSignal, rpm: HeldSignal, speed: HeldSignal) -> dict[float, float]:
    """Engine speed per road speed of each gear that was driven in: the median of what was read."""
    _, _, (g, n, v) = align_signals(gear, rpm, speed)
    moving = (g >= 1) & (v > LEAST_KMH) & np.isfinite(n)
    return {
        float(each): float(np.median(n[of] / v[of])) for each in np.unique(g[moving]) for of in [moving & (g == each)]
    }


def _maximum_known(values: FloatArray) -> float:
    """Greatest of what is known; 0 where there is nothing to know, NaN where nothing is known."""
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else (np.nan if values.size else 0.0)


def _find_impacts(lateral: HeldSignal, distance_km: float) -> LoadEvents:
    """Knocks that the body feels: readings of lateral acceleration off the middle of what is beside them.

    Along the road, shifts and the brakes knock as well.
    """
    at_us, size, seconds = _deviations(lateral)
    if not at_us.size:
        return {"impact_count": None, **dict.fromkeys(("impact_sum_g", "impact_max_g", "impact_fatigue_g"), np.nan)}
    fatigue_g = _equivalent_range(size, seconds / KNOCK_S, distance_km)  # by time: a knock read more often is still one
    at_us, size = at_us[size > IMPACT_G], size[size > IMPACT_G]
    first = np.diff(at_us, prepend=at_us.min(initial=0) - US_PER_S) > IMPACT_APART_S * US_PER_S
    peaks = np.maximum.reduceat(size, np.flatnonzero(first)) if size.size else size
    return {
        "impact_count": int(first.sum()),
        "impact_sum_g": float(peaks.sum()),
        "impact_max_g": float(peaks.max(initial=0.0)),
        "impact_fatigue_g": fatigue_g,
    }


def _deviations(held: HeldSignal) -> tuple[IntArray, FloatArray, FloatArray]:
    """When each reading was, how far it is off the middle of what was before and after it, g, and how long it holds, s.

    Before and after are a fixed time away, read between the readings, so that the rate of the channel matters little.
    Left out where readings are too far apart.
    """
    t_us, x = held.start_us, held.value
    near = np.diff(t_us) <= IMPACT_GAP_S * US_PER_S
    inside = np.flatnonzero(near[:-1] & near[1:]) + 1
    if not inside.size:
        return t_us[:0], x[:0], x[:0]
    beside = sum(np.interp(t_us[inside] + lag, t_us, x) for lag in (-IMPACT_LAG_US, IMPACT_LAG_US))
    return t_us[inside], np.abs(x[inside] - 0.5 * beside), held.seconds[inside]
